from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from cmarr.aggregate import ROWS
from cmarr.scores import UNITS
from cmarr.significance import draw
from cmarr.vocabulary import MISSING_CONDITIONS
from extractors.files import read_csv, write_csv
from tests.cmarr.random_results import CORPORA, NOTES, RUNS, SEEDS, SPEECH, SYSTEMS, guessed, random_results, recomputed
from tests.cmarr.significance_runs import FULL, significance, written

RIVALS = SYSTEMS[1:]
DRAWS = 2000


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """random_results with significance.csv and significance.png."""
    folder = random_results(tmp_path_factory)
    assert significance(folder, folder, RUNS, "--draws", str(DRAWS)) == 0
    return folder


def slow(folder: Path, corpus: str, rival: str, condition: str, draws: int) -> np.ndarray:
    """WAR and UAR differences (draws, 2) of resampled folds, one dialogue and one utterance at a time.

    Stretched from the normal distribution to that of t, with one degree less than dialogues in every fold.
    """
    rng = np.random.default_rng(1)
    names = MISSING_CONDITIONS if condition == "average" else (condition,)
    folds = CORPORA[corpus][1]
    total = np.zeros((draws + 1, 2))
    for fold in folds:
        first = pd.read_csv(folder / f"predictions/{corpus}/{FULL}/fold{fold}/seed{SEEDS[0]}/t.csv")
        own = [list(group.index) for _, group in first.groupby("dialogue")]
        for drawing in range(draws + 1):
            dialogues = rng.integers(len(own), size=len(own) - 1) if drawing else range(len(own))  # the first: all
            chosen = [place for dialogue in dialogues for place in own[dialogue]]
            for sign, system in ((1, FULL), (-1, rival)):
                for seed in SEEDS:
                    for name in names:
                        labels, guesses = guessed(folder, f"{corpus}/{system}/fold{fold}/seed{seed}", name)
                        hits: dict[str, list[bool]] = {}
                        for place in chosen:
                            hits.setdefault(labels[place], []).append(labels[place] == guesses[place])
                        war = sum(map(sum, hits.values())) / len(chosen)
                        uar = sum(sum(own) / len(own) for own in hits.values()) / len(hits)
                        weight = sign * 100 / len(folds) / len(SEEDS) / len(names)
                        total[drawing] += weight * np.array([war, uar])
    stretch = scipy.stats.t(7 * len(folds)).ppf(0.975) / scipy.stats.norm.ppf(0.975)
    return total[0] + stretch * (total[1:] - total[0])


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_difference_follows_from_the_prediction_files(results: Path, corpus: str) -> None:
    rows = pd.read_csv(results / "significance.csv").set_index(["corpus", "system", "condition", "metric"])
    assert len(rows) == len(CORPORA) * len(RIVALS) * len(ROWS) * 2
    for rival in RIVALS:
        for condition in ROWS:
            names = MISSING_CONDITIONS if condition == "average" else (condition,)
            ours, theirs = (recomputed(results, corpus, system, names).mean(axis=(0, 1)) for system in (FULL, rival))
            for metric, difference in zip(("war", "uar"), ours - theirs, strict=True):
                row = rows.loc[(corpus, rival, condition, metric)]
                assert row["difference"] == pytest.approx(difference, abs=0.006)
                assert row["low"] < row["difference"] < row["high"]
                assert (row["full"], row["draws"], row["utterances"]) == (FULL, DRAWS, 30 * len(CORPORA[corpus][1]))
                assert (row["unit"], row["units"]) == ("dialogue", 8 * len(CORPORA[corpus][1]))
                assert row["strata"] == row["folds"]
                assert (row["folds"], row["seeds"], row["origin"]) == (len(CORPORA[corpus][1]), len(SEEDS), "synthetic")
                assert (row["notes"], row["speech"]) == ("; ".join(NOTES[corpus]), SPEECH)


@pytest.mark.parametrize(
    ("corpus", "rival", "condition"), [("clips", "cm_arr-beta-0.5", "average"), ("toy", "cm_arr", "st")]
)
def test_intervals_and_p_are_those_of_a_slow_loop(results: Path, corpus: str, rival: str, condition: str) -> None:
    draws = 150 if condition == "average" else 400
    rows = pd.read_csv(results / "significance.csv").set_index(["corpus", "system", "condition", "metric"])
    for place, metric in enumerate(("war", "uar")):
        row = rows.loc[(corpus, rival, condition, metric)]
        found = slow(results, corpus, rival, condition, draws)[:, place]
        deviation, width = found.std(ddof=1), (row["high"] - row["low"]) / 2 / 1.96
        assert width == pytest.approx(deviation, rel=4 / math.sqrt(2 * draws))
        assert (row["low"] + row["high"]) / 2 == pytest.approx(found.mean(), abs=5 * deviation / math.sqrt(draws))
        share = 2 * min(np.mean(found <= 1e-9), np.mean(found >= -1e-9))
        assert row["p"] == pytest.approx(min(1, share), abs=4 * math.sqrt(1 / draws))


def test_the_average_uar_is_the_primary_family_and_all_else_the_secondary_one(results: Path) -> None:
    rows = pd.read_csv(results / "significance.csv")
    primary = (rows["metric"] == "uar") & (rows["condition"] == "average")
    assert list(rows["family"]) == ["primary" if own else "secondary" for own in primary]
    for (_, family), group in rows.groupby(["corpus", "family"]):
        assert len(group) == len(RIVALS) * (1 if family == "primary" else 2 * len(ROWS) - 1)
        wanted = multipletests(group["p"], method="holm")[1]
        np.testing.assert_allclose(group["p_holm"], wanted, atol=len(group) * 1e-6)
        assert (group["p_holm"] >= group["p"]).all()
    assert set(rows["significant"]) <= {"yes", "no"}
    assert ((rows["p_holm"] < 0.05) == (rows["significant"] == "yes")).all()
    assert ((rows["p"] < 2.5 / (DRAWS + 1)) == (rows["at_floor"] == "yes")).all()


def test_a_corpus_has_the_same_numbers_whatever_else_is_compared(results: Path, tmp_path: Path) -> None:
    draws = ("--draws", str(DRAWS))
    assert significance(results, tmp_path, [name for name in RUNS if name.startswith("clips")], *draws) == 0
    both = (results / "significance.csv").read_text().splitlines()
    assert (tmp_path / "significance.csv").read_text().splitlines()[1:] == [row for row in both if row[:5] == "clips"]
    assert significance(results, tmp_path, RUNS, *draws, "--seed", "2") == 0
    other = read_csv(tmp_path / "significance.csv")
    for one, two in zip(read_csv(results / "significance.csv"), other, strict=True):
        assert one["difference"] == two["difference"]
    assert [row["low"] for row in other] != [row["low"] for row in read_csv(results / "significance.csv")]


@pytest.mark.parametrize(
    ("kept", "more", "message"),
    [
        (lambda name: "baseline/" not in name, [], "--runs: toy needs runs of baseline and of another system"),
        (lambda name: "baseline/" in name, [], "--runs: toy needs runs of baseline and of another system"),
        (lambda name: name != RUNS[0], [], "cm_arr-beta-0.5 and baseline have not the same folds and seeds on toy"),
        (
            lambda _: True,
            ["--draws", "1199"],
            "--draws: 30 corrected p-values of 1199 draws are never below 0.05; 1200 is the least",
        ),
    ],
)
def test_what_cannot_be_compared_is_a_user_error(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kept, more: list[str], message: str
) -> None:
    assert significance(results, tmp_path, [*filter(kept, RUNS)], *more) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not (tmp_path / "significance.csv").exists()


@pytest.mark.parametrize("change", ["label", "utterance", "dialogue", "speaker"])
def test_files_of_other_utterances_are_a_user_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    labels, right = [*"abab"], np.ones(4, bool)
    runs = [written(tmp_path, "1", system, right, labels) for system in (FULL, "rival")]
    path = tmp_path / f"predictions/{runs[1]}/v.csv"
    rows = read_csv(path)
    rows[2][change] = {"label": "b"}.get(change, "other")
    write_csv(path, list(rows[0]), rows)
    assert significance(tmp_path, tmp_path, runs) == 1
    assert f"{path}: other utterances or labels" in capsys.readouterr().err


def test_enough_draws_are_those_with_which_p_can_be_small(results: Path, tmp_path: Path) -> None:
    assert 2 * 30 / (1200 + 1) < 0.05 <= 2 * 30 / (1199 + 1)
    assert significance(results, tmp_path, RUNS, "--draws", "1200") == 0


def test_units_are_dialogues_unless_others_are_asked_for(results: Path, tmp_path: Path) -> None:
    found, runs = {}, [name for name in RUNS if name.startswith("toy")]
    for unit in UNITS:
        assert significance(results, tmp_path, runs, "--unit", unit, "--draws", str(DRAWS)) == 0
        found[unit] = read_csv(tmp_path / "significance.csv")
    default = [row for row in read_csv(results / "significance.csv") if row["corpus"] == "toy"]
    assert found["dialogue"] == default
    assert [row["low"] for row in found["utterance"]] != [row["low"] for row in default]
    assert [row["difference"] for row in found["utterance"]] == [row["difference"] for row in default]
    shapes = {unit: {(row["unit"], row["units"], row["strata"], row["folds"]) for row in found[unit]} for unit in UNITS}
    assert shapes == {
        "dialogue": {("dialogue", "24", "3", "3")},
        "speaker": {("speaker", "6", "1", "3")},
        "utterance": {("utterance", "90", "3", "3")},
    }


def test_the_figure_shows_every_difference(results: Path) -> None:
    from matplotlib.colors import to_hex
    from PIL import Image

    rows = read_csv(results / "significance.csv")
    rows[3]["significant"] = "yes"
    panels = draw(rows).axes
    places = [(corpus, metric) for corpus in CORPORA for metric in ("war", "uar")]
    for (corpus, metric), panel in zip(places, panels, strict=True):
        own = [each for each in rows if (each["corpus"], each["metric"]) == (corpus, metric)]
        marks = [line for line in panel.lines if line.get_marker() not in ("None", None, "")]
        bars = [line for line in panel.lines if line.get_linestyle() == "-" and line not in marks]
        assert [float(mark.get_ydata()[0]) for mark in marks] == [float(each["difference"]) for each in own]
        assert [list(bar.get_ydata()) for bar in bars] == [[float(each["low"]), float(each["high"])] for each in own]
        assert "primary tests" in panel.get_legend_handles_labels()[1] or metric == "war"
        hollow = [to_hex(mark.get_markerfacecolor()) == "#ffffff" for mark in marks]
        assert hollow == [each["significant"] == "no" for each in own]
        assert [round(float(mark.get_xdata()[0])) for mark in marks] == [ROWS.index(each["condition"]) for each in own]
    assert "intervals over dialogues" in panels[-1].get_xlabel()
    assert (
        panels[0].get_title(loc="left").startswith("toy (synthetic), protocol paper_besttest, encoders frozen, speech")
    )
    with Image.open(results / "significance.png") as picture:
        assert picture.info["Description"] == "origin: synthetic"
