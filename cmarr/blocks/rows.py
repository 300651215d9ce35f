"""Work on some rows of a batch only, so that the others are never read."""

from __future__ import annotations

import torch
from torch import Tensor


def rows_of(flags: Tensor, device: torch.device) -> Tensor:
    """Indices (n,) on `device` of the true entries of `flags` (batch,), which lie on the CPU.

    They are counted on the CPU, so a GPU has nothing to wait for.
    """
    return moved(flags.nonzero().squeeze(1), device)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """`x` from the CPU on `device`, without waiting for what the device still has to do."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


def spread(values: Tensor, rows: Tensor, batch: int) -> Tensor:
    """(batch, ...) with `values` (n, ...) at `rows` (n,) and zeros elsewhere."""
    return values.new_zeros(batch, *values.shape[1:]).index_copy(0, rows, values)
