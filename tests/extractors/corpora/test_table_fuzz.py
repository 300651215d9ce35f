"""Arbitrary bytes in a table, and paths that try to leave the folder."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora import Listing, lines, table
from extractors.corpora.judge import judge, look
from extractors.corpora.sounds import Sound
from extractors.files import UserError, inside
from extractors.settings import Policy
from tests.extractors.corpora.table_rows import GOOD, HEADER, reasons, rows, silent

PIECES = [HEADER, "\n", "\r", "\r\n", '"', '""', ",", ",,,,,,,", "\0", "u1", "1", "happy", "a.wav", "a.avi", "..", "/",
          "nan", "-1", "1e9", "é", "\u2028", ",".join(GOOD.values()), "\ufeff", "\x1a", " ", "x" * 250]  # fmt: skip
CONTENT = st.one_of(
    st.binary(),
    st.binary().map(lambda tail: f"{HEADER}\n".encode() + tail),
    st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: "".join(pieces).encode()),
    st.lists(st.sampled_from(PIECES), max_size=30).map(
        lambda pieces: f"{HEADER}\n{''.join(pieces)}".encode("latin-1", "ignore")
    ),
    st.lists(st.fixed_dictionaries({}, optional={name: st.text(max_size=12) for name in GOOD}), max_size=6).map(
        lambda changes: rows(*changes).encode(errors="replace")
    ),
)  # fmt: skip


@given(CONTENT, st.sampled_from([None, ("happy", "sad")]))
def test_no_bytes_break_the_parser(content: bytes, classes: tuple[str, ...] | None) -> None:
    try:
        found = table.parse(lines.split(content), classes)
    except UserError:
        return
    kept, rejected = ({row.utterance for row in rows} for rows in (found.rows, found.rejected))
    assert len(found.rows) + len(found.rejected) == found.size > 0
    assert len(kept) == len(found.rows)
    assert not kept & rejected
    assert {remark.utterance for remark in found.remarks} <= kept | rejected | {""}
    for row in found.rows:
        assert row.label in (classes or (row.label,))
        assert row.utterance.isprintable()
        assert (row.audio_start is None) == (row.video_end is None)
        assert row.audio_start is None or row.video_end is None or 0 <= row.audio_start < row.video_end
    for rejected in found.rejected:
        assert rejected.reason.isprintable()
        assert len(rejected.reason) < 300


@pytest.mark.parametrize("piece", ['"', ",", "\n", '"\n', ",\n", "\r", "\0", "a", "\xff", '",', '"a",\n', ",,,\n"])
def test_time_grows_with_the_size_and_no_faster(piece: str) -> None:
    content = f"{HEADER}\n{piece * (200_000 // len(piece))}".encode("latin-1")
    begin = time.process_time()
    with contextlib.suppress(UserError):
        table.parse(lines.split(content), None)
    assert time.process_time() - begin < 5


STEPS = ["..", ".", "a", "in", "secret.wav", "link", ""]
NAMES = st.one_of(
    st.lists(st.sampled_from([*STEPS, "/", "//", "\\", "%2e%2e", "~", "\0"]), max_size=8).map("".join),
    st.lists(st.sampled_from(STEPS), max_size=8).map("/".join),
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus folder with ways out of it, all of which lead to files that exist."""
    outer = tmp_path_factory.mktemp("outer")
    (outer / "secret.wav").write_bytes(b"secret")
    root = outer / "root"
    (root / "in").mkdir(parents=True)
    (root / "a").write_bytes(b"mine")
    (root / "in" / "a").write_bytes(b"mine")
    (root / "link").symlink_to("..")
    (root / "in" / "link").symlink_to(outer / "secret.wav")
    return root


@given(NAMES)
def test_no_path_leads_out_of_the_folder(guarded: Path, name: str) -> None:
    opened: list[Path] = []

    def open_file(path: Path) -> Sound:
        opened.append(path)
        assert path.read_bytes() == b"mine"
        return Sound()

    found = table.parse(lines.split(rows({"audio": name}).encode(errors="replace")), None)
    look(guarded, (row.audio for row in found.rows), open_file, Sound, silent, "")
    for path in opened:
        inside(guarded, path.relative_to(guarded))


def test_ways_out_are_named(guarded: Path) -> None:
    names = ["link/secret.wav", "in/link", "../secret.wav", str(guarded.parent / "secret.wav"), "in", "none"]
    found = table.parse(lines.split(rows(*({"audio": name, "video": "a"} for name in names)).encode()), None)
    listing = judge(Listing(found.rows, found.rejected, {}), guarded, Policy(), silent)
    shown = [reason for _, (_, reason) in sorted(reasons(listing).items())]
    assert listing.rows == []
    assert all("a link that leaves the corpus folder" in reason for reason in shown[:2])
    assert all("is not below the corpus folder" in reason for reason in shown[2:4])
    assert "no file but a folder" in shown[4]
    assert "missing" in shown[5]
