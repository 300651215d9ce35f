"""A file that HDF5 can write to on a disk that is full: the library itself ends with a crash there."""

from __future__ import annotations

import io
from typing import Any


class Output(io.FileIO):
    """An empty file open for writing and reading, to be given to `h5py.File`.

    No write raises, as HDF5 could not even close the file afterwards; `check` raises the first error, an OSError.
    """

    _error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all bytes, or remember why not."""
        rest = memoryview(data).cast("B")
        try:
            while rest and not self._error:
                rest = rest[super().write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file, or remember why not."""
        try:
            return super().truncate(size)
        except OSError as error:
            self._error = self._error or error
        return size or 0

    def check(self) -> None:
        """OSError if something could not be written."""
        if self._error:
            raise self._error
