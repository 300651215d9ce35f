"""DiCMoR's flow as its public code runs it, all coupling steps at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CouplingStack(nn.Module):
    """The steps of `blocks.flow.Flow` of kind `dicmor_literal`, the same map with the same number of parameters.

    Channels are never permuted there (DiCMoR, trains/singleTask/model/glow.py, `Flow.forward`), so the first half of
    them is what every step's net sees. The nets do not wait for each other, and the steps y <- (y + b_i) s_i together
    are one affine map of the second half: z = S x + sum_i b_i s_i s_i+1 ... s_n, where S is the product of all s_i.
    """

    after: Tensor

    def __init__(self, width: int, hidden: int, steps: int, limit: float | None = None) -> None:
        super().__init__()
        half = width // 2
        self.limit = limit
        self.weights = nn.ParameterList(
            [
                0.05 * torch.randn(steps, half, hidden),
                0.05 * torch.randn(steps, hidden, hidden),
                torch.zeros(steps, hidden, width),
            ]
        )
        self.biases = nn.ParameterList([torch.zeros(steps, 1, size) for size in (hidden, hidden, width)])
        self.scale = nn.Parameter(torch.zeros(steps, 1, width))
        self.register_buffer("after", torch.ones(steps, steps).triu(), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent z (batch, width, time) and log |det dz/dx| (batch,), in float32 or better."""
        with torch.autocast(x.device.type, enabled=False):
            first, second = _halves(x)
            from_here, shift = self._sums(first)
            z = second * from_here[0].exp() + (shift * from_here.exp()).sum(0)
            return _joined(first, z, x), from_here[0].reshape(len(x), -1).sum(1)

    def latent(self, x: Tensor) -> Tensor:
        """z alone."""
        z: Tensor = self(x)[0]
        return z

    def inverse(self, z: Tensor) -> Tensor:
        """x (batch, width, time) with forward(x) = z."""
        with torch.autocast(z.device.type, enabled=False):
            first, second = _halves(z)
            from_here, shift = self._sums(first)
            total = from_here[0]
            x = second * (-total).exp() - (shift * (from_here - total).exp()).sum(0)
            return _joined(first, x, z)

    def _sums(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """log (s_i s_i+1 ... s_n) and b_i of every step i, each (steps, frames, half)."""
        gain = (3 * self.scale).exp()
        y = first.expand(len(self.scale), -1, -1)
        y = torch.baddbmm(self.biases[0], y, self.weights[0]).relu_()
        y = torch.baddbmm(self.biases[1], y, self.weights[1]).relu_()
        logit, shift = torch.baddbmm(self.biases[2] * gain, y, self.weights[2] * gain).chunk(2, dim=2)
        if self.limit is not None:
            logit = logit.clamp(-self.limit, self.limit)
        log_s = functional.logsigmoid(logit + 2)
        return (self.after.to(log_s.dtype) @ log_s.flatten(1)).view_as(log_s), shift


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """(batch * time, width / 2), twice."""
    x = x if x.dtype == torch.float64 else x.float()
    first, second = x.transpose(1, 2).flatten(0, 1).chunk(2, dim=1)
    return first, second


def _joined(first: Tensor, second: Tensor, like: Tensor) -> Tensor:
    joined: Tensor = torch.cat([first, second], dim=1).unflatten(0, (len(like), -1))
    return joined.transpose(1, 2)
