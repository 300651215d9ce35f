from __future__ import annotations

import pytest

from cmarr.significance import COLUMNS
from cmarr.verdict import UNTESTED, shown, verdict
from tests.cmarr.significance_runs import FULL


def row(system: str, metric: str, significant: str, condition: str = "average", corpus: str = "toy") -> dict[str, str]:
    low, high = ("1.00", "3.00") if significant == "yes" else ("-1.00", "2.00")
    values = {"difference": "1.50", "low": low, "high": high, "full": FULL, "draws": "100000"}
    values |= {"unit": "dialogue", "units": "150", "strata": "5", "folds": "5", "bound": "no"}
    values |= {"few_units": "no", "p_holm": "0.031416" if significant == "yes" else "0.314159"}
    family = "primary" if (metric, condition) == ("uar", "average") else "secondary"
    where = {"corpus": corpus, "system": system, "condition": condition, "metric": metric, "significant": significant}
    return dict.fromkeys(COLUMNS, "") | values | where | {"family": family}


def test_the_verdict_leads_with_the_primary_tests_and_counts_the_others() -> None:
    at_floor = {"p_holm": "0.000040", "bound": "yes"}
    rows = [row("cra", "uar", "yes") | at_floor, row("mmin", "uar", "no"), row("dicmor", "uar", "yes")]
    rows += [row("cra", "war", "yes"), row("cra", "uar", "no", "t"), row("cra", "uar", "yes", "v")]
    rows += [row("dicmor", "uar", "no", corpus="clips") | {"strata": "1"}]
    lines = verdict(rows, "toy")
    assert lines[0].startswith(
        f"Primary tests, UAR of {FULL} on the average: significant against cra (+1.50 [1.00, 3.00], p < 0.00004), "
        "dicmor (+1.50 [1.00, 3.00], p = 0.031); not significant against mmin (+1.50 [-1.00, 2.00], p = 0.31). "
    )
    assert lines[0].endswith("after Holm's correction for the 3 primary tests of this corpus.")
    assert lines[1].startswith("All other tests are secondary: 2 of 3 are significant after a correction of their own")
    assert "WAR is UAR" not in lines[1]
    assert lines[2].startswith("Paired bootstrap over 150 dialogues, drawn within folds (100000 draws).")
    assert lines[2].endswith("other trainings, speakers and corpora are not covered.")
    (first, _, last) = verdict(rows, "clips")
    assert first.startswith(f"Primary tests, UAR of {FULL} on the average: not significant against dicmor (+1.50")
    assert "drawn over all folds" in last
    assert verdict(rows, "other") == verdict([], "toy") == []


@pytest.mark.parametrize(
    ("p", "bound", "significant", "text"),
    [
        ("0.000020", "yes", "yes", "p < 0.00002"),
        ("0.001799", "yes", "yes", "p < 0.0018"),
        ("0.049321", "no", "yes", "p = 0.049"),
        ("0.049960", "no", "yes", "p = 0.04996"),
        ("0.049996", "yes", "yes", "p < 0.049996"),
        ("0.050000", "no", "yes", "p < 0.05"),
        ("0.050000", "no", "no", "p = 0.05"),
        ("0.050400", "no", "no", "p = 0.05"),
        ("1.000000", "no", "no", "p = 1"),
    ],
)
def test_p_is_printed_as_a_bound_or_on_the_right_side_of_the_level(
    p: str, bound: str, significant: str, text: str
) -> None:
    assert shown({"p_holm": p, "bound": bound, "significant": significant}) == text


def test_few_units_are_said_to_be_hints_and_too_few_not_to_be_tested() -> None:
    few = {"units": "6", "few_units": "yes"}
    assert verdict([row("cra", "uar", "yes") | few], "toy")[-1] == (
        "Only 6 dialogues: p-values are too small; read them as hints."
    )
    assert not any("hints" in line for line in verdict([row("cra", "uar", "yes")], "toy"))
    for unit, words in (
        ("dialogue", "; `statistics.unit: utterance` would test as if utterances were independent."),
        ("speaker", "; `statistics.unit: dialogue` would test as if dialogues were independent."),
        ("utterance", "."),
    ):
        untested = row("", "", "") | {"family": UNTESTED, "units": "5", "unit": unit}
        assert verdict([row("cra", "uar", "no", corpus="clips"), untested], "toy") == [
            f"Not tested: 5 {unit}s, 6 is the least{words}"
        ]
