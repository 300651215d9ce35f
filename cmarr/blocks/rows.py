"""Work on some rows of a batch only, so that the others are never read."""

from __future__ import annotations

from torch import Tensor


def rows_of(flags: Tensor) -> Tensor:
    """Indices (n,) of the true entries of `flags` (batch,)."""
    return flags.nonzero().squeeze(1)


def spread(values: Tensor, rows: Tensor, batch: int) -> Tensor:
    """(batch, ...) with `values` (n, ...) at `rows` (n,) and zeros elsewhere."""
    return values.new_zeros(batch, *values.shape[1:]).index_copy(0, rows, values)
