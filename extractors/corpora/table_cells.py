"""Cells of a table, whichever program printed them: numbers, names, paths, labels and values that are absent."""

from __future__ import annotations

import re
import unicodedata

from extractors.corpora.lines import clean

LONGEST_NAME, MOST_SECONDS = 200, 1_000_000
SHOWN = 40
"""Characters of a cell in a message."""

_WIDTHLESS = "\x1a\u200b\u200e\u200f\u2060\ufeff"
_ABSENT = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL"}
    | {"NaN", "NaT", "None", "n/a", "nan", "null"}
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,400}|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")
_NUMPY = re.compile(r"(?:np|numpy)\.float(?:16|32|64)\(([^()]{1,80})\)")
_CLOCK = re.compile(r"([0-9]{1,3}):([0-5]?[0-9]):([0-5]?[0-9](?:[.,][0-9]{1,9})?)")
_NEARLY_ZERO = -1e-6
"""Seconds, far below one sample: the rounding of a difference of two floats."""


def tidy(cell: str) -> str:
    """A cell without blanks at its ends, those of no width and those that do not break included."""
    while cell != (cell := cell.strip().strip(_WIDTHLESS)):
        pass
    return cell


def stands_for_nothing(cell: str) -> bool:
    """Whether pandas, numpy, R or a spreadsheet print this where there is no value."""
    return cell in _ABSENT


def bare(cell: str) -> str:
    """A cell without what makes a spreadsheet take it for text (`'1`, `="1"`)."""
    return cell.removeprefix("=").strip('"') if cell.startswith('="') else cell.removeprefix("'")


def whole(cell: str) -> str:
    """A cell where a whole number that was printed as 1.0 is 1."""
    number, point, zeros = cell.partition(".")
    return number if point and zeros and not zeros.strip("0") and number.isdecimal() else cell


def seconds(column: str, cell: str, decimal_comma: bool) -> float:
    """A time; ValueError says in words why it is none, and how to write it."""
    number = hit[1] if (hit := _NUMPY.fullmatch(cell)) else cell
    if decimal_comma and number.count(",") == 1 and "." not in number:
        number = number.replace(",", ".")
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"{column} {shown(cell)} is not a number of seconds{_how_to_write(cell)}")
    value = float(number)
    if not _NEARLY_ZERO <= value <= MOST_SECONDS:
        raise ValueError(f"{column} {cell} is not between 0 and {MOST_SECONDS} seconds")
    return max(value, 0.0) + 0.0  # -0.0 is 0.0


def _how_to_write(cell: str) -> str:
    if hit := _CLOCK.fullmatch(cell):
        hours, minutes, rest = hit.groups()
        return f"; write {3600 * int(hours) + 60 * int(minutes) + float(rest.replace(',', '.')):g}"
    if hit := re.fullmatch(r"([0-9.]+) ?s(?:ec(?:onds?)?)?", cell):
        return f"; write {hit[1]}"
    if ":" in cell:
        return "; write 62.5 for 1 minute and 2.5 seconds"
    if re.fullmatch(r"[0-9]+,[0-9]+", cell):
        return f"; write a point before the decimals, {cell.replace(',', '.')}"
    if re.fullmatch(r"[0-9]{1,3}(?:[,' \xa0\u202f.][0-9]{3})+(?:[.,][0-9]+)?", cell):
        return "; write it without marks between thousands"
    return ""


def name_problem(column: str, name: str) -> str:
    """Why a name cannot be used, or an empty string."""
    if not name:
        return f"{column} is empty"
    if len(name) > LONGEST_NAME:
        return f"{column} has {len(name)} characters, {LONGEST_NAME} at most are possible"
    return "" if name.isprintable() else f"{column} has characters that cannot be shown"


def path_problem(column: str, path: str) -> str:
    """Why this cannot be the path of a file below the folder of the corpus, or an empty string."""
    if not path or stands_for_nothing(path):
        return f"no file is named in column {column}"
    if clean(path) != path or "\\" in path:
        return f"file {shown(path)}; folders are separated by /, and control characters cannot be used"
    if path.startswith("/") or ".." in path.split("/"):
        return f"file {shown(path)} is not below the corpus folder; name it from there, without .."
    return ""


def spelling(label: str) -> str:
    """A label in composed characters, with single blanks."""
    return " ".join(unicodedata.normalize("NFC", whole(bare(label))).split())


def shown(cell: str) -> str:
    """A cell in a message: in quotation marks, its first characters if it is long."""
    return repr(cell[:SHOWN]) + ("..." if len(cell) > SHOWN else "")
