"""Normalizing flow of affine coupling steps, frame by frame (eq. 6 and 8), after DiCMoR's executed code."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LOGIT_LIMIT = 3.0


class Coupling(nn.Module):
    """One coupling step on two halves: y = (x + shift) * s with s = sigmoid(logit + 2), both from the other half.

    The net is Linear, ReLU, Linear, ReLU with weights from N(0, 0.05), then a zero Linear times exp(3 scale), scale
    zero: every step starts as a multiplication by sigmoid(2). The logit is clamped to [-3, 3], which DiCMoR does not
    do, because the inverse divides by s at every step.
    """

    def __init__(self, half: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(half, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.last = nn.Linear(hidden, 2 * half)
        self.scale = nn.Parameter(torch.zeros(2 * half))
        for module in self.net:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.05)
                nn.init.zeros_(module.bias)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """y and log s, both like `x` (..., half)."""
        log_s, shift = self._log_s_and_shift(condition)
        return (x + shift) * log_s.exp(), log_s

    def inverse(self, y: Tensor, condition: Tensor) -> Tensor:
        """x from y (..., half)."""
        log_s, shift = self._log_s_and_shift(condition)
        return y * (-log_s).exp() - shift

    def _log_s_and_shift(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        logit, shift = (self.last(self.net(condition)) * (3 * self.scale).exp()).chunk(2, dim=-1)
        return functional.logsigmoid(logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT) + 2), shift


class Flow(nn.Module):
    """`steps` coupling steps on (batch, dim, time), always in float32 or better.

    DiCMoR's code never permutes channels, so its first half passes unchanged (`literal=True`). Otherwise the channel
    order is reversed between steps, which is done without copying: steps take turns at which half they change. That
    is the same family of maps, since reversing inside a half only renames rows of the nets.
    """

    def __init__(self, width: int, steps: int, hidden: int, literal: bool = False) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Coupling(width // 2, hidden) for _ in range(steps))
        self.literal = literal

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent z (batch, dim, time) and log |det dz/dx| (batch,)."""
        with torch.autocast(x.device.type, enabled=False):
            halves = self._halves(x)
            log_det = halves[0].new_zeros(len(x))
            for number, step in enumerate(self.steps):
                changed = self._changed(number)
                halves[changed], log_s = step(halves[changed], halves[1 - changed])
                log_det = log_det + log_s.sum((1, 2))
            return self._joined(halves), log_det

    def inverse(self, z: Tensor) -> Tensor:
        """x (batch, dim, time) with forward(x) = z."""
        with torch.autocast(z.device.type, enabled=False):
            halves = self._halves(z)
            for number in reversed(range(len(self.steps))):
                step = self.steps[number]
                assert isinstance(step, Coupling)
                changed = self._changed(number)
                halves[changed] = step.inverse(halves[changed], halves[1 - changed])
            return self._joined(halves)

    def _changed(self, number: int) -> int:
        return 1 if self.literal else 1 - number % 2

    def _halves(self, x: Tensor) -> list[Tensor]:
        x = x if x.dtype == torch.float64 else x.float()
        return list(x.transpose(1, 2).chunk(2, dim=2))  # (batch, time, dim / 2) each

    def _joined(self, halves: list[Tensor]) -> Tensor:
        return torch.cat(halves, dim=2).transpose(1, 2)
