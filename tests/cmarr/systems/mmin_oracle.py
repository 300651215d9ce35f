"""Slow pieces of IF-MMIN and CIF-MMIN: one utterance, one modality and one linear layer at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.blocks.utterance import Encoders
from cmarr.systems.base import Stage, SystemModule
from cmarr.vocabulary import MODALITIES

SMALL = {"embedding": 8, "speech_pool": 2, "cascade_layers": (7, 5, 3), "cascade_blocks": 3}
FULL_SIZE = {"text": 1024, "speech": 130, "video": 342}
ENCODERS = [1_622_528, 133_120, 241_664]
CASCADE = 1_694_400


def shake(system: SystemModule) -> None:
    """Evaluation mode, and noise on all weights, so that teacher and student differ in everything."""
    system.eval()
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def counts(stage: Stage) -> list[int]:
    """Parameters of each part that a stage trains."""
    return [sum(parameter.numel() for parameter in part.parameters()) for part in stage.trained]


def complete(batch: Batch) -> Batch:
    return replace(batch, available=torch.ones_like(batch.available))


def start(system: SystemModule, number: int) -> Stage:
    """The stage, with the gradients and modes that the engine gives it."""
    stage = system.stages()[number]
    system.requires_grad_(False).eval()
    for part in stage.trained:
        part.requires_grad_(True).train()
    return stage


def learning(system: SystemModule) -> set[str]:
    """First names of the parameters that a gradient other than 0 has reached."""
    found = {name for name, parameter in system.named_parameters() if parameter.grad is not None}
    return {name.split(".")[0] for name in found if system.get_parameter(name).grad.any()}


def embeddings(encoders: Encoders, batch: Batch, row: int, read: list[bool]) -> list[Tensor]:
    """One (width,) per modality of one utterance alone and without padding, of 50 zero frames where it is not read."""
    found = []
    for modality, flag, encoder in zip(MODALITIES, read, encoders.parts(), strict=True):
        frames = batch.features[modality][row, : batch.lengths[modality][row]]
        if not flag:
            frames = torch.zeros(50, frames.shape[1])
        found.append(encoder(frames[None], torch.tensor([len(frames)]))[0])
    return found


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def relu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0)


def chain(module: nn.Module, x: Tensor, activation: Callable[[Tensor], Tensor]) -> Tensor:
    """The linear layers of a module in their order, with an activation between every two."""
    first, *others = [part for part in module.modules() if isinstance(part, nn.Linear)]
    x = x @ first.weight.T + first.bias
    for layer in others:
        x = activation(x) @ layer.weight.T + layer.bias
    return x


def cascaded(cascade: Cascade, h: Tensor, g: Tensor, skip: bool) -> tuple[Tensor, Tensor]:
    """Imagined features and codes of one utterance, from u_k = o_{k-1} + g and o_0 = h."""
    o, codes = h, []
    for encoder, decoder in zip(cascade.encoders, cascade.decoders, strict=True):
        u = o + g
        codes.append(chain(encoder, u, leaky))
        o = chain(decoder, codes[-1], relu)
    return chain(cascade.transition, u + o if skip else o, relu), torch.cat(codes)


def cross_entropy(logits: list[Tensor], labels: Tensor) -> float:
    shares = [math.log(sum(math.exp(x) for x in row.tolist())) for row in logits]
    return sum(s - row[y].item() for s, row, y in zip(shares, logits, labels, strict=True)) / len(logits)


def mean_square(one: list[Tensor], other: list[Tensor]) -> float:
    squares = [
        (a - b) ** 2 for x, y in zip(one, other, strict=True) for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    return sum(squares) / len(squares)


def initial_scale_is_kaimings(system: SystemModule) -> bool:
    """Whether linear layers and convolutions have no bias and the deviation sqrt(2 / fan-in), within 5 deviations."""
    for part in system.modules():
        if isinstance(part, nn.Linear | nn.Conv1d):
            n, fan_in = part.weight.numel(), part.weight[0].numel()
            error = part.weight.std().item() / math.sqrt(2 / fan_in) - 1
            if part.bias.any() or abs(error) > 5 / math.sqrt(2 * n):
                return False
    return True


def error_of_missing(imagined: Sequence[Tensor], batch: Batch) -> Tensor:
    """Mean squared error of `imagined`, (batch, embedding) per modality, over the modalities that count as missing."""
    assert batch.targets is not None
    wanted = batch.targets[:, 0].chunk(3, dim=1)
    errors = [
        imagined[column][row] - wanted[column][row]
        for row, flags in enumerate(batch.available.tolist())
        for column, seen in enumerate(flags)
        if not seen
    ]
    return torch.cat(errors).square().mean()
