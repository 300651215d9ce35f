from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cmarr.__main__ import VERBS
from cmarr.folds import clean_folds
from extractors.console import run
from extractors.files import UserError, read_json, write_csv


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


def test_utterances_may_each_be_a_group_and_sessions_have_any_name() -> None:
    rows = manifest(3)
    for row in rows:
        row |= {"dialogue": row["utterance"], "session": {"1": "b", "2": "Actor_10", "3": "Actor_2"}[row["session"]]}
    folds = clean_folds("toy", rows)
    assert list(folds) == ["Actor_10", "Actor_2", "b"]
    for fold in folds.values():
        assert len(fold["validation"]) == round(0.1 * 144 + 0.5)
        assert len({name for part in fold.values() for name in part}) == len(rows)


def rejected(folder: Path, names: list[str]) -> list[str]:
    rows = [{"utterance": name, "stage": "video", "reason": "no face", "origin": "synthetic"} for name in names]
    write_csv(folder / "video.rejected.csv", ["utterance", "stage", "reason", "origin"], rows)
    return ["--leave-out", str(folder / "video.rejected.csv")]


def test_the_verb_writes_classes_and_leaves_out_what_it_is_told_to(
    toy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "folds.json"
    assert run("cmarr", VERBS, [*toy.fold_arguments(out), "--leave-out"]) == 0  # as with a file list that is empty
    whole = read_json(out)
    assert whole["classes"] == ["angry", "happy", "neutral", "sad"]
    assert whole["left_out"] == {}
    gone = ["S1_d0_sad", "S3_d5_angry"]
    with caplog.at_level("INFO"):
        assert run("cmarr", VERBS, [*toy.fold_arguments(out), *rejected(tmp_path, gone)]) == 0
    assert "70 utterances in 3 folds, 2 left out" in caplog.text
    less = read_json(out)
    assert less["left_out"] == dict.fromkeys(gone, "no face")
    for name, fold in less["folds"].items():
        used = sorted(utterance for part in fold.values() for utterance in part)
        assert used == sorted({row["utterance"] for row in toy.rows} - set(gone))
        assert fold["test"] == [utterance for utterance in whole["folds"][name]["test"] if utterance not in gone]


def test_a_fold_without_test_utterances_is_a_user_error(
    toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds.json"
    gone = rejected(tmp_path, [row["utterance"] for row in toy.rows if row["session"] == "2"])
    assert run("cmarr", VERBS, [*toy.fold_arguments(out), *gone]) == 1
    message = capsys.readouterr().err
    assert "video.rejected.csv: names every utterance of session 2" in message
    assert "corpora.toy.policy.no_face" in message
    assert not out.exists()


def test_a_label_that_is_no_class_is_a_user_error(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = toy.fold_arguments(tmp_path / "folds.json")
    arguments.remove("happy")
    assert run("cmarr", VERBS, arguments) == 1
    assert "manifest.csv: label happy is not among the classes" in capsys.readouterr().err
