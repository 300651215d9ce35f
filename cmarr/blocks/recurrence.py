"""The steps of an LSTM over sequences of different lengths, without padding and with a gradient by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor


def recurrence(gates: Tensor, weight: Tensor, sizes: list[int]) -> Tensor:
    """Hidden states (frames, width) of `torch.nn.LSTM` with one layer.

    `gates` (frames, 4 * width) are the input's share in the gates, biases included, and `weight` (4 * width, width)
    makes that of the state before. Frames lie as in a PackedSequence: step by step, longest sequences first, `sizes`
    of them in each step. It spares the many small operations that autograd records one by one through nn.LSTM on
    a CPU.
    """
    return cast(Tensor, _Recurrence.apply(gates.to(weight.dtype), weight, sizes))


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, weight: Tensor, sizes: list[int]) -> Tensor:
        gates, width = gates.clone(), weight.shape[1]
        states, cells = gates.new_empty(2, len(gates), width)
        ctx.sizes = sizes
        ctx.save_for_backward(gates, cells, states, weight)
        sigmoids = gates[:, : 2 * width], gates[:, 3 * width :]
        parts = (gates, *sigmoids, *gates.split(width, dim=1), cells, states)
        state, cell = gates.new_zeros(2, sizes[0], width)
        for size, step in zip(sizes, _steps(parts, sizes), strict=True):
            all_gates, i_and_f, only_o, i, f, g, o, next_cell, next_state = step
            all_gates.addmm_(state[:size], weight.t())
            i_and_f.sigmoid_()
            only_o.sigmoid_()
            torch.mul(i, g.tanh_(), out=next_cell)
            next_cell.addcmul_(f, cell[:size])
            torch.tanh(next_cell, out=next_state).mul_(o)
            state, cell = next_state, next_cell
        return cast(Tensor, states)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        gates, cells, states, weight = ctx.saved_tensors
        first, sizes = ctx.sizes[0], torch.tensor(ctx.sizes)
        before = torch.arange(first, len(states)) - sizes[:-1].repeat_interleave(sizes[1:])
        i, f, g, o = gates.chunk(4, dim=1)
        activated = cells.tanh()
        by_cell = o * (1 - activated.square())
        # of the cell by the gates i, f and g before their activation, of the state by o
        found = torch.empty_like(gates)
        by_i, by_f, by_g, by_o = found.chunk(4, dim=1)
        torch.mul(g * i, 1 - i, out=by_i)
        by_f[:first] = 0
        torch.mul(cells[before] * f[first:], 1 - f[first:], out=by_f[first:])
        torch.mul(i, 1 - g.square(), out=by_g)
        torch.mul(activated * o, 1 - o, out=by_o)
        of_state, of_cell = cells.new_zeros(2, first, cells.shape[1])
        through_cell = found.unflatten(1, (4, -1))[:, :3]
        parts = (found, through_cell, by_o, by_cell, f, gradients[0])
        for size, step in reversed([*zip(ctx.sizes, _steps(parts, ctx.sizes), strict=True)]):
            all_gates, three, only_o, of_this_cell, forget, gradient = step
            state, cell = of_state[:size].add_(gradient), of_cell[:size]
            cell.addcmul_(state, of_this_cell)
            three.mul_(cell[:, None])
            only_o.mul_(state)
            torch.mm(all_gates, weight, out=state)
            cell.mul_(forget)
        return found, found[first:].t() @ states[before], None


def _steps(tensors: tuple[Tensor, ...], sizes: list[int]) -> Iterator[tuple[Tensor, ...]]:
    """The frames of each step, of all the tensors."""
    return zip(*(tensor.split(sizes) for tensor in tensors), strict=True)
