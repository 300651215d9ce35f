"""Many reasons in a few words: those that differ only in numbers or in the name of a missing file are one."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from extractors.corpora import Rejected

_NUMBER = re.compile(r"(?<![\w-])[0-9]+([.][0-9]+)?")
_WHICH_FILE = re.compile(r"(?<=: missing): .*")


def kind(reason: str) -> str:
    """What a reason has in common with others of its kind."""
    return _NUMBER.sub("#", _WHICH_FILE.sub("", reason))


def causes(rejected: Iterable[Rejected], most: int = 3) -> str:
    """The commonest kinds of reasons, each with its number and an example."""
    alike: dict[str, list[Rejected]] = defaultdict(list)
    for row in rejected:
        alike[f"{row.stage}: {kind(row.reason)}"].append(row)
    return "; ".join(
        f"{text} ({'once' if len(rows) == 1 else f'{len(rows)} times'}), such as {rows[0].utterance}"
        + (f", {rows[0].reason}" if f"{rows[0].stage}: {rows[0].reason}" != text else "")
        for text, rows in sorted(alike.items(), key=lambda item: -len(item[1]))[:most]
    )
