from __future__ import annotations

import pytest

from cmarr.aggregate import ROWS, named
from cmarr.ranks import mean_ranks, ranks
from cmarr.terminal import WIDTH, section
from tests.cmarr.hand_made import scores_of, table_of

EIGHT = ("majority", "linear", "cra", "mmin", "if_mmin", "cif_mmin", "dicmor", "cm_arr")
LONG = (*EIGHT, "cm_arr-beta-0.5", "cm_arr-ablation-no_udcl-x_source-R", "a" * 150)
BELOW = ["UAR below that of linear: " + "cif_mmin (t, s, v, vt, sv, st), " * 6 + "cra (t)."]


def lines(systems: tuple[str, ...]) -> list[str]:
    table = table_of({system: {"t": 40.0 + place, "v": 61.004} for place, system in enumerate(systems)})
    found = ranks(table, "c", systems)
    last = [*mean_ranks(found, systems, ["uar"]), ["steps", *("123,456" for _ in systems)]]
    return section("c", systems, table, scores_of({system: {} for system in systems}), found, last, BELOW)


@pytest.mark.parametrize("systems", [EIGHT[:1], EIGHT[:3], EIGHT, LONG])
def test_no_line_is_too_long_and_nothing_is_lost(systems: tuple[str, ...]) -> None:
    text = lines(systems)
    assert max(map(len, text)) <= WIDTH
    assert all(line == line.rstrip() for line in text)
    heads = [line.split()[1:] for line in text if line.startswith("available")]
    assert [name for block in heads for name in block] == [name[:109] for name in systems]
    for label in (*map(named, ROWS), "steps"):
        cells = [line.split()[1:] for line in text if line.startswith(f"{label} ")]
        assert [len(block) for block in cells] == [len(block) for block in heads]
    words = " ".join(" ".join(text).split())
    assert words.startswith("c (synthetic): UAR in percent, * for the best of a row ")
    for part in (BELOW[0], "Note: the face model was never trained;", "2 folds, 1 seed.", "The data are synthetic"):
        assert part in words


def test_eight_systems_with_long_names_fit_into_one_block() -> None:
    text = lines(EIGHT)
    assert sum(line.startswith("available") for line in text) == 1
    start = text.index(next(line for line in text if line.startswith("available")))
    assert [line[:9].strip() for line in text[start : start + 11]] == [
        "available", "t", "s", "v", "v,t", "s,v", "s,t", "average", "s,v,t", "mean rank", "steps",
    ]  # fmt: skip


def test_the_best_of_a_row_is_marked_over_all_blocks() -> None:
    text = lines(LONG)
    cells = [cell for line in text if line.startswith("t ") for cell in line.split()[1:]]
    assert cells == [f"{40.0 + place:.1f}" for place in range(10)] + ["50.0*"]
    assert "*" not in "".join(line for line in text if line.startswith(("v ", "average ", "steps ")))


def test_a_block_can_be_read_in_columns() -> None:
    text = lines(EIGHT[:2])
    assert text[2:5] == [
        "available  majority    linear",
        "t             40.0      41.0*",
        "s             50.0      50.0",
    ]
    assert text[11:14] == [
        "mean rank     1.57      1.43",
        "steps      123,456   123,456",
        "",
    ]
