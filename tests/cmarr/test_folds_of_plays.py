"""Scenes that are played with the same words in every session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from cmarr.__main__ import VERBS
from cmarr.folds import PROTOCOLS, SAME_WORDS, clean_folds, validation_rows
from extractors.console import run
from extractors.files import read_json, write_csv
from tests.cmarr.test_folds import manifest


def plays(sessions: int = 5) -> list[dict[str, str]]:
    """Seven improvised dialogues and seven scenes of plays, each twice a session; they differ in their labels."""
    names = [f"impro0{n}" for n in range(1, 8)]
    names += [f"script0{n}" for n in ("1_1", "1_2", "1_3", "2_1", "2_2", "3_1", "3_2")]
    rows = [
        {"utterance": f"Ses0{s}{sex}_{name}_{u}", "dialogue": f"Ses0{s}{sex}_{name}", "session": str(s), "origin": "x",
         "speaker": f"{s}{sex}", "label": ("angry", "sad", "happy", "neutral")[2 * name.startswith("s") + u % 2]}
        for s in range(1, sessions + 1) for sex in "FM" for name in names for u in range(6)
    ]  # fmt: skip
    for row in rows:  # one dialogue of the release comes in two parts
        if row["dialogue"] == "Ses05M_script01_1" and row["utterance"][-1] > "2":
            row["dialogue"] += "b"
    return rows


def test_a_scene_of_a_play_is_on_one_side_of_training_and_validation() -> None:
    rows = plays()
    scene = {row["utterance"]: row["dialogue"].partition("_")[2].removesuffix("b") for row in rows}
    dialogue = {row["utterance"]: row["dialogue"] for row in rows}
    seen = set()
    for corpus in "abc":
        for fold in clean_folds(corpus, rows).values():
            validated, trained = ({scene[name] for name in fold[part]} for part in ("validation", "train"))
            assert not {name for name in validated & trained if name.startswith("script")}
            assert not {dialogue[name] for name in fold["train"]} & {dialogue[name] for name in fold["validation"]}
            assert 0.07 < len(fold["validation"]) / (len(fold["train"]) + len(fold["validation"])) < 0.2
            seen |= validated
    assert {name for name in seen if name.startswith("script")}
    assert {name for name in seen if name.startswith("impro")}


def test_without_plays_the_draws_are_those_of_scikit_learn() -> None:
    rows = manifest(4, 30, 7)
    _, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    shares = np.bincount(labels) / len(labels)
    draws = GroupShuffleSplit(200, test_size=0.1, random_state=7).split(rows, groups=[row["dialogue"] for row in rows])
    distance = {tuple(found): abs(np.bincount(labels[found]) / len(found) - shares).sum() for _, found in draws}
    assert sorted(validation_rows(rows, 7) or ()) == list(min(distance, key=lambda found: distance[found]))


def test_plays_are_a_note_of_every_table(tmp_path: Path) -> None:
    words = ["folds", "--corpus", "toy", "--manifest", str(tmp_path / "manifest.csv"), "--out"]
    words += [str(tmp_path / "folds.json"), "--classes", "angry", "happy", "neutral", "sad", "--protocol"]
    for rows, there in ((plays(3), True), ([row for row in plays(3) if "script" not in row["dialogue"]], False)):
        write_csv(tmp_path / "manifest.csv", list(rows[0]), rows)
        for protocol in PROTOCOLS:
            assert run("cmarr", VERBS, [*words, protocol]) == 0
            assert (SAME_WORDS in read_json(tmp_path / "folds.json")["notes"]) == there
