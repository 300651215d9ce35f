"""Projection of a modality to the common width and the common number of steps (paper 3.2)."""

from __future__ import annotations

from torch import Tensor, nn

from cmarr.blocks.resample import resample
from cmarr.settings import Dicmor, Sized


class Projection(nn.Module):
    """X_n: the real frames resampled, then a convolution over time without bias (docs/cm-arr.md, points 6 and 10).

    With a single time step the kernel is 1, since a wider one would have weights that meet nothing but padding.
    """

    def __init__(self, dim: int, settings: Sized | Dicmor) -> None:
        super().__init__()
        self.time_steps = settings.sizes().time_steps
        kernel = settings.kernel if self.time_steps > 1 else 1
        self.convolution = nn.Conv1d(dim, settings.sizes().width, kernel, padding="same", bias=False)

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """(batch, width, time_steps) from `frames` (batch, time, dim) and their true `lengths` (batch,)."""
        x: Tensor = self.convolution(resample(frames, lengths, self.time_steps).transpose(1, 2))
        return x
