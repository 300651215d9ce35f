"""Encoders of the MMIN family: one vector per sequence, whatever its length."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.recurrence import recurrence
from cmarr.blocks.resample import real_frames

SILENCE = 50
"""zero frames that stand for a modality that is missing"""
KERNELS = (3, 4, 5)


class LstmEncoder(nn.Module):
    """One LSTM layer, largest value over time (public code AIM3-RUC/MMIN, models/networks/lstm.py).

    Padding takes no part, unless `legacy_padding` is set; the published code reads it. `last` takes the last step in
    place of the largest.
    """

    def __init__(self, dim: int, width: int, legacy_padding: bool = False, last: bool = False) -> None:
        super().__init__()
        self.legacy_padding, self.last = legacy_padding, last
        self.lstm = nn.LSTM(dim, width, batch_first=True)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(n, width) from `features` (n, time, dim), zeros past their `lengths` (n,)."""
        return self._summary(features, torch.full_like(lengths, features.shape[1]) if self.legacy_padding else lengths)

    def silence(self, n: int) -> Tensor:
        """(n, width): the output for `SILENCE` zero frames, n times."""
        device = next(self.parameters()).device
        zeros = torch.zeros(1, SILENCE, self.lstm.input_size, device=device)
        return self._summary(zeros, torch.full((1,), SILENCE, device=device)).expand(n, -1)

    def _summary(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(n, width): largest or last state for `x` (n, time, dim)."""
        n, time, _ = x.shape
        if x.is_cuda:  # cuDNN; finding the real frames would wait for the lengths
            states = self.lstm(x)[0].masked_fill(~real_frames(lengths, time)[:, :, None], -torch.inf)
        else:
            w_ih, w_hh, b_ih, b_hh = self.lstm.parameters()
            places, sizes = _step_by_step(lengths, time)
            found = recurrence(functional.linear(x.flatten(0, 1)[places], w_ih, b_ih + b_hh), w_hh, sizes)
            states = found.new_full((n * time, found.shape[1]), -torch.inf).index_copy(0, places, found)
            states = states.unflatten(0, (n, time))
        if self.last:
            end = torch.arange(time, device=x.device) == (lengths - 1)[:, None]
            states = torch.where(end[:, :, None], states, 0).sum(1, keepdim=True)
        y: Tensor = states.amax(1)
        return y


class TextCnn(nn.Module):
    """Convolutions over 3, 4 and 5 frames, ReLU, largest value over time, dropout, a layer with ReLU.

    Public code AIM3-RUC/MMIN, models/networks/textcnn.py. Only windows inside the real frames count, unless
    `legacy_padding` is set; sequences shorter than the largest window are filled up with zeros to its length.
    """

    def __init__(self, dim: int, width: int, dropout: float, legacy_padding: bool = False) -> None:
        super().__init__()
        self.width, self.legacy_padding = width, legacy_padding
        self.convolutions = nn.ModuleList(nn.Conv1d(dim, width, kernel) for kernel in KERNELS)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(len(KERNELS) * width, width), nn.ReLU())

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """(n, width) from `features` (n, time, dim), zeros past their `lengths` (n,)."""
        x = functional.pad(features, (0, 0, 0, max(0, max(KERNELS) - features.shape[1])))
        ends = torch.full_like(lengths, x.shape[1]) if self.legacy_padding else lengths.clamp(min=max(KERNELS))
        find = self._largest_on_gpu if x.is_cuda else self._largest
        y: Tensor = self.head(torch.cat(find(x, ends), dim=1).relu())
        return y

    def _largest(self, x: Tensor, ends: Tensor) -> list[Tensor]:
        """(n, width) of each convolution; one product of the real frames with all weights, then sums over windows."""
        weights, biases = self._weights()
        real = real_frames(ends, x.shape[1])
        rows = torch.cat([weight.permute(2, 0, 1).flatten(0, 1) for weight in weights])
        taps = functional.linear(x[real], rows).split(self.width, dim=1)  # (frames, width) each
        largest = []
        for number, (kernel, bias) in enumerate(zip(KERNELS, biases, strict=True)):
            own = taps[sum(KERNELS[:number]) :][:kernel]
            windows = len(own[0]) - kernel + 1
            sums = bias + sum(tap[place : place + windows] for place, tap in enumerate(own))
            inside = real_frames(ends - kernel + 1, x.shape[1])[real][:windows]
            largest.append(torch.segment_reduce(sums[inside], "max", lengths=ends - kernel + 1))
        return largest

    def _largest_on_gpu(self, x: Tensor, ends: Tensor) -> list[Tensor]:
        """The same over all frames, since finding the real ones would wait for the lengths."""
        largest = []
        for kernel, convolution in zip(KERNELS, self.convolutions, strict=True):
            inside = real_frames(ends - kernel + 1, x.shape[1] - kernel + 1)
            largest.append(convolution(x.transpose(1, 2)).masked_fill(~inside[:, None], -torch.inf).amax(2))
        return largest

    def silence(self, n: int) -> Tensor:
        """(n, width): the output for `SILENCE` zero frames, of which convolutions leave their bias; dropout by row."""
        _, biases = self._weights()
        y: Tensor = self.head(torch.cat(biases).relu().expand(n, -1))
        return y

    def _weights(self) -> tuple[list[Tensor], list[Tensor]]:
        """(width, dim, kernel) and (width,) of each convolution."""
        parameters = list(self.convolutions.parameters())
        return list(parameters[::2]), list(parameters[1::2])


def _step_by_step(lengths: Tensor, time: int) -> tuple[Tensor, list[int]]:
    """Places of the real frames among (n * time), step by step, longest sequences first; their number in each step."""
    order = lengths.argsort(descending=True, stable=True)
    steps = torch.arange(int(lengths.max()))[:, None]
    real = steps < lengths[order]
    return (order * time + steps)[real], real.sum(1).tolist()
