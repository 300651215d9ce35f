from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cmarr.engine import _batches
from cmarr.equal_steps import Share, batches, epochs_within, least


@pytest.mark.parametrize("size", [2, 3, 16])
def test_batches_are_those_of_the_engine(size: int) -> None:
    for utterances in range(2, 70):
        assert batches(utterances, size) == len(_batches(torch.arange(utterances), size))


def test_the_least_is_an_epoch_of_each_stage() -> None:
    stages = [Share(20, 10), Share(60, 2.5)]
    assert least(stages) == 13
    assert epochs_within(13, stages) == [1, 1]


@pytest.mark.parametrize(
    ("steps", "stages", "epochs"),
    [
        (2000, [Share(60, 65)], [31]),
        (2000, [Share(20, 10), Share(60, 10)], [50, 150]),
        (100, [Share(1, 10), Share(1, 5)], [5, 10]),  # half of the steps each
        (105, [Share(1, 20), Share(1, 5)], [3, 9]),  # 2.625 and 10.5 epochs: 60 + 45 is all of it
        (5, [Share(20, 10), Share(60, 10)], [1, 1]),
        (90, [Share(100, 1000)], [1]),
    ],
)
def test_stages_share_the_steps_by_their_epochs(steps: int, stages: list[Share], epochs: list[int]) -> None:
    assert epochs_within(steps, stages) == epochs


@given(
    st.integers(1, 5000),
    st.lists(st.builds(Share, st.integers(1, 200), st.integers(1, 150)), min_size=1, max_size=3),
)
def test_all_systems_get_the_same_steps_within_half_an_epoch_of_the_shortest_stage(
    steps: int, stages: list[Share]
) -> None:
    chosen = epochs_within(steps, stages)
    total = sum(epochs * stage.batches for epochs, stage in zip(chosen, stages, strict=True))
    shares = [steps * stage.epochs / sum(each.epochs for each in stages) for stage in stages]
    shortest = min(stage.batches for stage in stages)
    assert min(chosen) >= 1
    assert steps - shortest / 2 <= total
    if all(share >= 2 * sum(each.batches for each in stages) for share in shares):
        assert total <= steps + shortest / 2
        for epochs, stage, share in zip(chosen, stages, shares, strict=True):
            assert abs(epochs * stage.batches - share) <= sum(each.batches for each in stages)
