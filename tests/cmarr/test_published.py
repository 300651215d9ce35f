"""The published numbers, typed a second time, and the differences to them."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from cmarr.aggregate import CUT, FACTS, ROWS, Cell, Table, Values
from cmarr.published import DIFFERENCE_COLUMNS, PAPER_COLUMNS, differences, paper
from cmarr.vocabulary import MISSING_CONDITIONS
from extractors.files import write_csv

SYSTEMS = ("cra", "mmin", "if_mmin", "cif_mmin", "dicmor", "cm_arr")
TABLE_2 = {
    "iemocap": """
        t        31.15 27.96   67.49 68.46   66.58 67.51   67.97 68.93   68.83 70.15   69.74 70.92
        s        54.58 56.79   54.84 56.87   56.06 58.38   56.26 58.46   71.02 72.30   74.15 75.38
        v        53.31 51.17   53.17 50.28   53.11 51.28   51.40 51.39   51.60 49.03   54.06 52.42
        vt       31.66 28.42   72.98 73.60   72.61 73.14   73.00 74.12   72.14 73.36   73.04 74.09
        sv       63.12 63.93   64.03 64.71   64.80 66.49   66.03 67.17   72.28 73.49   75.51 76.38
        st       32.88 30.13   74.07 75.49   73.77 75.48   74.50 75.72   76.89 77.83   78.95 79.70
        average  44.45 43.07   64.43 64.90   64.48 65.38   64.86 65.96   68.79 69.36   70.90 71.48
        svt      -     -       77.17 77.89   77.97 78.58   79.26 80.34   78.36 79.80   79.86 81.06
    """,
    "msp_improv": """
        t        46.78 28.37   62.08 57.30   61.97 58.23   62.42 58.71   62.13 59.85   63.57 61.49
        s        37.90 38.96   51.60 43.35   50.46 40.45   50.66 40.37   52.78 47.17   55.55 50.87
        v        59.46 42.42   60.09 45.75   61.68 45.29   61.10 46.15   59.84 49.33   62.04 51.01
        vt       54.96 38.84   69.37 63.94   67.49 63.40   69.90 65.36   67.30 64.21   68.47 65.88
        sv       57.85 47.70   63.74 55.91   62.42 53.14   63.75 55.21   62.70 52.65   63.84 54.25
        st       48.57 37.97   64.00 60.98   63.25 59.91   63.78 60.80   67.92 65.37   69.49 66.85
        average  52.59 39.04   61.81 54.53   61.21 53.40   61.93 54.43   62.11 56.43   63.82 58.39
        svt      -     -       69.70 64.89   69.03 63.84   72.02 67.12   71.69 68.08   72.37 69.69
    """,
}


def typed() -> Iterator[tuple[tuple[str, str, str], tuple[str, str]]]:
    """(corpus, condition, system) and WAR, UAR of every cell that is not `-`."""
    for corpus, text in TABLE_2.items():
        for line in text.strip().splitlines():
            condition, *numbers = line.split()
            for system, war, uar in zip(SYSTEMS, numbers[::2], numbers[1::2], strict=True):
                if war != "-":
                    yield (corpus, condition, system), (war, uar)


def test_every_cell_is_the_published_one() -> None:
    rows = paper()
    found = {(row["corpus"], row["condition"], row["system"]): (row["war"], row["uar"]) for row in rows}
    assert found == dict(typed())
    assert len(rows) == len(found) == 2 * (8 * 6 - 1)
    assert all(tuple(row) == PAPER_COLUMNS for row in rows)
    assert {row["origin"] for row in rows} == {"published"}


def test_data_files_of_the_packages_are_installed_with_them() -> None:
    root = Path(__file__).parents[2]
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    files = [path for package in ("cmarr", "extractors") for path in (root / package).rglob("*") if path.is_file()]
    data = [path.name for path in files if path.suffix not in (".py", ".pyc")]
    assert {"published.csv", "weights.safetensors", "msp_improv_excluded.txt"} <= set(data)
    assert [name for name in data if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []


def test_averages_are_those_of_the_cells_but_for_the_one_with_a_remark() -> None:
    """The paper cuts off after two digits, so an average is up to 0.01 lower than that of the rounded cells."""
    rows = {(row["corpus"], row["system"], row["condition"]): row for row in paper()}
    remarked = [key for key, row in rows.items() if row["remark"]]
    assert remarked == [("msp_improv", "cra", "average")]
    assert rows[remarked[0]]["remark"] == "WAR as printed; the six entries average 50.92"
    for (corpus, system, condition), row in rows.items():
        if condition != "average":
            continue
        for metric in ("war", "uar"):
            cells = [float(rows[corpus, system, name][metric]) for name in MISSING_CONDITIONS]
            if (corpus, system, metric) == ("msp_improv", "cra", "war"):
                assert np.mean(cells) == pytest.approx(50.92, abs=0.005)
            else:
                assert float(row[metric]) == pytest.approx(np.mean(cells), abs=0.0101)


def own(*keys: tuple[str, str]) -> Table:
    """A WAR of 60 +- 1 and a UAR of 50.004 in two folds, for (corpus, system) under all conditions."""
    cell = Cell(Values({"1": 59.0, "2": 61.0}, {}), Values({"1": 50.004, "2": 50.004}, {}))
    return {(*key, condition): cell for key in keys for condition in ROWS}


def scores(corpus: str, system: str, origin: str, notes: str = "") -> dict[str, str]:
    return dict.fromkeys(FACTS, "x") | {"corpus": corpus, "system": system, "origin": origin, "notes": notes}


def test_differences_are_to_the_cell_of_the_same_type_system_and_condition(tmp_path: Path) -> None:
    pairs = [("mine", "cm_arr"), ("mine", "cra"), ("mine", "baseline"), ("mine", "cm_arr-beta-0.5"), ("clips", "mmin")]
    pairs += [("other", "cra")]
    about = [scores(*pair, "release", "a note") for pair in pairs]
    found = differences(own(*pairs), about, {"mine": "iemocap", "clips": "table", "other": "msp_improv"})
    assert all(set(row) == set(DIFFERENCE_COLUMNS) for row in found)
    rows = {(row["corpus"], row["system"], row["condition"]): row for row in found}
    assert set(rows) == {
        (corpus, system, condition)
        for corpus, system in (("mine", "cm_arr"), ("mine", "cra"), ("other", "cra"))
        for condition in ROWS if (system, condition) != ("cra", "svt")
    }  # fmt: skip
    row = rows["mine", "cm_arr", "st"]
    assert (row["war"], row["war_published"], row["war_difference"]) == ("60.00", "78.95", "-18.95")
    assert (row["uar"], row["uar_published"], row["uar_difference"]) == ("50.00", "79.70", "-29.70")
    assert (row["uar_difference_low"], row["uar_difference_high"]) == ("-29.70", "-29.70")
    low, high = scipy.stats.t.interval(0.95, 1, loc=60, scale=1)  # of 59 and 61
    ends = [float(row[f"war_difference_{end}"]) for end in ("low", "high")]
    assert ends == pytest.approx([low - 78.95, high - 78.95], abs=0.006)
    assert (row["type"], row["notes"], row["remark"]) == ("iemocap", "a note", "")
    row = rows["other", "cra", "average"]
    assert (row["war_difference"], row["uar_difference"], row["type"]) == ("7.41", "10.96", "msp_improv")
    assert row["remark"].startswith("WAR as printed")
    write_csv(tmp_path / "difference.csv", DIFFERENCE_COLUMNS, found)


def test_differences_of_other_data_say_that_they_say_nothing() -> None:
    caution = "the data are composite: differences to the paper say nothing"
    for notes, wanted in (("", caution), ("a note", f"a note; {caution}")):
        found = differences(own(("mine", "mmin")), [scores("mine", "mmin", "composite", notes)], {"mine": "msp_improv"})
        assert {(row["origin"], row["notes"]) for row in found} == {("composite", wanted)}
        assert len(found) == 8


def test_intervals_of_differences_stay_within_what_is_possible() -> None:
    """Between 0 and 100 less the printed score; one fold alone has none."""
    cells = {
        folds: Values({str(place): value for place, value in enumerate(folds)}, {}) for folds in ((40.0, 99.0), (40.0,))
    }
    for folds, values in cells.items():
        table = {("mine", "cm_arr", condition): Cell(values, values) for condition in ROWS}
        row = differences(table, [scores("mine", "cm_arr", "release")], {"mine": "iemocap"})[0]
        assert (row["condition"], row["war_published"]) == ("t", "69.74")
        ends = [row["war_difference_low"], row["war_difference_high"]]
        assert ends == (["-69.74", "30.26"] if len(folds) > 1 else ["", ""])
        assert (row["notes"] == CUT) == (len(folds) > 1)
