from __future__ import annotations

import numpy as np
import pytest

from extractors.distinct import Distinct
from extractors.files import UserError

RNG = np.random.default_rng(0)


def values(rows: int) -> np.ndarray:
    return RNG.normal(size=(rows, 8)).astype(np.float32)


def verdict(*items: tuple[bytes, np.ndarray]) -> str:
    distinct = Distinct("x")
    for given, features in items:
        distinct.add(given, features)
    try:
        distinct.check()
    except UserError as error:
        return str(error)
    return ""


def test_features_that_differ_or_belong_to_equal_inputs_are_fine() -> None:
    same = values(3)
    assert not verdict(*((bytes([index]), values(3 + index % 2)) for index in range(20)))
    assert not verdict(*((b"yes", same) for _ in range(20)))
    assert not verdict()
    assert not verdict((b"a", np.zeros((0, 8), np.float32)))


def test_features_that_differ_in_one_row_of_many_are_told_apart() -> None:
    whole = values(500)
    items = []
    for index in range(10):
        other = whole.copy()
        other[250] = values(1)
        items.append((bytes([index]), other))
    assert not verdict(*items)
    order = [whole, whole[::-1], np.roll(whole, 1, axis=0)]
    assert not verdict(*((bytes([index]), rows) for index, rows in enumerate(order)))


@pytest.mark.parametrize("noise", [0, 1e-7])
def test_features_that_tell_lengths_only_are_not(noise: float) -> None:
    by_length = {rows: values(rows) for rows in (3, 4, 5)}
    items = [(bytes([index]), by_length[3 + index % 3] + noise * values(3 + index % 3)) for index in range(9)]
    assert verdict(*items).startswith("x has the same features for 6 of 6 inputs that differ; ")


def test_features_that_tell_nothing_are_not() -> None:
    items = [(bytes([index]), np.full((index + 1, 8), 0.5, np.float32)) for index in range(5)]
    assert verdict(*items).startswith("x has the same features for 4 of 4 inputs that differ; ")


def test_a_few_alike_among_many_are_fine() -> None:
    same = values(3)
    assert not verdict((b"a", same), *((bytes([index]), values(3)) for index in range(9)), (b"b", same), (b"c", same))
