"""Whether the features of an encoder depend on what it is given."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.files import UserError

CLOSE = 1e-5
"""Difference, relative to the largest number, up to which features are the same."""


class Distinct:
    """Compares the features of different inputs, of the same number of rows or all of whose rows are the same."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._first: dict[int, tuple[bytes, NDArray[np.float32]]] = {}
        self._compared = self._same = 0

    def add(self, given: bytes, values: NDArray[np.float32]) -> None:
        """Look at the features (rows, dim) of an input; `given` differs where inputs do."""
        if not len(values):
            return
        constant = _same(values[0], values[-1]) and _same(values, values[:1])
        weights = np.cos(np.arange(len(values), dtype=np.float32))  # which tell an order of rows from another
        summary = values[0] if constant else weights @ values
        other, known = self._first.setdefault(1 if constant else len(values), (given, summary))
        if given != other:
            self._compared += 1
            self._same += _same(known, summary)

    def check(self) -> None:
        """UserError when most were the same."""
        if self._same > max(1, self._compared / 2):
            raise UserError(
                f"{self._what} has the same features for {self._same} of {self._compared} inputs that differ; its "
                "weights are damaged: get its files again"
            )


def _same(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    return bool(np.abs(first - second).max() <= CLOSE * np.abs(first).max())
