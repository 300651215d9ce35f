"""One step of a stage: which weights change, the optimiser, the learning rate, clipped gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.settings import Training
from cmarr.systems.base import Stage


def set_up(system: nn.Module, stage: Stage) -> None:
    """Before an epoch: parts that are trained get gradients and are in training mode, others neither; tf32 or not."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = stage.training.precision == "tf32"
    system.requires_grad_(False).eval()
    for part in stage.trained:
        part.requires_grad_(True).train()


def optimizer_of(stage: Stage) -> torch.optim.Optimizer:
    """A fresh optimiser of the stage's parts.

    The decay of AdamW acts on weights that multiply and sum inputs alone, as in MAP's code: not on norms, biases,
    scales and temperatures, whose rest is not 0. That of Adam is part of the gradient and acts on all.
    """
    settings = stage.training
    learned = {parameter: name for part in stage.trained for name, parameter in part.named_parameters()}
    adamw = settings.optimizer == "adamw"
    decay = {parameter: not adamw or decays(name, parameter) for parameter, name in learned.items()}
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in learned if decay[parameter]]},
        {"params": [parameter for parameter in learned if not decay[parameter]], "weight_decay": 0.0},
    ]
    return (torch.optim.AdamW if adamw else torch.optim.Adam)(
        groups,
        lr=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        weight_decay=settings.weight_decay,
        fused=True,
    )


def decays(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a matrix or kernel that inputs are multiplied with, by its name and shape.

    Numbers at the end count entries of a list (`weights.0`).
    """
    return parameter.ndim > 1 and "weight" in name.rstrip(".0123456789").rsplit(".", 1)[-1]


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """n / (k * count) of each class for n `labels` (n,), of which k of all `classes` occur; 0 for those that do not.

    (classes,) float32, on the CPU. Their mean over the labels is 1.
    """
    counts = torch.bincount(labels.cpu(), minlength=classes).double()
    shares = len(labels) / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, shares, 0.0).float()


def rate_factor(step: int, steps: int, settings: Training) -> float:
    """Factor of the learning rate at a step from 0 of `steps` in all.

    `linear_decay`: linear rise over the share `warm_up`, then linear decay to 0 (docs/cm-arr.md, point 26). `constant`:
    1 throughout. `late_decay`, with e the epoch from 1, c the number of constant epochs and d that of the others:
    1 - max(0, e - c) / (d + 1), as in MMIN's code (models/networks/tools.py).
    """
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "late_decay":
        falling = round(settings.decay_share * settings.epochs)
        epoch = step * settings.epochs // steps + 1
        return 1 - max(0, epoch - (settings.epochs - falling)) / (falling + 1)
    rising = max(1, round(settings.warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    return (steps - step) / max(1, steps - rising)


def train_step(stage: Stage, batch: Batch, optimizer: torch.optim.Optimizer, rate: float) -> dict[str, Tensor]:
    """One step of the optimiser; loss parts and the gradient's norm before clipping, scalars on the device."""
    settings, device = stage.training, next(iter(batch.features.values())).device
    with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
        parts = stage.loss(batch)
    log = {name: value.detach().float().clone() for name, value in parts.items()}
    optimizer.zero_grad(set_to_none=True)
    parts["total"].backward()
    norms = [
        nn.utils.clip_grad_norm_(part.parameters(), settings.clip_norm or math.inf).float() for part in stage.trained
    ]
    log["gradient_norm"] = torch.linalg.vector_norm(torch.stack(norms))
    if settings.clip_value:
        for part in stage.trained:
            nn.utils.clip_grad_value_(part.parameters(), settings.clip_value)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    if stage.after_step:
        stage.after_step()
    return log
