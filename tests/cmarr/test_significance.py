from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmarr.__main__ import VERBS
from cmarr.aggregate import ROWS
from cmarr.bootstrap import holm
from cmarr.significance import COLUMNS, draw, verdict
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, read_json, write_csv, write_json
from tests.cmarr.random_results import CORPORA, NOTES, RUNS, SEEDS, SPEECH, SYSTEMS, guessed, random_results, recomputed

FULL, RIVALS = "baseline", SYSTEMS[1:]
DRAWS = 2000


def significance(results: Path, out: Path, runs: list[str], *more: str, predictions: Path | None = None) -> int:
    made = ["--models", str(results / "models"), "--predictions", str(predictions or results / "predictions")]
    files = ["--out", str(out / "significance.csv"), "--figure", str(out / "significance.png")]
    return run("cmarr", VERBS, ["significance", *made, "--runs", *runs, "--full", FULL, *files, *more])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """random_results with significance.csv and significance.png."""
    folder = random_results(tmp_path_factory)
    assert significance(folder, folder, RUNS, "--draws", str(DRAWS)) == 0
    return folder


def slow(folder: Path, corpus: str, rival: str, condition: str, draws: int) -> np.ndarray:
    """WAR and UAR differences (draws, 2) of resampled folds, one utterance at a time."""
    rng = np.random.default_rng(1)
    names = MISSING_CONDITIONS if condition == "average" else (condition,)
    total = np.zeros((draws, 2))
    for fold in CORPORA[corpus][1]:
        for drawing in range(draws):
            chosen = rng.integers(30, size=30)
            for sign, system in ((1, FULL), (-1, rival)):
                for seed in SEEDS:
                    for name in names:
                        labels, guesses = guessed(folder, f"{corpus}/{system}/fold{fold}/seed{seed}", name)
                        hits: dict[str, list[bool]] = {}
                        for place in chosen:
                            hits.setdefault(labels[place], []).append(labels[place] == guesses[place])
                        war = sum(map(sum, hits.values())) / len(chosen)
                        uar = sum(sum(own) / len(own) for own in hits.values()) / len(hits)
                        weight = sign * 100 / len(CORPORA[corpus][1]) / len(SEEDS) / len(names)
                        total[drawing] += weight * np.array([war, uar])
    return total


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


def test_holm_corrects_for_all_systems_and_conditions_of_a_corpus_and_metric(results: Path) -> None:
    rows = pd.read_csv(results / "significance.csv")
    for _, group in rows.groupby(["corpus", "metric"]):
        assert len(group) == len(RIVALS) * len(ROWS)
        wanted = holm(group["p"].to_numpy())
        np.testing.assert_allclose(group["p_holm"], wanted, atol=len(group) * 6e-5)
        assert (group["p_holm"] >= group["p"]).all()
    assert set(rows["significant"]) <= {"yes", "no"}
    assert ((rows["p_holm"] < 0.05) == (rows["significant"] == "yes")).all()


def written(
    folder: Path, fold: str, system: str, right: np.ndarray, labels: list[str], seed: int = 1, first: str = "u"
) -> str:
    """A run that recognises the utterances that are `right`, under every condition; `first` begins their names."""
    name = f"toy/{system}/fold{fold}/seed{seed}"
    record = {
        "corpus": "toy", "system": system, "fold": fold, "seed": seed, "protocol": "clean", "choice": "validation",
        "encoders": "frozen", "speech": "logmel", "origin": "release", "notes": [], "classes": ["a", "b"],
    }  # fmt: skip
    write_json(folder / f"models/{name}/record.json", record)
    rows = [
        {
            "utterance": f"{first}{len(labels)}-{place}",
            "label": label,
            "p_a": str(int((label == "a") == hit)),
            "p_b": "0.5",
        }
        for place, (label, hit) in enumerate(zip(labels, right, strict=True))
    ]
    for condition in CONDITIONS:
        write_csv(folder / f"predictions/{name}/{condition}.csv", list(rows[0]), rows)
    return name


def found_of(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Rows of the condition `t` by system and metric."""
    rows = read_csv(folder / "significance.csv")
    return {(row["system"], row["metric"]): row for row in rows if row["condition"] == "t"}


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
            ["--draws", "639"],
            "--draws: 16 corrected p-values of 639 draws are never below 0.05; use 640",
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


@pytest.mark.parametrize("change", ["label", "utterance"])
def test_files_of_other_utterances_are_a_user_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    labels, right = [*"abab"], np.ones(4, bool)
    runs = [written(tmp_path, "1", system, right, labels) for system in (FULL, "rival")]
    path = tmp_path / f"predictions/{runs[1]}/v.csv"
    rows = read_csv(path)
    rows[2][change] = {"label": "b", "utterance": "other"}[change]
    write_csv(path, list(rows[0]), rows)
    assert significance(tmp_path, tmp_path, runs) == 1
    assert f"{path}: other utterances or labels" in capsys.readouterr().err


def test_enough_draws_are_those_with_which_p_can_be_small(results: Path, tmp_path: Path) -> None:
    assert 2 * 16 / (640 + 1) < 0.05 <= 2 * 16 / (639 + 1)
    assert significance(results, tmp_path, RUNS, "--draws", "640") == 0


def row(system: str, metric: str, significant: str, condition: str = "average", corpus: str = "toy") -> dict[str, str]:
    low, high = ("1.00", "3.00") if significant == "yes" else ("-1.00", "2.00")
    values = {"difference": "1.50", "low": low, "high": high, "full": FULL, "draws": "10000"}
    where = {"corpus": corpus, "system": system, "condition": condition, "metric": metric, "significant": significant}
    return dict.fromkeys(COLUMNS, "") | values | where


def test_the_verdict_names_what_is_significant_and_what_is_not() -> None:
    rows = [row(system, metric, "yes" if (system, metric) != ("mmin", "uar") else "no")
            for system in ("cra", "mmin") for metric in ("war", "uar")]  # fmt: skip
    rows += [row("cra", "war", "no", "t"), row("dicmor", "war", "no", corpus="clips")]
    (line,) = verdict(rows, "toy")
    assert line.startswith(
        f"{FULL} on the average: WAR significant against cra (+1.50 [1.00, 3.00]), mmin (+1.50 [1.00, 3.00]); "
        "UAR significant against cra (+1.50 [1.00, 3.00]); UAR not significant against mmin (+1.50 [-1.00, 2.00]). "
    )
    assert "10000 draws" in line
    assert "over test utterances" in line
    assert "other trainings, speakers and corpora are not covered" in line
    assert verdict(rows, "clips")[0].startswith(f"{FULL} on the average: WAR not significant against dicmor (+1.50")
    assert verdict(rows, "other") == verdict([], "toy") == []


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
        hollow = [to_hex(mark.get_markerfacecolor()) == "#ffffff" for mark in marks]
        assert hollow == [each["significant"] == "no" for each in own]
        assert [round(float(mark.get_xdata()[0])) for mark in marks] == [ROWS.index(each["condition"]) for each in own]
    assert (
        panels[0].get_title(loc="left").startswith("toy (synthetic), protocol paper_besttest, encoders frozen, speech")
    )
    with Image.open(results / "significance.png") as picture:
        assert picture.info["Description"] == "origin: synthetic"
