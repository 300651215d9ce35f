from __future__ import annotations

from cmarr.reference import below, difference
from tests.cmarr.hand_made import table_of

TABLE = table_of(
    {
        "majority": dict.fromkeys(("t", "s", "v", "vt", "sv", "st", "average", "svt"), 25.0),
        "linear": {},
        "cra": {"t": 49.0, "vt": 49.99, "average": 49.996},
        "mmin": {"t": 50.004, "s": 51.0},
    }
)


def test_systems_below_are_named_with_their_conditions() -> None:
    systems = {name: name for name in ("majority", "linear", "cra", "mmin")}
    assert below(TABLE, "c", systems) == ["UAR below that of linear: majority (all), cra (t, vt)."]
    assert below(TABLE, "c", {"linear": "", "mmin": ""}) == ["UAR below that of linear: none."]
    assert below(TABLE, "c", {"cra": "", "mmin": ""}) == []
    assert below(TABLE, "c", {"cra": "", "mmin": "ours"}, "cra") == ["UAR below that of linear: none."]
    assert below(TABLE, "c", {"linear": "", "cra": "ours"}) == ["UAR below that of linear: ours (t, vt)."]


def test_the_difference_is_that_of_the_means() -> None:
    found = {name: difference(TABLE, "c", "cra", name)["minus_linear_uar"] for name in ("t", "vt", "average", "s")}
    assert found == {"t": "-1.00", "vt": "-0.01", "average": "0.00", "s": "0.00"}
    assert difference(TABLE, "c", "mmin", "s") == {"minus_linear_uar": "1.00"}
    assert difference(TABLE, "c", "linear", "s") == {"minus_linear_uar": ""}
    assert difference(table_of({"cra": {}}), "c", "cra", "s") == {"minus_linear_uar": ""}
