"""Significance of results that are written by hand, whose differences are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from extractors.files import read_csv, read_json, write_json
from tests.cmarr.significance_runs import FULL, found_of, significance, written


def test_one_fold_and_seed_with_a_twin_and_a_bad_rival(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    labels = [*"ab" * 30]
    ours = rng.random(60) < 0.9
    runs = [written(tmp_path, "1", name, right, labels) for name, right in (
        ("twin", ours), (FULL, ours), ("bad", rng.random(60) < 0.3), ("none", np.zeros(60, bool))
    )]  # fmt: skip
    assert significance(tmp_path, tmp_path, runs, "--draws", "1500") == 0
    found = found_of(tmp_path)
    for metric in ("war", "uar"):
        twin, bad = found["twin", metric], found["bad", metric]
        assert [twin[key] for key in ("difference", "low", "high", "p", "p_holm")] == [*["0.00"] * 3, *["1.0000"] * 2]
        assert (twin["significant"], bad["significant"]) == ("no", "yes")
        assert (bad["p"], bad["p_holm"]) == ("0.0013", "0.0320")  # 2 / 1501, times 24 at most
        assert (bad["folds"], bad["seeds"], bad["utterances"]) == ("1", "1", "60")
    assert [row["system"] for row in read_csv(tmp_path / "significance.csv")][::8] == 2 * ["twin", "bad", "none"]


def test_folds_weigh_the_same_and_a_class_may_be_in_one_only(tmp_path: Path) -> None:
    """Fold 1: ours is right twice as often. Fold 2 has no `b`, nine times the utterances, and no difference."""
    few, many = np.array([True, True, True, False]), np.ones(36, bool)
    runs = []
    for system, right in ((FULL, few), ("rival", few & [True, False, False, False])):
        runs += [written(tmp_path, "1", system, right, [*"aabb"]), written(tmp_path, "2", system, many, ["a"] * 36)]
    assert significance(tmp_path, tmp_path, runs) == 0
    found = found_of(tmp_path)
    assert found["rival", "war"]["difference"] == "25.00"
    assert found["rival", "uar"]["difference"] == "25.00"
    assert (found["rival", "war"]["utterances"], found["rival", "war"]["draws"]) == ("40", "10000")
    assert float(found["rival", "uar"]["low"]) == 0


def test_what_either_system_says_about_itself_is_kept(tmp_path: Path) -> None:
    runs = [written(tmp_path, "1", system, np.arange(4) < hits, [*"abab"]) for system, hits in ((FULL, 4), ("x", 2))]
    for name, about in zip(runs, ({"speech": "wav2vec2"}, {"notes": ["odd"]}), strict=True):
        path = tmp_path / f"models/{name}/record.json"
        write_json(path, read_json(path) | about)
    assert significance(tmp_path, tmp_path, runs) == 0
    row = found_of(tmp_path)["x", "war"]
    assert (row["speech"], row["notes"], row["protocol"]) == ("wav2vec2, logmel", "odd", "clean")


def test_variants_of_the_system_itself_are_no_rivals(tmp_path: Path) -> None:
    systems = (FULL, f"{FULL}-size-lite", "other")
    runs = [written(tmp_path, "1", system, np.arange(4) < 2, [*"abab"]) for system in systems]
    assert significance(tmp_path, tmp_path, runs) == 0
    assert {row["system"] for row in read_csv(tmp_path / "significance.csv")} == {"other"}


def test_a_fold_that_is_there_twice_is_drawn_alike(tmp_path: Path) -> None:
    """It brings no new utterances, so the interval is no narrower."""
    right, labels = np.random.default_rng(3).random((2, 60)) < 0.6, [*"ab" * 30]
    runs = [
        written(tmp_path, fold, system, own, labels)
        for fold in "78"
        for system, own in zip((FULL, "x"), right, strict=True)
    ]
    assert significance(tmp_path, tmp_path, runs) == 0
    twice = found_of(tmp_path)["x", "war"]
    assert significance(tmp_path, tmp_path, runs[:2]) == 0
    assert {key: twice[key] for key in ("low", "high", "p")} == {
        key: found_of(tmp_path)["x", "war"][key] for key in ("low", "high", "p")
    }


def test_folds_of_other_utterances_are_drawn_apart(tmp_path: Path) -> None:
    """With the same hits in both, the mean varies less than either fold, by the root of two."""
    right, labels = np.random.default_rng(3).random((2, 60)) < 0.6, [*"ab" * 30]
    runs = [
        written(tmp_path, fold, system, own, labels, first=f"{fold}-")
        for fold in "12"
        for system, own in zip((FULL, "x"), right, strict=True)
    ]
    widths = []
    for own in (runs[:2], runs):
        assert significance(tmp_path, tmp_path, own) == 0
        row = found_of(tmp_path)["x", "war"]
        widths.append(float(row["high"]) - float(row["low"]))
    assert widths[1] / widths[0] == pytest.approx(math.sqrt(0.5), rel=0.1)


def test_seeds_are_averaged_before_resampling(tmp_path: Path) -> None:
    """What one training gains on an utterance the other loses: nothing is left to vary."""
    half = np.arange(20) % 2 == 0
    runs = []
    for seed, right in ((1, half), (2, ~half)):
        runs.append(written(tmp_path, "1", FULL, right, [*"ab" * 10], seed))
        runs.append(written(tmp_path, "1", "rival", ~right, [*"ab" * 10], seed))
    assert significance(tmp_path, tmp_path, runs) == 0
    row = found_of(tmp_path)["rival", "war"]
    assert [row[key] for key in ("difference", "low", "high", "p", "seeds")] == ["0.00", "0.00", "0.00", "1.0000", "2"]
