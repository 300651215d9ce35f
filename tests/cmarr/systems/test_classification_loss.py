"""The cross-entropy of all systems: weights of classes and smoothed labels, by hand and by what they do."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cmarr.systems.base import classification_loss
from tests.cmarr.systems.conftest import MakeBatch
from tests.cmarr.systems.kinds import LEARNERS, prepare, shaken, with_targets

WEIGHTS = (3.0, 0.5, 1.0, 0.25)


def by_hand(logits: Tensor, labels: Tensor, weights: tuple[float, ...], smoothing: float) -> float:
    """The target of a label is 1 - s for itself plus s / classes for all; each class's term has the class's weight."""
    total = norm = 0.0
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        normal = math.log(sum(math.exp(value) for value in row))
        for place, value in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing if place == label else 0)
            total -= weights[place] * target * (value - normal)
        norm += weights[label]
    return total / norm


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_it_is_the_formula(make_batch: MakeBatch, weights: tuple[float, ...] | None, smoothing: float) -> None:
    batch = replace(
        make_batch(), class_weights=None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )
    assert batch.labels is not None
    logits = 3 * torch.randn(len(batch.labels), 4, generator=torch.Generator().manual_seed(0))
    expected = by_hand(logits, batch.labels, weights or (1, 1, 1, 1), smoothing)
    assert classification_loss(logits, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_stage_of_every_system_takes_part_and_nothing_but_cls_does(
    kind: str, dims: dict[str, int], make_batch: MakeBatch
) -> None:
    system, batch = shaken(kind, dims), make_batch()
    for number in range(len(system.stages())):
        stage = prepare(system, number)
        told = with_targets(system, batch, number)
        changes = {"class_weights": torch.tensor(WEIGHTS)}, {"label_smoothing": 0.3}
        losses = []
        for change in ({}, *changes):
            torch.manual_seed(0)
            losses.append({name: part.item() for name, part in stage.loss(replace(told, **change)).items()})
        plain, *others = losses
        for other in others:
            assert other["cls"] != pytest.approx(plain["cls"], rel=1e-4)
            same = plain.keys() - {"cls", "total"}
            assert [other[name] for name in same] == [plain[name] for name in same]
            moved = 0 if stage.name == "imputation" else other["cls"] - plain["cls"]
            assert other["total"] - plain["total"] == pytest.approx(moved, rel=1e-3, abs=1e-4)
