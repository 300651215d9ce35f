from __future__ import annotations

from cmarr.budget import budget_of, budgets, lines, sentences
from tests.cmarr.hand_made import scores_of

TRAINED = {"trials": 20, "epochs": 30, "steps": 1200, "parameters": 1234567, "candidates": ""}
LINEAR = {"trials": 0, "epochs": "", "steps": "", "parameters": 30052, "candidates": 7}
MAJORITY = LINEAR | {"parameters": 4, "candidates": 0}
SYSTEMS = {"majority": MAJORITY, "linear": LINEAR, "mmin": TRAINED}


def test_rows_say_what_each_system_was_given() -> None:
    found = budgets(scores_of(SYSTEMS), "c")
    assert lines(found, list(SYSTEMS)) == [
        ["trials", "0", "0", "20"],
        ["epochs", "-", "-", "30"],
        ["steps", "-", "-", "1,200"],
        ["parameters", "4", "30,052", "1,234,567"],
    ]
    assert lines(found, ["mmin", "majority"], ["steps"]) == [["steps", "1,200", "-"]]
    (words,) = sentences(found)
    assert words.endswith(
        "Solved for, not trained in epochs: majority, linear (best of 7 candidates in each condition)."
    )
    assert "Solved" not in sentences(budgets(scores_of({"mmin": TRAINED}), "c"))[0]


def test_runs_that_differ_are_averaged_and_rounded() -> None:
    scores = scores_of({"mmin": TRAINED})
    scores[1] |= {"epochs": "13", "steps": "1101"}
    scores.append(scores[0] | {"corpus": "d", "epochs": "1"})
    assert budgets(scores, "c")["mmin"] | {"trials": 20} == {
        "trials": 20, "epochs": 22, "steps": 1150, "parameters": 1234567, "candidates": None,
    }  # fmt: skip


def test_records_without_a_budget_say_nothing() -> None:
    """Those of trainings by older versions."""
    assert set(budget_of({"system": "mmin"}).values()) == {""}
    found = budgets(scores_of({"mmin": {}}), "c")
    assert lines(found, ["mmin"]) == sentences(found) == []
