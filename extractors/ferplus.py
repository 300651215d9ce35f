"""Verb `ferplus`: the faces and votes of FER+, counted per target mode beside the published sizes."""

from __future__ import annotations

import argparse
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.console import progress
from extractors.ferplus_targets import EMOTIONS, MAJORITY_CLASSES, MODES, SIZES, SPLITS, targets
from extractors.files import UserError

SIDE = 48
IMAGE_COLUMNS = ("emotion", "pixels", "Usage")
VOTE_COLUMNS = ("Usage", "Image name", *EMOTIONS, "unknown", "NF")
MOST_ROWS = 35_887
"""Rows of FER2013."""
LONGEST_LINE = 20_000
"""Bytes; a face of three-digit pixels takes about 9,230."""

_GZIP = b"\x1f\x8b"
_VOTES = {str(number): number for number in range(11)}


@dataclass(frozen=True, eq=False)
class Votes:
    """Rows of fer2013new.csv: how many of the ten voters chose each column, Usage as in the file, image name or ''."""

    votes: NDArray[np.int64]  # (rows, 10)
    usage: NDArray[np.str_]  # (rows)
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Faces(Votes):
    """The same with the grey pictures of fer2013.csv."""

    images: NDArray[np.uint8]  # (rows, 48, 48)


def read(images: Path, votes: Path) -> Faces:
    """Faces of fer2013.csv joined by row with their votes of fer2013new.csv; either file may be gzipped.

    UserError for a damaged file, and when the rows or their Usage are not the same in both.
    """
    table = read_votes(votes)
    pixels = bytearray()
    row = -1
    rows = progress(_rows(images, IMAGE_COLUMNS), "faces", "face", len(table.names))
    for row, (_, field, usage) in enumerate(rows):
        if row == len(table.names):
            raise UserError(f"{_at(images, row)} has no row in {votes}; take both files from one copy of FER+")
        if _known(usage, images, row) != table.usage[row]:
            raise UserError(
                f"{_at(images, row)} has Usage {usage}, but {table.usage[row]} in {votes}; "
                "both files need the same rows in the original order"
            )
        pixels += _pixels(field, images, row)
    if row + 1 < len(table.names):
        raise UserError(f"{_at(votes, row + 1)} has no row in {images}; take both files from one copy of FER+")
    return Faces(table.votes, table.usage, table.names, np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE))


def read_votes(path: Path) -> Votes:
    """Rows of fer2013new.csv; UserError for a damaged file."""
    votes, usages, names = [], [], []
    for row, (usage, name, *numbers) in enumerate(_rows(path, VOTE_COLUMNS)):
        if wrong := [number for number in numbers if number not in _VOTES]:
            raise UserError(f"{_at(path, row)} has {wrong[0][:20]!r} votes, not 0 to 10; name an intact copy")
        votes.append([_VOTES[number] for number in numbers])
        usages.append(_known(usage, path, row))
        names.append(name)
    if not votes:
        raise UserError(f"{path}: no rows below the header; name an intact copy")
    return Votes(np.array(votes, np.int64), np.array(usages), tuple(names))


def _at(path: Path, row: int) -> str:
    return f"{path}: row {row} (line {row + 2})"


def _known(usage: str, path: Path, row: int) -> str:
    if usage not in SPLITS.values():
        known = ", ".join(SPLITS.values())
        raise UserError(f"{_at(path, row)} has Usage {usage[:20]!r}, not one of {known}; name an intact copy")
    return usage


def _pixels(field: str, path: Path, row: int) -> bytes:
    if odd := field.encode().translate(None, b"0123456789 ").decode():
        raise UserError(f"{_at(path, row)} has {odd[0]!r} among the pixels, not only numbers; name an intact copy")
    numbers = np.fromstring(field, np.int64, sep=" ")
    if numbers.size != SIDE * SIDE:
        raise UserError(f"{_at(path, row)} has {len(field.split())} pixels, not {SIDE * SIDE}; name an intact copy")
    if (largest := numbers.max()) > 255:
        raise UserError(f"{_at(path, row)} has a pixel of {largest}, above 255; name an intact copy")
    return numbers.astype(np.uint8).tobytes()


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[list[str]]:
    """Fields of each row below the header."""
    lines = _lines(path)
    header = next(lines, None)
    if header is None:
        raise UserError(f"{path}: empty file; name an intact copy")
    if header.removeprefix("\ufeff") != ",".join(columns):
        raise UserError(f"{path}: starts with {header[:60]!r}, not with {','.join(columns)}; name the right file")
    for row, line in enumerate(lines):
        fields = line.split(",")
        if len(fields) != len(columns):
            raise UserError(f"{_at(path, row)} has {len(fields)} columns, not {len(columns)}; name an intact copy")
        if row >= MOST_ROWS:
            raise UserError(f"{path}: more than the {MOST_ROWS} rows of FER2013; name an intact copy")
        yield fields


def _lines(path: Path) -> Iterator[str]:
    """Lines of a plain or gzipped file, the header first."""
    place = f"{path}:"
    try:
        with path.open("rb") as raw:
            packed = raw.peek(len(_GZIP)).startswith(_GZIP)
            stream = gzip.GzipFile(fileobj=raw) if packed else raw
            for row in count(-1):
                place = f"{path}: the header" if row < 0 else _at(path, row)
                line = stream.readline(LONGEST_LINE + 1)
                if len(line) > LONGEST_LINE:
                    raise UserError(f"{place} is longer than {LONGEST_LINE} bytes; name an intact copy")
                if not line:
                    return
                yield line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{place} is not UTF-8; name an intact copy") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{place} cannot be read ({reason}); name an intact copy") from error


def report(table: Votes) -> Iterator[str]:
    """Lines for the reader: rows kept per split and mode, rows whose target has each emotion, published size."""
    yield (
        f"{'split':7}{'mode':15}{'kept':>6}" + "".join(f"{name:>{len(name) + 2}}" for name in EMOTIONS) + "  published"
    )
    for split, usage in SPLITS.items():
        votes = table.votes[table.usage == usage]
        for mode in MODES if len(votes) else ():
            target, kept = targets(votes, mode)
            emotions = (target > 0).sum(0).tolist()
            cells = "".join(f"{number:>{len(name) + 2}}" for name, number in zip(EMOTIONS, emotions, strict=True))
            yield f"{split:7}{mode:15}{len(kept):>6}{cells}  {_verdict(split, mode, len(kept), emotions)}"
        if not len(votes):
            yield f"{split:7}no rows with Usage {usage}"


def _verdict(split: str, mode: str, kept: int, emotions: list[int]) -> str:
    """Published size with `matches` or `differs`; published numbers of the emotions that differ, where known."""
    published = MAJORITY_CLASSES.get(split, emotions) if mode == "majority" else emotions
    pairs = zip(EMOTIONS, published, emotions, strict=True)
    wrong = ", ".join(f"{name} {number}" for name, number, found in pairs if number != found)
    size = SIZES[mode][split]
    return f"{size:>9} {'differs' if wrong or kept != size else 'matches'}{f' ({wrong})' if wrong else ''}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing; `parser` gets the options of this verb."""
    parser.add_argument("--images", type=Path, required=True, help="fer2013.csv, plain or gzipped")
    parser.add_argument("--votes", type=Path, required=True, help="fer2013new.csv, the FER+ votes of the same rows")


def main(args: argparse.Namespace) -> None:
    """Nothing; the counts are on stdout."""
    print("\n".join(report(read(args.images, args.votes))))
