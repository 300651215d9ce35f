"""Normalizing flow of affine coupling steps, frame by frame (eq. 6 and 8), after DiCMoR's executed code."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.settings import FlowKind, Sizes
from cmarr.settings.dicmor import DicmorSizes


class Coupling(nn.Module):
    """One coupling step on two halves: y = (x + shift) * s with s = sigmoid(logit + 2), both from the other half.

    The net is Linear, ReLU, Linear, ReLU with weights from N(0, 0.05), then a zero Linear times exp(3 scale), scale
    zero: every step starts as a multiplication by sigmoid(2). The logit is clamped to +-`limit`, because the inverse
    divides by s at every step; DiCMoR does not clamp (None).
    """

    def __init__(self, half: int, hidden: int, limit: float | None) -> None:
        super().__init__()
        self.limit = limit
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
        if self.limit is not None:
            logit = logit.clamp(-self.limit, self.limit)
        return functional.logsigmoid(logit + 2), shift


class Mixing(nn.Module):
    """What Glow puts before a coupling: a scale and shift per channel, then a 1x1 convolution, y = W ((x + b) * s).

    s starts as ones, b as zeros and W as a random rotation. Glow takes the first two from the first batch; here they
    are only learned, because a flow also meets latents of other modalities, which have other statistics.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.weight = nn.Parameter(nn.init.orthogonal_(torch.empty(width, width)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y (batch, time, width) like `x`, and log |det| per frame, a scalar."""
        y = (x + self.bias) * self.log_scale.exp() @ self.weight.T
        return y, self.log_scale.sum() + torch.linalg.slogdet(self.weight)[1]

    def inverse(self, y: Tensor) -> Tensor:
        """x from y (batch, time, width). `inv_ex` does not make a GPU wait, as `inv` does."""
        inverse: Tensor = torch.linalg.inv_ex(self.weight)[0]
        return y @ inverse.T * (-self.log_scale).exp() - self.bias


class Flow(nn.Module):
    """Coupling steps on (batch, width, time), always in float32 or better, in one of three kinds.

    `dicmor_literal`: DiCMoR's code never permutes channels, so its first half passes unchanged. `reversed`: the channel
    order is reversed between steps, which is done without copying: steps take turns at which half they change. That
    is the same family of maps, since reversing inside a half only renames rows of the nets. `glow`: every step mixes
    the channels first (`Mixing`).
    """

    def __init__(
        self, sizes: Sizes | DicmorSizes, kind: FlowKind = "reversed", logit_limit: float | None = 3.0
    ) -> None:
        super().__init__()
        self.kind = kind
        numbers = range(sizes.flow_steps)
        self.steps = nn.ModuleList(Coupling(sizes.width // 2, sizes.flow_hidden, logit_limit) for _ in numbers)
        self.mixings = nn.ModuleList(Mixing(sizes.width) for _ in numbers if kind == "glow")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent z (batch, width, time) and log |det dz/dx| (batch,)."""
        with torch.autocast(x.device.type, enabled=False):
            z, per_frame, per_channel = self._run(x)
            log_det = torch.stack([log_s.sum((1, 2)) for log_s in per_channel]).sum(0)
            return z, log_det + x.shape[2] * torch.stack(per_frame).sum() if per_frame else log_det

    def latent(self, x: Tensor) -> Tensor:
        """z alone, for less work."""
        with torch.autocast(x.device.type, enabled=False):
            return self._run(x)[0]

    def inverse(self, z: Tensor) -> Tensor:
        """x (batch, width, time) with forward(x) = z."""
        with torch.autocast(z.device.type, enabled=False):
            halves = self._halves(z)
            for number in reversed(range(len(self.steps))):
                changed = self._changed(number)
                step = cast(Coupling, self.steps[number])
                halves[changed] = step.inverse(halves[changed], halves[1 - changed])
                if self.mixings:
                    halves = _split(cast(Mixing, self.mixings[number]).inverse(torch.cat(halves, dim=2)))
            return self._joined(halves)

    def _run(self, x: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """z, and its log-determinants: per frame of each mixing, and per changed channel of each coupling."""
        halves, per_frame, per_channel = self._halves(x), [], []
        for number, step in enumerate(self.steps):
            if self.mixings:
                mixed, log_det = self.mixings[number](torch.cat(halves, dim=2))
                halves = _split(mixed)
                per_frame.append(log_det)
            changed = self._changed(number)
            halves[changed], log_s = step(halves[changed], halves[1 - changed])
            per_channel.append(log_s)
        return self._joined(halves), per_frame, per_channel

    def _changed(self, number: int) -> int:
        return 1 - number % 2 if self.kind == "reversed" else 1

    def _halves(self, x: Tensor) -> list[Tensor]:
        x = x if x.dtype == torch.float64 else x.float()
        return _split(x.transpose(1, 2))

    def _joined(self, halves: list[Tensor]) -> Tensor:
        return torch.cat(halves, dim=2).transpose(1, 2)


def _split(x: Tensor) -> list[Tensor]:
    """(batch, time, width / 2), twice."""
    return list(x.chunk(2, dim=2))
