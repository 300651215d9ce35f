"""Feature stores: one HDF5 file of ragged sequences, the only format that the two stages share.

Layout (format 2): `values` (sum of lengths, dim) float32 or float16, contiguous; `offsets` (N + 1) int64; `ids` (N)
UTF-8; `valid` (sum of lengths) bool, false where a frame has no measurement (its values are zeros); `checksums` (N)
uint32, CRC-32 of each utterance's values and valid bytes, as stored. Attributes: whatever the writer records (encoder,
weights hash, settings, origin, manifest hash, versions) plus `format`, `seal` (CRC-32 of offsets, checksums, ids and
all other attributes) and, written last, `complete`. A length of 0 means that nothing could be extracted; the reason is
in the attribute `problems` (JSON, id to reason). The same content gives the same bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from extractors.errors import UserError, line, number
from extractors.files import publish
from extractors.hdf5_output import Output

FORMAT = 2
LIBVER = ("v110", "v110")  # the first HDF5 version whose object headers carry checksums
DAMAGE = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError)  # what h5py makes of a damaged file
FRAMES_A_READ = 8192
DTYPES = (np.dtype(np.float32), np.dtype(np.float16))
Attributes = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Frames:
    """Features of one utterance: `values` (time, dim) float32 and `valid` (time,) bool."""

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


def checksum(values: NDArray[Any], valid: NDArray[np.bool_]) -> int:
    """CRC-32 over the value bytes followed by the valid bytes."""
    return zlib.crc32(valid.tobytes(), zlib.crc32(values.tobytes()))


def write_store(
    path: Path,
    dim: int,
    items: Iterable[tuple[str, Frames]],
    lengths: Sequence[int],
    problems: Mapping[str, str],
    attributes: Attributes,
    dtype: DTypeLike = np.float32,
    names: Sequence[str] | None = None,
) -> None:
    """Publish a store; `items` come one at a time, so memory holds a single utterance.

    `lengths` are the frame counts of `items`, in order; with `names`, they are in that order, and the store too,
    whatever the order of `items`. ValueError when they disagree, an id comes twice, an array is of another type, or a
    value is not finite as a number of `dtype` or, in a frame that is not valid, not zero.
    """
    stored_as = np.dtype(dtype)
    if stored_as not in DTYPES:
        raise ValueError(f"{stored_as} cannot be stored")
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = {name: row for row, name in enumerate(names)} if names is not None else None
    ids: list[str] = []
    checksums = np.zeros(len(lengths), np.uint32)
    with publish(path) as draft, Output(draft, "w+") as output, h5py.File(output, "w", libver=LIBVER) as file:
        values = file.create_dataset("values", (int(offsets[-1]), dim), stored_as)
        valid = file.create_dataset("valid", (int(offsets[-1]),), np.bool_)
        for count, (name, item) in enumerate(items):
            row = places.get(name, len(lengths)) if places is not None else count
            if row == len(lengths):
                raise ValueError(f"{name}: more items than the {len(lengths)} lengths")
            numbers = _stored(name, item, (lengths[row], dim), stored_as)
            ids.append(name)
            checksums[row] = checksum(numbers, item.valid)
            if lengths[row]:
                values[offsets[row] : offsets[row + 1]] = numbers
                valid[offsets[row] : offsets[row + 1]] = item.valid
                output.check()
        if len(ids) != len(lengths) or len(set(ids)) != len(ids):
            raise ValueError(f"{len(ids)} items ({len(set(ids))} distinct ids) for {len(lengths)} lengths")
        ids = ids if names is None else list(names)
        file["offsets"] = offsets
        file["checksums"] = checksums
        file["ids"] = np.array([name.encode() for name in ids], "S")
        notes = {**attributes, "format": FORMAT, "problems": json.dumps(dict(problems))}
        for key, value in {**notes, "seal": _seal(ids, offsets, checksums, notes)}.items():
            file.attrs[key] = np.bytes_(value.encode()) if isinstance(value, str) else value
        file.flush()
        file.attrs["complete"] = True
        file.flush()
        output.check()


def _stored(name: str, item: Frames, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    if item.values.shape != shape or item.valid.shape != shape[:1]:
        raise ValueError(f"{name}: expected {shape}, got {item.values.shape} and {item.valid.shape}")
    if item.values.dtype != np.float32 or item.valid.dtype != np.bool_:
        raise ValueError(f"{name}: expected float32 and bool, got {item.values.dtype} and {item.valid.dtype}")
    if item.values[~item.valid].any():
        raise ValueError(f"{name}: a frame that is not valid has values")
    with np.errstate(over="ignore"):
        numbers = item.values.astype(dtype, copy=False)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: features are not finite")
    return numbers


def _seal(
    ids: Sequence[str], offsets: NDArray[np.int64], checksums: NDArray[np.uint32], attributes: Mapping[str, Any]
) -> int:
    notes = {key: value.item() if isinstance(value, np.generic) else value for key, value in attributes.items()}
    text = json.dumps([list(ids), notes], sort_keys=True)
    return zlib.crc32(text.encode(), zlib.crc32(checksums.tobytes(), zlib.crc32(offsets.tobytes())))


def _refusal(path: Path, what: str, error: Exception) -> UserError:
    """What to tell: a file is to be deleted only if it is at fault, not the disk, the rights or the machine."""
    fault = number(error) is None
    return UserError(f"{path}: {what} ({error}); delete it and run again" if fault else line(error, path))


class FeatureStore:
    """An open store, to be used in a `with` block; UserError when the file is missing, unfinished, foreign or damaged.

    `ids`, `dim`, `dtype` (of the numbers in the file), `attributes`, `problems` (id to reason), `offsets` and `seal`
    (which differs when anything in the store does) are read at once, features when asked for.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = h5py.File(path, "r", locking=False)
        except OSError as error:
            raise _refusal(path, "not a readable feature store", error) from error
        try:
            self._read_index()
        except (*DAMAGE, UserError) as error:
            self._file.close()
            if isinstance(error, UserError):
                raise
            raise _refusal(path, "damaged", error) from error

    def _read_index(self) -> None:
        attributes: dict[str, Any] = {
            key: value.decode() if isinstance(value, bytes) else value for key, value in self._file.attrs.items()
        }
        if not attributes.pop("complete", False) or attributes.get("format") != FORMAT:
            raise UserError(f"{self.path}: unfinished, or not in store format {FORMAT}; delete it and run again")
        if foreign := [name for name in sorted(self._file) if not self._is_own(name)]:
            raise UserError(f"{self.path}: its {foreign[0]} may lie in another file; delete it and run again")
        self.seal = int(attributes.pop("seal"))
        self.attributes = attributes
        self.problems: dict[str, str] = json.loads(attributes["problems"])
        self.ids: list[str] = [name.decode() for name in self._file["ids"][:]]
        self.offsets: NDArray[np.int64] = self._file["offsets"][:]
        self._checksums = self._file["checksums"][:]
        self._values, self._valid = self._file["values"], self._file["valid"]
        self.dim = int(self._values.shape[1])
        self.dtype: np.dtype[Any] = self._values.dtype
        self._rows = {name: row for row, name in enumerate(self.ids)}
        if self.seal != _seal(self.ids, self.offsets, self._checksums, attributes):
            raise ValueError("checksum of ids and attributes differs")
        counts = {len(self.ids), len(self._rows), len(self._checksums), len(self.offsets) - 1}
        ends = {len(self._values), len(self._valid), int(self.offsets[-1])}
        if len(counts) > 1 or len(ends) > 1 or self.offsets[0] or (np.diff(self.offsets) < 0).any():
            raise ValueError("ids, offsets and values do not fit together")
        if self.dtype not in DTYPES:
            raise ValueError(f"values are {self.dtype}")

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def length(self, name: str) -> int:
        """Number of frames of an utterance."""
        row = self._row(name)
        return int(self.offsets[row + 1] - self.offsets[row])

    def __getitem__(self, name: str) -> Frames:
        """Features of one utterance in float32; UserError when they do not match their checksum."""
        return next(self.read([name]))

    def read(self, names: Sequence[str]) -> Iterator[Frames]:
        """Features of several utterances, as by `store[name]`; neighbours in the file are read together."""
        rows = [self._row(name) for name in names]
        for first, last in self._neighbours(rows):
            begin, end = self.offsets[rows[first]], self.offsets[rows[last] + 1]
            try:
                values, valid = self._values[begin:end], self._valid[begin:end]
            except DAMAGE as error:
                where = names[first] if first == last else f"{names[first]} to {names[last]}"
                raise _refusal(self.path, f"damaged at {where}", error) from error
            for name, row in zip(names[first : last + 1], rows[first : last + 1], strict=True):
                span = slice(self.offsets[row] - begin, self.offsets[row + 1] - begin)
                if checksum(values[span], valid[span]) != self._checksums[row]:
                    raise UserError(f"{self.path}: damaged at {name} (checksum differs); delete the file and run again")
                yield Frames(values[span].astype(np.float32, copy=False), valid[span])

    def _neighbours(self, rows: Sequence[int]) -> Iterator[tuple[int, int]]:
        """First and last place of each stretch of `rows` that lie one after the other and fill one read."""
        first = 0
        for place in range(1, len(rows) + 1):
            apart = place == len(rows) or rows[place] != rows[place - 1] + 1
            if apart or self.offsets[rows[place] + 1] - self.offsets[rows[first]] > FRAMES_A_READ:
                yield first, place - 1
                first = place

    def _is_own(self, name: str) -> bool:
        """Whether the numbers of a data set are in this file: no link, no external storage, no virtual data set."""
        if not isinstance(self._file.get(name, getlink=True), h5py.HardLink):
            return False
        found = self._file[name]
        return isinstance(found, h5py.Dataset) and not found.external and not found.is_virtual

    def _row(self, name: str) -> int:
        try:
            return self._rows[name]
        except KeyError:
            raise UserError(
                f"{self.path}: has no utterance {name}; it was made from another manifest, delete it"
            ) from None
