from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from cmarr.__main__ import VERBS
from cmarr.config import Config
from cmarr.folds import (
    PROTOCOLS,
    clean_folds,
    plain_folds,
    script_folds,
    session_folds,
    speaker_folds,
)  # fmt: skip
from extractors.console import run
from extractors.files import UserError, read_json, write_csv


def manifest(sessions: int = 5, dialogues: int = 12, size: int = 6) -> list[dict[str, str]]:
    labels = ("angry", "happy", "neutral", "sad")
    return [
        {
            "utterance": f"S{s}d{d:02d}_{u}", "dialogue": f"S{s}d{d:02d}", "session": str(s),
            "speaker": f"{s}{'FM'[u % 2]}", "label": labels[(d + u) % 4], "origin": "synthetic",
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


# Utterances per speaker of IEMOCAP, women and men of sessions 1 to 5 (MMIN's splits).
IEMOCAP = {"1F": 528, "1M": 557, "2F": 481, "2M": 542, "3F": 522, "3M": 629, "4F": 528, "4M": 503, "5F": 590, "5M": 651}


def test_folds_by_speaker_have_the_sizes_of_mmins_splits() -> None:
    rows = [
        {"utterance": f"{speaker}{number}", "speaker": speaker, "session": speaker[0], "dialogue": "", "label": "sad"}
        for speaker in reversed(IEMOCAP) for number in range(IEMOCAP[speaker])
    ]  # fmt: skip
    folds = speaker_folds("iemocap", rows)
    assert list(folds) == [str(number) for number in range(1, 11)]
    train = [4446, 4446, 4508, 4508, 4380, 4380, 4500, 4500, 4290, 4290]
    assert [len(fold["train"]) for fold in folds.values()] == train
    assert [len(fold["test"]) for fold in folds.values()] == [528, 557, 481, 542, 522, 629, 528, 503, 590, 651]
    assert [len(fold["validation"]) for fold in folds.values()] == [557, 528, 542, 481, 629, 522, 503, 528, 651, 590]
    for number, fold in folds.items():
        place = (int(number) + 1) // 2
        tested, other = ("F", "M") if int(number) % 2 else ("M", "F")
        assert {name[:2] for name in fold["test"]} == {f"{place}{tested}"}
        assert {name[:2] for name in fold["validation"]} == {f"{place}{other}"}
        assert str(place) not in {name[0] for name in fold["train"]}


def test_mmin_script_differs_from_mmin_clean_in_validation_alone() -> None:
    clean, script = speaker_folds("toy", manifest()), script_folds("toy", manifest())
    assert list(script) == list(clean)
    for number, fold in script.items():
        assert fold["validation"] == []
        assert (fold["train"], fold["test"]) == (clean[number]["train"], clean[number]["test"])


@pytest.mark.parametrize("speakers", ["F", "FMX"])
def test_folds_by_speaker_need_two_in_every_session(speakers: str) -> None:
    rows = manifest()
    for number, row in enumerate(row for row in rows if row["session"] == "4"):
        row["speaker"] = f"4{speakers[number % len(speakers)]}"
    message = rf"toy: session 4 has {len(speakers)} speaker.* use clean, clean_session, paper_last or paper_besttest$"
    with pytest.raises(UserError, match=message) as caught:
        speaker_folds("toy", rows)
    assert "\n" not in str(caught.value)


def test_the_next_session_validates() -> None:
    rows = manifest(4)
    session = {row["utterance"]: row["session"] for row in rows}
    folds = session_folds("toy", rows)
    parts = {
        number: tuple({session[name] for name in fold[part]} for part in ("test", "validation", "train"))
        for number, fold in folds.items()
    }
    assert parts == {
        "1": ({"1"}, {"2"}, {"3", "4"}), "2": ({"2"}, {"3"}, {"1", "4"}),
        "3": ({"3"}, {"4"}, {"1", "2"}), "4": ({"4"}, {"1"}, {"2", "3"}),
    }  # fmt: skip
    assert all(sum(map(len, fold.values())) == len(rows) for fold in folds.values())
    with pytest.raises(UserError, match="clean_session needs three sessions or more, the manifest has 2; use clean"):
        session_folds("toy", manifest(2))


def test_folds_of_the_paper_have_no_validation_and_lose_nothing() -> None:
    rows = manifest()
    for number, fold in plain_folds("toy", rows).items():
        assert fold["validation"] == []
        assert fold["test"] == [row["utterance"] for row in rows if row["session"] == number]
        assert fold["train"] == [row["utterance"] for row in rows if row["session"] != number]


def test_every_protocol_says_who_chooses_the_epoch_and_marks_what_is_prone_to_leaks() -> None:
    assert tuple(PROTOCOLS) == get_args(Config.model_fields["protocol"].annotation)
    for name, protocol in PROTOCOLS.items():
        folds = protocol.split("toy", manifest())
        assert all(bool(fold["validation"]) == (protocol.rows == "validation") for fold in folds.values())
        assert not any(set(fold["test"]) & {*fold["train"], *fold["validation"]} for fold in folds.values())
        assert bool(protocol.notes) == (name not in ("clean", "clean_session"))
        assert any("test data" in note for note in protocol.notes) == (protocol.rows == "test")
        assert not any(note.endswith(".") for note in protocol.notes)


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
    assert (whole["choice"], whole["notes"]) == ({"rows": "validation", "metric": "mean_uar"}, [])
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


def test_the_verb_writes_what_chooses_the_epoch(toy, tmp_path: Path) -> None:
    out = tmp_path / "folds.json"
    protocol = ["--protocol", "paper_besttest", "--choice-metric", "pooled_macro_f1"]
    assert run("cmarr", VERBS, [*toy.fold_arguments(out), *protocol]) == 0
    made = read_json(out)
    assert (made["protocol"], made["choice"]) == ("paper_besttest", {"rows": "test", "metric": "pooled_macro_f1"})
    assert made["notes"] == ["the epoch was chosen on test data, so the figures are too good"]


@pytest.mark.parametrize("protocol", ["mmin_clean", "mmin_script"])
def test_targets_as_released_repeat_a_fold_and_say_so(tmp_path: Path, protocol: str) -> None:
    rows, out = manifest(), tmp_path / "folds.json"
    write_csv(tmp_path / "manifest.csv", list(rows[0]), rows)
    arguments = [
        "folds", "--corpus", "iemocap", "--manifest", str(tmp_path / "manifest.csv"), "--protocol", protocol,
        "--classes", "angry", "happy", "neutral", "sad", "--out", str(out),
    ]  # fmt: skip
    assert run("cmarr", VERBS, arguments) == 0
    right = read_json(out)
    assert run("cmarr", VERBS, [*arguments, "--released-targets"]) == 0
    released = read_json(out)
    assert released["folds"] == right["folds"] | {"8": right["folds"]["7"]}
    assert right["folds"]["8"] != right["folds"]["7"]
    assert released["notes"] == [
        *right["notes"],
        "fold 8 repeats fold 7, so one speaker is tested twice and another one never",
    ]


def test_targets_as_released_have_folds_by_speaker(toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cmarr", VERBS, [*toy.fold_arguments(tmp_path / "folds.json"), "--released-targets"]) == 1
    assert "--released-targets: toy has no eight folds by speaker under clean" in capsys.readouterr().err


def test_a_class_that_a_test_fold_lacks_is_a_note_of_every_table(tmp_path: Path) -> None:
    """UAR is then over fewer classes than the other folds'."""
    rows = [
        row for row in manifest(3) if (row["session"], row["label"]) not in {("2", "sad"), ("3", "sad"), ("3", "angry")}
    ]
    write_csv(tmp_path / "manifest.csv", list(rows[0]), rows)
    classes = ("angry", "happy", "neutral", "sad")
    words = ["folds", "--corpus", "toy", "--manifest", str(tmp_path / "manifest.csv"), "--protocol", "clean"]
    words += ["--out", str(tmp_path / "folds.json"), "--classes"]
    assert run("cmarr", VERBS, [*words, *classes]) == 0
    (note,) = read_json(tmp_path / "folds.json")["notes"]
    assert note == "UAR is over the classes that a test fold has: fold 2 has no sad, fold 3 has no angry and no sad"
    write_csv(tmp_path / "manifest.csv", list(rows[0]), manifest(3))
    assert run("cmarr", VERBS, [*words, *classes]) == 0
    assert read_json(tmp_path / "folds.json")["notes"] == []
