"""Small tables of utterances for the tests."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from extractors.corpora import Listing, table
from extractors.settings import Table

HEADER = "utterance,session,speaker,label,text,audio,video,start,end,crop,dialogue"
GOOD = {
    "utterance": "u1", "session": "1", "speaker": "Ann", "label": "happy", "text": "Hello.", "audio": "a.wav",
    "video": "a.avi", "start": "", "end": "", "crop": "", "dialogue": "",
}  # fmt: skip


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


def rows(*changes: dict[str, str]) -> str:
    """A table of good rows, each with some other values; ids are u1, u2 and so on where they are not given."""
    out = io.StringIO()
    names = dict.fromkeys([*GOOD, *(name for change in changes for name in change)])
    writer = csv.DictWriter(out, list(names), restval="")
    writer.writeheader()
    writer.writerows({**GOOD, "utterance": f"u{number}", **change} for number, change in enumerate(changes, 1))
    return out.getvalue()


def reasons(listing: Listing) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {row.utterance: (row.stage, row.reason) for row in listing.rejected}
    assert len(found) == len(listing.rejected)
    return found


def corpus(root: Path, content: str | bytes | None = None, **settings: Any) -> Table:
    """Settings of a folder whose table is `content`."""
    if content is not None:
        (root / "utterances.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return Table(type="table", root=str(root), **settings)


def read(root: Path, content: str | bytes, **settings: Any) -> Listing:
    found = corpus(root, content, **settings)
    return table.read(found, table.sessions(found))
