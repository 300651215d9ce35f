from collections import Counter

import pytest

from cmarr.folds import clean_folds
from extractors.files import UserError


def manifest(sessions: int = 5, dialogues: int = 12, size: int = 6) -> list[dict[str, str]]:
    labels = ("angry", "happy", "neutral", "sad")
    return [
        {
            "utterance": f"S{s}d{d:02d}_{u}", "dialogue": f"S{s}d{d:02d}", "session": str(s),
            "label": labels[(d + u) % 4], "origin": "synthetic",
        }
        for s in range(1, sessions + 1) for d in range(dialogues) for u in range(size)
    ]  # fmt: skip


def test_each_session_is_tested_once_and_never_seen_in_training() -> None:
    rows = manifest()
    folds = clean_folds("toy", rows)
    assert list(folds) == ["1", "2", "3", "4", "5"]
    session = {row["utterance"]: row["session"] for row in rows}
    for number, fold in folds.items():
        assert {session[u] for u in fold["test"]} == {number}
        assert number not in {session[u] for u in fold["train"] + fold["validation"]}
        assert sorted(name for part in fold.values() for name in part) == sorted(session)


def test_validation_is_whole_dialogues_about_a_tenth_with_every_class() -> None:
    rows = manifest()
    dialogue = {row["utterance"]: row["dialogue"] for row in rows}
    label = {row["utterance"]: row["label"] for row in rows}
    for fold in clean_folds("toy", rows).values():
        assert not {dialogue[u] for u in fold["train"]} & {dialogue[u] for u in fold["validation"]}
        share = len(fold["validation"]) / (len(fold["train"]) + len(fold["validation"]))
        assert 0.07 < share < 0.13
        assert len(Counter(label[u] for u in fold["validation"])) == 4


def test_validation_of_skewed_dialogues_has_the_shares_of_the_whole() -> None:
    labels = ("angry", "happy", "neutral", "sad")
    rows = manifest(dialogues=24, size=8)
    for number, row in enumerate(rows):  # six of eight utterances of a dialogue have one label
        row["label"] = labels[number // 8 % 4] if number % 8 < 6 else labels[(number // 8 + number) % 4]
    label = {row["utterance"]: row["label"] for row in rows}
    chosen = [fold["validation"] for fold in clean_folds("toy", rows).values()]
    for validation in chosen:
        shares = [sum(label[u] == name for u in validation) / len(validation) for name in labels]
        assert max(shares) < 0.4
        assert min(shares) > 0.12
    places = {tuple(u[2:] for u in validation) for validation in chosen}
    assert len(places) == len(chosen)  # other folds draw other dialogues


def test_folds_are_reproducible_and_depend_on_the_corpus() -> None:
    assert clean_folds("toy", manifest()) == clean_folds("toy", manifest())
    assert clean_folds("toy", manifest()) != clean_folds("other", manifest())


@pytest.mark.parametrize(
    ("rows", "message"), [(manifest(1), "two sessions"), (manifest(2, 1), "one training dialogue")]
)
def test_too_little_data_is_a_user_error(rows: list[dict[str, str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        clean_folds("toy", rows)
