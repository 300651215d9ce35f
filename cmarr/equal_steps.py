"""The same number of optimiser steps for every system, shared by the stages of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, floor


@dataclass(frozen=True)
class Share:
    """A stage, or all those with the same settings: `epochs` as configured, `batches` per epoch."""

    epochs: int
    batches: float


def batches(utterances: int, size: int) -> int:
    """Steps of an epoch: a last batch of a single utterance is left out."""
    return utterances // size + (utterances % size > 1)


def least(stages: Sequence[Share]) -> int:
    """Steps of an epoch of each stage: no training has fewer."""
    return ceil(sum(stage.batches for stage in stages))


def epochs_within(steps: int, stages: Sequence[Share]) -> list[int]:
    """Epochs of each stage, which together make `steps` steps as nearly as whole epochs can, at least one each.

    There is a stage or more, and `steps` are at least the `least`.

    Stages share the steps in proportion to their configured epochs, rounded; the one with the fewest batches makes up
    for what the others have too many or too few.
    """
    configured = sum(stage.epochs for stage in stages)
    wanted = [steps * stage.epochs / configured / stage.batches for stage in stages]
    last = min(range(len(stages)), key=lambda place: stages[place].batches)
    choices = [{max(1, floor(each)), max(1, ceil(each))} for each in wanted]
    choices[last] = {1}
    found = []
    for chosen in product(*choices):
        epochs = list(chosen)
        rest = steps - sum(n * stage.batches for n, stage in zip(epochs, stages, strict=True)) + stages[last].batches
        epochs[last] = max(1, round(rest / stages[last].batches))
        left = abs(rest - epochs[last] * stages[last].batches)
        found.append((left, sum(abs(n - ideal) for n, ideal in zip(epochs, wanted, strict=True)), epochs))
    return min(found)[2]
