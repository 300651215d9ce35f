from __future__ import annotations

from itertools import zip_longest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.batches import averaged, batches


@given(st.lists(st.integers(1, 50)), st.integers(1, 200), st.floats(0, 1))
def test_batches_hold_every_index_once_within_budget_and_waste(lengths: list[int], budget: int, waste: float) -> None:
    found = batches(lengths, budget, waste)
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    inside = [[lengths[index] for index in batch] for batch in found]
    assert [length for batch in inside for length in batch] == sorted(lengths, reverse=True)
    for batch, following in zip_longest(inside, inside[1:]):
        padded = batch[0] * len(batch)
        assert len(batch) == 1 or (padded <= budget and padded - sum(batch) <= waste * padded)
        if following:  # the next one did not fit
            padded = batch[0] * (len(batch) + 1)
            assert padded > budget or padded - sum(batch) - following[0] > waste * padded


def test_batches_of_equal_lengths() -> None:
    assert batches([3, 5, 3, 5, 4], 100, 0.0) == [[1, 3], [4], [0, 2]]
    assert batches([3, 5, 3, 5, 4], 100) == [[1, 3, 4, 0, 2]]
    assert batches([], 100) == []


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_averaged_is_the_mean_of_neighbours(rows: int, count: int) -> None:
    values = np.random.default_rng(0).normal(size=(rows, 4)).astype(np.float32)
    expected = [values[start : start + count].mean(axis=0) for start in range(0, rows, count)]
    np.testing.assert_allclose(averaged(values, count), expected, rtol=1e-6, atol=1e-7)
    assert averaged(values, count).dtype == np.float32
