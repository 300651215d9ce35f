import numpy as np
import pytest

from cmarr.aggregate import (
    CUT,
    FACTS,
    Cell,
    described,
    facts,
    facts_of,
    noted,
    number,
    spread,
    statements,
    values,
    weighted,
)
from extractors.files import UserError

SCORES = [("2", "1", 50.0), ("1", "1", 60.0), ("2", "7", 54.0), ("1", "7", 62.0)]
"""fold, seed, score"""


def test_values_are_means_over_seeds_by_fold_and_over_folds_by_seed() -> None:
    found = values(SCORES)
    assert list(found.folds.items()) == [("1", 61.0), ("2", 52.0)]
    assert list(found.seeds.items()) == [("1", 55.0), ("7", 58.0)]
    row = found.statistics("war")
    assert (row["war_mean"], row["war_std"], row["war_seed_std"]) == ("56.50", "6.36", "2.12")
    row = values([("1", "1", 61.0), ("2", "1", 57.0)]).statistics("war")
    half = 12.706205 * spread([61, 57]) / np.sqrt(2)
    assert float(row["war_high"]) - float(row["war_low"]) == pytest.approx(2 * half, abs=0.011)


def test_an_interval_is_cut_at_what_is_possible_with_a_note() -> None:
    wide = values([("1", "1", 45.0), ("2", "1", 85.0)])  # 65 +- 254
    row = wide.statistics("uar")
    assert (row["uar_low"], row["uar_mean"], row["uar_high"]) == ("0.00", "65.00", "100.00")
    narrow = values([("1", "1", 50.0), ("2", "1", 51.0)])
    one, about = values(SCORES[:1]), dict.fromkeys(FACTS, "")
    assert [each.cut for each in (wide, narrow, one, values([]))] == [True, False, False, False]
    assert noted(about, narrow, one) == about
    assert noted(about, narrow, wide)["notes"] == CUT
    assert noted(about | {"notes": "a"}, wide, wide)["notes"] == f"a; {CUT}"


def test_a_difference_may_be_negative_but_not_below_minus_100() -> None:
    low, high = values([("1", "1", 1.0), ("2", "1", 2.0)]), values([("1", "1", 99.0), ("2", "1", 70.0)])
    row = Cell(low, low).minus(Cell(high, high)).statistics()
    assert (row["war_low"], row["war_mean"], row["war_high"]) == ("-100.00", "-83.00", "100.00")
    row = Cell(low, low).minus(Cell(low, low)).statistics()
    assert (row["war_low"], row["war_high"]) == ("0.00", "0.00")
    mixed = weighted([(0.5, Cell(low, low)), (0.5, Cell(high, high))])
    assert (mixed.war.lowest, Cell(low, low).minus(Cell(high, high)).war.lowest) == (0, -100)


def test_what_one_fold_and_seed_cannot_tell_is_empty() -> None:
    row = values(SCORES[:1]).statistics("uar")
    assert row == {"uar_mean": "50.00", "uar_std": "", "uar_low": "", "uar_high": "", "uar_seed_std": ""}
    assert set(values([]).statistics("uar").values()) == {""}


def test_differences_are_paired_by_fold_and_seed() -> None:
    one = Cell(values(SCORES), values(SCORES))
    other = Cell(values([(fold, seed, score / 2) for fold, seed, score in reversed(SCORES)]), one.uar)
    found = one.minus(other)
    assert found.war.folds == {"1": 30.5, "2": 26.0}
    assert found.war.seeds == {"1": 27.5, "7": 29.0}
    assert set(found.uar.folds.values()) == {0.0}
    mixed = weighted([(0.25, one), (0.75, other)])
    assert mixed.war.folds == {"1": 61 * (0.25 + 0.375), "2": 52 * (0.25 + 0.375)}


def test_other_folds_are_not_compared() -> None:
    one = Cell(values(SCORES), values(SCORES))
    other = Cell(values(SCORES[1:2]), values(SCORES[1:2]))
    with pytest.raises(UserError, match="not the same folds and seeds"):
        one.minus(other)


def test_facts_name_every_different_statement_once() -> None:
    row = dict.fromkeys(FACTS, "") | {"protocol": "clean", "origin": "release"}
    found = facts([row, row | {"notes": "one"}, row | {"notes": "two", "origin": "synthetic"}])
    assert facts([row | {"notes": "one; two"}, row | {"notes": "one; three"}])["notes"] == "one; two; three"
    assert (found["notes"], found["origin"], found["protocol"]) == ("one; two", "release, synthetic", "clean")


def test_the_speech_front_end_is_named_where_it_is_known() -> None:
    record = {"protocol": "clean", "choice": "validation", "encoders": "frozen", "origin": "release", "notes": []}
    row = facts_of(record | {"speech": "logmel", "fold": 1}) | {"fold": "1", "seed": "2"}
    assert described([row, row]) == "protocol clean, encoders frozen, speech by logmel, 1 fold, 1 seed"
    older = facts_of(record) | {"fold": "1", "seed": "2"}
    assert described([older, older | {"fold": "2"}]) == "protocol clean, encoders frozen, 2 folds, 1 seed"
    assert facts_of(record | {"notes": ["one", "two"]})["notes"] == "one; two"


def test_what_is_no_release_says_so() -> None:
    row = dict.fromkeys(FACTS, "x") | {"fold": "1", "seed": "2", "origin": "release"}
    rows = [row, row | {"seed": "3"}]
    assert len(statements(rows)) == 1
    assert "The data are composite" in statements([each | {"origin": "composite"} for each in rows])[1]


def test_no_number_is_negative_nought() -> None:
    assert [number(value) for value in (-0.001, -0.006, float("nan"))] == ["0.00", "-0.01", ""]
