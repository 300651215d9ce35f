from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.imagination import imagination_errors, reversed_features, under_each_condition
from cmarr.vocabulary import CONDITIONS, availability

AVAILABLE = torch.tensor([availability(condition) for condition in CONDITIONS])


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def test_features_of_the_reversed_utterances() -> None:
    real, silence = numbers(2, 7, 6)
    found = reversed_features(real, silence, AVAILABLE)
    for row in range(7):
        for column in range(3):
            source = silence if AVAILABLE[row, column] else real
            assert torch.equal(found[row, 2 * column : 2 * column + 2], source[row, 2 * column : 2 * column + 2])


@pytest.mark.parametrize("invariant", [False, True])
def test_errors_are_means_over_batch_and_width(invariant: bool) -> None:
    targets, student = numbers(7, 2 + invariant, 6), numbers(2, 7, 6)
    errors = imagination_errors(
        Batch({}, {}, AVAILABLE, targets=targets), student[0], student[1] if invariant else None
    )
    expected = {"imagination": 0.0} | ({"invariance": 0.0} if invariant else {})
    for row in range(7):
        for place in range(6):
            wanted = targets[row, 1 if AVAILABLE[row, place // 2] else 0, place]
            expected["imagination"] += (student[0, row, place] - wanted).item() ** 2 / 42
            if invariant:
                expected["invariance"] += (student[1, row, place] - targets[row, 2, place]).item() ** 2 / 42
    assert {name: error.item() for name, error in errors.items()} == pytest.approx(expected, rel=1e-5)


def test_errors_may_be_of_missing_modalities_alone() -> None:
    targets, imagined = numbers(7, 2, 6), numbers(7, 6)
    batch = Batch({}, {}, AVAILABLE, targets=targets)
    squares = [
        (imagined[row, place] - targets[row, 0, place]).item() ** 2
        for row in range(7) for place in range(6) if not AVAILABLE[row, place // 2]
    ]  # fmt: skip
    found = imagination_errors(batch, imagined, missing_only=True)["imagination"]
    assert found.item() == pytest.approx(sum(squares) / len(squares), rel=1e-5)
    complete = Batch({}, {}, AVAILABLE[-1:], targets=targets[-1:])
    assert imagination_errors(complete, imagined[-1:], missing_only=True)["imagination"] == 0


def test_needs_targets() -> None:
    with pytest.raises(ValueError, match="targets"):
        imagination_errors(Batch({}, {}, AVAILABLE), numbers(7, 6))


def test_features_under_each_condition_are_those_of_what_is_there_and_of_silence() -> None:
    real, silence = torch.arange(1.0, 13).view(2, 6), -torch.arange(1.0, 13).view(2, 6)
    found = under_each_condition(real, silence).view(2, len(CONDITIONS), 3, 2)
    for place, condition in enumerate(CONDITIONS):
        for column, flag in enumerate(availability(condition)):
            expected = (real if flag else silence).view(2, 3, 2)[:, column]
            assert torch.equal(found[:, place, column], expected)
