from __future__ import annotations

from cmarr.aggregate import ROWS, Cell, Table, Values
from cmarr.ranks import mean_ranks, places, ranks


def table(**war: float) -> Table:
    """Systems of one fold; the UAR is 100 less the WAR, under `svt` both are the same for all."""
    found = {}
    for system, value in war.items():
        for condition in ROWS:
            own = 50.0 if condition == "svt" else value
            found["c", system, condition] = Cell(Values({"1": own}, {}), Values({"1": 100 - own}, {}))
    return found


def test_the_best_is_first_and_ties_share_the_mean_rank() -> None:
    found = ranks(table(a=70, b=80.001, d=60, e=80.004, f=75), "c", ["a", "b", "d", "e", "f"])
    assert [found[system, "t", "war"] for system in "abdef"] == [4, 1.5, 5, 1.5, 3]  # both print as 80.00
    assert [found[system, "average", "uar"] for system in "abdef"] == [2, 4.5, 1, 4.5, 3]
    assert {found[system, "svt", "war"] for system in "abdef"} == {3}


def test_the_row_of_mean_ranks_is_over_the_seven_conditions() -> None:
    found = ranks(table(a=70, b=80), "c", ["b", "a"])
    war, uar = (6 * 1 + 1.5) / 7, (6 * 2 + 1.5) / 7  # of b
    assert mean_ranks(found, ["b", "a"]) == [["mean rank", f"{war:.2f} / {uar:.2f}", f"{uar:.2f} / {war:.2f}"]]
    assert mean_ranks(ranks(table(a=70), "c", ["a"]), ["a"]) == []


def test_best_and_second_best_are_told_from_the_others() -> None:
    found = ranks(table(a=70, b=80, d=80, e=70, f=60), "c", list("abdef"))
    assert places(found, "t", "war") == (1.5, 3.5)
    assert places(found, "t", "uar") == (1, 2.5)
    assert places(found, "svt", "war") == (0, 0)
    assert places(ranks(table(a=70), "c", ["a"]), "t", "war") == (0, 0)
