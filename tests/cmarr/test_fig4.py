from __future__ import annotations

from pathlib import Path

import pytest

from cmarr.__main__ import VERBS
from cmarr.aggregate import ONE_SEED, cells
from cmarr.fig4 import draw, sweeps
from extractors.console import run
from extractors.files import read_csv, write_csv
from tests.cmarr.random_results import NOTES, random_results, recomputed

DEFAULTS = {"alpha": 1.0, "lambda_rec": 10.0, "beta": 0.1}
MISSING = ("t", "s", "v", "vt", "sv", "st")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores of one corpus."""
    rows = [row for row in read_csv(random_results(tmp_path_factory) / "scores.csv") if row["corpus"] == "toy"]
    path = tmp_path_factory.mktemp("fig4") / "scores.csv"
    write_csv(path, list(rows[0]), rows)
    return path


def fig4(scores: Path, out: Path, system: str = "cm_arr", defaults: tuple[str, ...] = ("alpha=1.0", "beta=0.1")) -> int:
    files = ["--out-csv", str(out / "fig4.csv"), "--out-figure", str(out / "fig4.png")]
    values = ["--defaults", *defaults, "lambda_rec=10.0"]
    return run("cmarr", VERBS, ["fig4", "--scores", str(scores), "--system", system, *values, *files])


def test_a_panel_takes_what_differs_in_its_parameter_alone_and_the_default() -> None:
    names = ["cm_arr-alpha-5", "cm_arr-alpha-0.5", "cm_arr", "baseline", "cm_arr-alpha-0-beta-0", "cm_arr-width-32"]
    found = sweeps([*names, "cm_arr-lambda_rec-50", "cm_arr-ablation-point", "cm_arr-beta-0.05"], "cm_arr", DEFAULTS)
    assert {name: list(sweep.items()) for name, sweep in found.items()} == {
        "alpha": [(0.5, "cm_arr-alpha-0.5"), (1.0, "cm_arr"), (5.0, "cm_arr-alpha-5")],
        "lambda_rec": [(10.0, "cm_arr"), (50.0, "cm_arr-lambda_rec-50")],
        "beta": [(0.05, "cm_arr-beta-0.05"), (0.1, "cm_arr")],
    }


def test_numbers_are_averages_over_the_missing_conditions(scores: Path, tmp_path: Path) -> None:
    from PIL import Image

    assert fig4(scores, tmp_path) == 0
    rows = read_csv(tmp_path / "fig4.csv")
    assert [(row["parameter"], row["value"], row["system"]) for row in rows] == [
        ("alpha", "1", "cm_arr"), ("lambda_rec", "10", "cm_arr"), ("beta", "0.1", "cm_arr"),
        ("beta", "0.5", "cm_arr-beta-0.5"),
    ]  # fmt: skip
    source = scores.parent.parent / "random_results"
    for row in rows:
        war, uar = recomputed(source, "toy", row["system"], MISSING).mean(axis=(0, 1))
        assert (float(row["war_mean"]), float(row["uar_mean"])) == pytest.approx((war, uar), abs=0.006)
        assert float(row["uar_low"]) < float(row["uar_mean"]) < float(row["uar_high"])
        assert (row["folds"], row["seeds"], row["protocol"]) == ("3", "2", "paper_besttest")
        assert (row["origin"], row["notes"]) == ("synthetic", "; ".join(NOTES["toy"]))
    with Image.open(tmp_path / "fig4.png") as picture:
        assert picture.info["Description"] == "origin: synthetic"


@pytest.mark.parametrize("seeds", [("1",), ("1", "2")])
def test_the_title_says_when_there_is_one_seed(
    scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: tuple[str, ...]
) -> None:
    rows = [row for row in read_csv(scores) if row["seed"] in seeds]
    write_csv(tmp_path / "scores.csv", list(rows[0]), rows)
    titles = []
    monkeypatch.setattr("cmarr.fig4.save", lambda figure, path, title, notes, origin: titles.append(title))
    assert fig4(tmp_path / "scores.csv", tmp_path) == 0
    assert [ONE_SEED in title for title in titles] == [len(seeds) == 1]


def test_the_picture_has_three_panels_with_the_default_marked(scores: Path) -> None:
    table = cells(read_csv(scores))
    chosen = {system: table["toy", system, "average"] for system in ("cm_arr", "cm_arr-beta-0.5")}
    panels = draw(sweeps([*chosen], "cm_arr", DEFAULTS), chosen, "cm_arr").axes
    assert [[text.get_text() for text in panel.get_xticklabels()] for panel in panels] == [
        ["1"],
        ["10"],
        ["0.1", "0.5"],
    ]
    for panel in panels:
        marks = [line for line in panel.lines if line.get_label() == "default"]
        assert [list(mark.get_xdata()) for mark in marks] == [[0, 0]]
        assert [bars.get_label() for bars in panel.containers] == ["WAR", "UAR"]


def test_one_fold_has_no_error_bars(scores: Path, tmp_path: Path) -> None:
    rows = [row for row in read_csv(scores) if row["fold"] == "1"]
    write_csv(tmp_path / "scores.csv", list(rows[0]), rows)
    assert fig4(tmp_path / "scores.csv", tmp_path) == 0
    assert {row["war_low"] for row in read_csv(tmp_path / "fig4.csv")} == {""}


def test_wrong_input_is_a_user_error(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fig4(scores, tmp_path, system="mmin") == 1
    assert "needs one corpus and mmin in it" in capsys.readouterr().err
    assert fig4(scores, tmp_path, defaults=("alpha=1",)) == 1
    assert "give the value of beta too" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        fig4(scores, tmp_path, defaults=("gamma=1",))
    assert not (tmp_path / "fig4.csv").exists()
