"""Significance of results that are written by hand, whose differences are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cmarr.significance import draw, hints
from cmarr.verdict import UNTESTED, verdict
from extractors.files import read_csv, read_json, write_json
from tests.cmarr.significance_runs import FULL, found_of, significance, written


def test_one_fold_and_seed_with_a_twin_and_a_bad_rival(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    labels = [*"ab" * 30]
    ours = rng.random(60) < 0.9
    runs = [written(tmp_path, "1", name, right, labels) for name, right in (
        ("twin", ours), (FULL, ours), ("bad", rng.random(60) < 0.3), ("none", np.zeros(60, bool))
    )]  # fmt: skip
    assert significance(tmp_path, tmp_path, runs, "--draws", "1999") == 0
    found = found_of(tmp_path)
    for metric in ("war", "uar"):
        twin, bad = found["twin", metric], found["bad", metric]
        assert [twin[key] for key in ("difference", "low", "high")] == ["0.00"] * 3
        assert [twin[key] for key in ("p", "p_holm", "at_floor", "significant")] == [*["1.000000"] * 2, *["no"] * 2]
        assert [bad[key] for key in ("p", "at_floor", "significant")] == ["0.001000", "yes", "yes"]  # 2 / 2000
        assert bad["p_holm"] == "0.021000"  # times 21, the secondary tests of three rivals by UAR
        assert (bad["folds"], bad["seeds"], bad["utterances"]) == ("1", "1", "60")
    assert [row["system"] for row in read_csv(tmp_path / "significance.csv")][::8] == 2 * ["twin", "bad", "none"]


@pytest.mark.parametrize("labels", ["ab" * 10, "aab" * 6])
def test_war_repeats_uar_where_classes_are_equally_frequent(tmp_path: Path, labels: str) -> None:
    rng = np.random.default_rng(4)
    runs = [written(tmp_path, "1", name, rng.random(len(labels)) < 0.6, [*labels]) for name in (FULL, "x")]
    assert significance(tmp_path, tmp_path, runs) == 0
    rows = read_csv(tmp_path / "significance.csv")
    pairs = [[row | {"metric": "", "family": ""} for row in rows if row["metric"] == name] for name in ("war", "uar")]
    balanced = labels.count("a") == labels.count("b")
    assert (pairs[0] == pairs[1]) == balanced
    families = [row["family"] for row in rows]
    assert families.count("primary") == 1
    assert families.count("repeated") == (8 if balanced else 0)
    assert ("Classes are equally frequent, so that WAR is UAR" in verdict(rows, "toy")[1]) == balanced


def test_dialogues_are_drawn_as_a_whole(tmp_path: Path) -> None:
    """All twelve utterances of a dialogue are alike, so that there is as much to know as in one of each."""
    right = [np.random.default_rng(seed).random(20) < share for seed, share in ((1, 0.7), (2, 0.4))]
    widths = []
    for repeats in (1, 12):
        runs = [
            written(tmp_path, "1", name, own.repeat(repeats), [*"a" * 20 * repeats], per_dialogue=repeats)
            for name, own in zip((FULL, "x"), right, strict=True)
        ]
        assert significance(tmp_path, tmp_path, runs) == 0
        row = found_of(tmp_path)["x", "war"]
        assert (row["units"], row["utterances"]) == ("20", str(20 * repeats))
        widths.append(float(row["high"]) - float(row["low"]))
    assert widths[0] == pytest.approx(widths[1], rel=0.05)
    assert significance(tmp_path, tmp_path, runs, "--unit", "utterance") == 0
    row = found_of(tmp_path)["x", "war"]
    assert float(row["high"]) - float(row["low"]) < 0.4 * widths[0]


@pytest.mark.parametrize("other", [None, 6, 20])
def test_too_few_dialogues_are_not_tested_and_end_nothing(tmp_path: Path, other: int | None) -> None:
    """`other`: dialogues of a second corpus, which is tested."""
    right, labels = np.ones(80, bool), [*"ab" * 40]
    runs = [written(tmp_path, "1", name, right[:20], labels[:20], per_dialogue=4) for name in (FULL, "x")]
    if other:
        size = 4 * other
        runs += [
            written(tmp_path, "1", name, right[:size], labels[:size], per_dialogue=4, corpus="more")
            for name in (FULL, "x")
        ]
    assert significance(tmp_path, tmp_path, runs) == 0
    first, *tested = read_csv(tmp_path / "significance.csv")
    known = {"corpus": "toy", "system": "", "family": UNTESTED, "unit": "dialogue", "units": "5", "p": ""}
    assert {key: first[key] for key in known} == known
    assert first["origin"] == "release"
    assert [row["corpus"] for row in tested] == ["more"] * (16 if other else 0)
    assert {row["few_units"] for row in tested} == ({"yes" if other < 20 else "no"} if other else set())
    assert hints([first, *tested]) == ["more: only 6 dialogues: p-values are too small; read them as hints"] * (
        other == 6
    )
    panels = draw([first, *tested]).axes
    for panel in panels[:2]:
        assert " ".join(panel.texts[0].get_text().split()).startswith("Not tested: 5 dialogues, 6 is the least; ")
        assert not panel.lines
    assert all(panel.lines and not panel.texts for panel in panels[2:])
    assert (tmp_path / "significance.png").stat().st_size > 10_000
    assert significance(tmp_path, tmp_path, runs, "--unit", "utterance") == 0
    assert UNTESTED not in {row["family"] for row in read_csv(tmp_path / "significance.csv")}


def test_majority_is_no_rival_and_linear_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [written(tmp_path, "1", name, np.ones(8, bool), [*"abababab"]) for name in (FULL, "majority", "linear")]
    assert significance(tmp_path, tmp_path, runs) == 0
    assert {row["system"] for row in read_csv(tmp_path / "significance.csv")} == {"linear"}
    assert significance(tmp_path, tmp_path, runs[:2]) == 1
    assert "needs runs of baseline and of another system" in capsys.readouterr().err


def test_folds_weigh_the_same_and_a_class_may_be_in_one_only(tmp_path: Path) -> None:
    """Fold 1: ours is right twice as often. Fold 2 has no `b`, nine times the utterances, and no difference."""
    few, many = np.tile([True, True, True, False], 2), np.ones(72, bool)
    runs = []
    for system, right in ((FULL, few), ("rival", few & np.tile([True, False, False, False], 2))):
        runs += [written(tmp_path, "1", system, right, [*"aabb" * 2]), written(tmp_path, "2", system, many, ["a"] * 72)]
    assert significance(tmp_path, tmp_path, runs) == 0
    found = found_of(tmp_path)
    assert found["rival", "war"]["difference"] == "25.00"
    assert found["rival", "uar"]["difference"] == "25.00"
    assert (found["rival", "war"]["utterances"], found["rival", "war"]["draws"]) == ("80", "4000")
    assert 0 <= float(found["rival", "uar"]["low"]) < 10


def test_what_either_system_says_about_itself_is_kept(tmp_path: Path) -> None:
    runs = [written(tmp_path, "1", system, np.arange(8) < hits, [*"ab" * 4]) for system, hits in ((FULL, 8), ("x", 4))]
    for name, about in zip(runs, ({"speech": "wav2vec2"}, {"notes": ["odd"]}), strict=True):
        path = tmp_path / f"models/{name}/record.json"
        write_json(path, read_json(path) | about)
    assert significance(tmp_path, tmp_path, runs) == 0
    row = found_of(tmp_path)["x", "war"]
    assert (row["speech"], row["notes"], row["protocol"]) == ("wav2vec2, logmel", "odd", "clean")


def test_variants_of_the_system_itself_are_no_rivals(tmp_path: Path) -> None:
    systems = (FULL, f"{FULL}-size-lite", "other")
    runs = [written(tmp_path, "1", system, np.arange(8) < 4, [*"ab" * 4]) for system in systems]
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
    assert [row[key] for key in ("difference", "low", "high", "p", "seeds")] == [
        "0.00",
        "0.00",
        "0.00",
        "1.000000",
        "2",
    ]
