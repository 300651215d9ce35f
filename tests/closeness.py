"""Whether two computed arrays differ, whatever their last bits."""

from __future__ import annotations

from typing import Any


def changed(one: Any, other: Any) -> bool:
    """Whether tensors or arrays differ by a thousandth of the larger one's size at least.

    Rounding differs from one processor to the next and between batches of other sizes; it stays far below that.
    """
    size = max(abs(one).max().item(), abs(other).max().item())
    return bool(size > 0 and abs(one - other).max().item() >= 1e-3 * size)
