"""How far a student's features are from what its frozen teacher says."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.rows import moved
from cmarr.vocabulary import CONDITIONS, availability


def imagination_errors(
    batch: Batch, imagined: Tensor, invariant: Tensor | None = None, missing_only: bool = False
) -> dict[str, Tensor]:
    """Mean squared errors: `imagination`, and `invariance` if there are invariant features; ValueError without targets.

    `imagined` and `invariant` (batch, 3 * width) are the student's. `batch.targets` (batch, 2 or 3, 3 * width) are the
    teacher's features of the complete utterance, of silence, and its invariant features of the complete utterance.
    `missing_only` leaves available modalities out of `imagination`, which is 0 then when nothing is missing.
    """
    if batch.targets is None:
        raise ValueError("a loss needs targets, and this batch has none")
    real, silence, *rest = batch.targets.unbind(1)
    squares = (imagined - reversed_features(real, silence, batch.available)).square()
    counted = torch.ones_like(squares)
    if missing_only:
        counted = (
            moved(~batch.available, squares.device)
            .repeat_interleave(squares.shape[1] // batch.available.shape[1], dim=1)
            .to(squares)
        )
    errors = {"imagination": (squares * counted).sum() / counted.sum().clamp(min=1)}
    return errors if invariant is None else errors | {"invariance": functional.mse_loss(invariant, rest[0])}


def under_each_condition(real: Tensor, silence: Tensor) -> Tensor:
    """(batch * conditions, 3 * width): features under each of `vocabulary.CONDITIONS`, utterance by utterance.

    `real` and `silence` (batch, 3 * width) are those of complete utterances and of silence.
    """
    flags = torch.tensor([availability(condition) for condition in CONDITIONS])
    seen = moved(flags, real.device).repeat_interleave(real.shape[1] // flags.shape[1], dim=1)
    return torch.where(seen, real[:, None], silence[:, None]).flatten(0, 1)


def reversed_features(real: Tensor, silence: Tensor, available: Tensor) -> Tensor:
    """(batch, 3 * width): a teacher's features of the reversed utterances, in which only missing modalities are read.

    `real` and `silence` (batch, 3 * width) are its features of what the modalities hold and of silence, `available`
    (batch, 3) is on the CPU. As in the MMIN family's public code (AIM3-RUC/MMIN, models/mmin_model.py), those of an
    available modality are of silence, and count in the error like the others.
    """
    seen = moved(available, real.device).repeat_interleave(real.shape[1] // available.shape[1], dim=1)
    return torch.where(seen, silence, real)
