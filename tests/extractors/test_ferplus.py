"""Reading small copies of both files, intact and damaged, and the counts of the verb."""

from __future__ import annotations

import gzip
import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors import ferplus
from extractors.__main__ import VERBS
from extractors.console import run
from extractors.files import UserError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ferplus"
VOTES = [
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF",
    "Training,fer0000000.png,10,0,0,0,0,0,0,0,0,0",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "Training,fer0000007.png,0,5,0,0,4,0,0,0,0,0",
    "PublicTest,fer0000007.png,0,0,0,0,9,0,0,0,1,0",
]
USAGE = [line.split(",")[0] for line in VOTES[1:]]
PIXELS = [[random.Random(row).choice((0, 9, 10, 99, 100, 255)) for _ in range(2304)] for row in range(4)]
IMAGES = ["emotion,pixels,Usage"] + [
    f"3,{' '.join(map(str, pixels))},{usage}" for pixels, usage in zip(PIXELS, USAGE, strict=True)
]


class Copy:
    """Both files of a small copy, to be damaged and read."""

    def __init__(self, folder: Path) -> None:
        self.images, self.votes = folder / "fer2013.csv", folder / "fer2013new.csv"
        self.write(self.images, IMAGES)
        self.write(self.votes, VOTES)

    def write(self, path: Path, lines: list[str]) -> None:
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())

    def complaint(self) -> str:
        with pytest.raises(UserError) as error:
            ferplus.read(self.images, self.votes)
        assert "\n" not in str(error.value)
        assert "; " in str(error.value)
        return str(error.value)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_rows_are_joined_by_their_order(copy: Copy) -> None:
    faces = ferplus.read(copy.images, copy.votes)
    assert (faces.images.dtype, faces.images.shape) == (np.uint8, (4, 48, 48))
    assert all(faces.images[i, y, x] == PIXELS[i][48 * y + x] for i in range(4) for y in range(48) for x in range(48))
    assert faces.votes.tolist() == [[int(cell) for cell in line.split(",")[2:]] for line in VOTES[1:]]
    assert faces.usage.tolist() == USAGE
    assert faces.names == ("fer0000000.png", "", "fer0000007.png", "fer0000007.png")


def test_gzip_is_known_by_its_content_and_line_ends_do_not_matter(copy: Copy) -> None:
    plain = ferplus.read(copy.images, copy.votes)
    for path in (copy.images, copy.votes):
        path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip()))
    packed = ferplus.read(copy.images, copy.votes)
    assert np.array_equal(plain.images, packed.images)
    assert np.array_equal(plain.votes, packed.votes)
    assert plain.usage.tolist() == packed.usage.tolist()
    misnamed = copy.votes.with_suffix(".gz")
    copy.write(misnamed, VOTES)
    assert ferplus.read_votes(misnamed).names == plain.names


ROW_1 = "row 1 (line 3)"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"3,{'7 ' * 2303}7", f"{ROW_1} has 2 columns, not 3"),
        ("", f"{ROW_1} has 1 columns"),
        (f"3,{'7 ' * 2302}7,Training", f"{ROW_1} has 2303 pixels, not 2304"),
        (f"3,{'7 ' * 2305},Training", f"{ROW_1} has 2305 pixels"),
        ("3,,Training", f"{ROW_1} has 0 pixels"),
        (f"3,{'7 ' * 2303}256,Training", f"{ROW_1} has a pixel of 256"),
        (f"3,{'7 ' * 2303}4294967297,Training", f"{ROW_1} has a pixel of 4294967297"),
        (f"3,{'7 ' * 2303}{2**64 + 1},Training", f"{ROW_1} has a pixel of"),
        (f"3,{'7 ' * 2303}-7,Training", f"{ROW_1} has '-' among the pixels"),
        (f"3,{'7 ' * 2303}7.5,Training", f"{ROW_1} has '.' among the pixels"),
        (f"3,{'7 ' * 2303}٧,Training", f"{ROW_1} has '٧' among the pixels"),
        (f"3,{'7 ' * 2303}7,Private", f"{ROW_1} has Usage 'Private', not one of Training, PublicTest, PrivateTest"),
        (f"3,{'7 ' * 20_000},Training", f"{ROW_1} is longer than 20000 bytes"),
    ],
)
def test_damaged_image_rows(line: str, expected: str, copy: Copy) -> None:
    copy.write(copy.images, [*IMAGES[:2], line, *IMAGES[3:]])
    assert f"{copy.images}: {expected}" in copy.complaint()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Training,,0,0,0,0,0,0,0,0,10", f"{ROW_1} has 11 columns, not 12"),
        ("Training,,0,0,0,0,0,0,0,0,0,1.5", f"{ROW_1} has '1.5' votes"),
        ("Training,,0,0,0,0,0,0,0,0,0,-1", f"{ROW_1} has '-1' votes"),
        ("Training,,0,0,0,0,0,0,0,0,0,11", f"{ROW_1} has '11' votes, not 0 to 10"),
        ("Training,,0,0,0,0,0,0,0,0,,10", f"{ROW_1} has '' votes"),
        ("Testing,,0,0,0,0,0,0,0,0,0,10", f"{ROW_1} has Usage 'Testing'"),
        (f"Training,{'x' * 30_000},0,0,0,0,0,0,0,0,0,10", f"{ROW_1} is longer"),
    ],
)
def test_damaged_vote_rows(line: str, expected: str, copy: Copy) -> None:
    copy.write(copy.votes, [*VOTES[:2], line, *VOTES[3:]])
    assert f"{copy.votes}: {expected}" in copy.complaint()


@pytest.mark.parametrize("which", ["images", "votes"])
def test_damaged_files(which: str, copy: Copy) -> None:
    path: Path = getattr(copy, which)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    packed = gzip.compress(whole, mtime=0)

    def with_content(content: bytes) -> str:
        path.write_bytes(content)
        complaint = copy.complaint()
        assert complaint.startswith(f"{path}:")
        return complaint

    assert "starts with 'a,b', not with " in with_content(whole.replace(lines[0], b"a,b\n"))
    assert "starts with " in with_content(b"".join(lines[1:]))
    assert "empty file" in with_content(b"")
    assert "empty file" in with_content(gzip.compress(b""))
    assert "row 2 (line 4) is not UTF-8" in with_content(b"".join([*lines[:3], b"\xff" + lines[3], *lines[4:]]))
    assert "header is not UTF-8" in with_content(b"\xff" + whole)
    assert "cannot be read (Compressed file ended" in with_content(packed[:-12])
    assert "cannot be read (CRC check failed" in with_content(packed[:-8] + bytes(8))
    assert "cannot be read (Error -3" in with_content(packed[:10] + b"\xff" * 20)
    assert "the header is longer than" in with_content(gzip.compress(bytes(1_000_000)))
    path.unlink()
    assert f"{path}: cannot be read (No such file or directory)" in copy.complaint()
    path.mkdir()
    assert f"{path}: cannot be read (Is a directory)" in copy.complaint()


ODD = [b"\n", b"\r\n", b"\r", b",", b" ", b"0", b"-1", b"\0", b"\xff", b"\xef\xbb\xbf", b"\x1f\x8b", b"\xc2\x85", b'"']
IMAGE_PIECES = [*IMAGES, f"3,{'7 ' * 2304}", "7 " * 2304, "3,", ",Training\n", "9" * 30]
VOTE_PIECES = [*VOTES, "Training,", "10,0,0,0,0,0,0,0,0,0", "11"]


def contents(lines: list[str], pieces: list[str]) -> st.SearchStrategy[bytes]:
    """Random bytes, pieces of a file below its header or not, whole lines in any order; packed ones may be cut."""
    header = f"{lines[0]}\n".encode()
    mixed = st.binary() | st.lists(st.sampled_from([piece.encode() for piece in pieces] + ODD), max_size=9).map(
        b"".join
    )
    whole = st.lists(st.sampled_from(lines[1:]), max_size=5).map(lambda rows: "\n".join(rows).encode())
    plain = mixed | (mixed | whole).map(header.__add__)
    packed = st.builds(lambda content, cut: gzip.compress(content)[: -cut or None], plain, st.integers(0, 40))
    return st.booleans().flatmap(lambda zipped: packed if zipped else plain)


@settings(deadline=None)  # the first example imports tqdm
@given(contents(IMAGES, IMAGE_PIECES), contents(VOTES, VOTE_PIECES))
def test_no_bytes_break_the_reader(tmp_path_factory: pytest.TempPathFactory, images: bytes, votes: bytes) -> None:
    copy = Copy(tmp_path_factory.getbasetemp())
    intact = copy.images.read_bytes(), copy.votes.read_bytes()
    for both in ((images, votes), (images, intact[1]), (intact[0], votes)):
        copy.images.write_bytes(both[0])
        copy.votes.write_bytes(both[1])
        faces, complaint = None, ""
        try:
            faces = ferplus.read(copy.images, copy.votes)
        except UserError as error:
            complaint = str(error)
        assert complaint.isprintable()
        assert bool(complaint) == (faces is None)
        if faces:
            assert len(faces.images) == len(faces.votes) == len(faces.usage) == len(faces.names) > 0


def test_no_more_rows_than_fer2013_has(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ferplus, "MOST_ROWS", 4)
    assert len(ferplus.read(copy.images, copy.votes).names) == 4
    monkeypatch.setattr(ferplus, "MOST_ROWS", 3)
    assert f"{copy.votes}: more than the 3 rows" in copy.complaint()


def test_files_that_do_not_belong_together(copy: Copy) -> None:
    def both_named() -> str:
        complaint = copy.complaint()
        assert str(copy.images) in complaint
        assert str(copy.votes) in complaint
        return complaint

    copy.write(copy.images, [*IMAGES[:3], IMAGES[4], IMAGES[3]])
    assert "row 2 (line 4) has Usage PublicTest, but Training in" in both_named()
    copy.write(copy.images, IMAGES[:-1])
    assert f"{copy.votes}: row 3 (line 5) has no row in {copy.images}" in both_named()
    copy.write(copy.images, IMAGES[:1])
    assert f"{copy.votes}: row 0 (line 2) has no row in {copy.images}" in both_named()
    copy.write(copy.images, [*IMAGES, IMAGES[4]])
    assert f"{copy.images}: row 4 (line 6) has no row in {copy.votes}" in both_named()
    copy.write(copy.votes, VOTES[:1])
    assert f"{copy.votes}: no rows below the header" in copy.complaint()


def test_verb_counts_rows_and_emotions(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("extractors", VERBS, ["ferplus", "--images", str(copy.images), "--votes", str(copy.votes)]) == 0
    header, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header == ["split", "mode", "kept", *VOTES[0].split(",")[2:10], "published"]
    counts = {(cells[0], cells[1]): [int(cell) for cell in cells[2:11]] for cells in rows[:-1]}
    assert counts["train", "majority"] == [2, 1, 1, 0, 0, 0, 0, 0, 0]
    assert counts["train", "probability"] == [2, 1, 1, 0, 0, 1, 0, 0, 0]
    assert counts["train", "multi_target"] == counts["train", "cross_entropy"] == counts["train", "probability"]
    assert counts["valid", "majority"] == [1, 0, 0, 0, 0, 1, 0, 0, 0]
    assert rows[0][11:15] == ["25060", "differs", "(neutral", "8740,"]
    assert rows[1][11:] == ["27956", "differs"]
    assert rows[4][11:] == ["3199", "differs"]
    assert len(rows) == 9
    assert " ".join(rows[8]) == "test no rows with Usage PrivateTest"


def test_verb_shows_one_line_for_a_bad_file(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("extractors", VERBS, ["ferplus", "--images", str(copy.votes), "--votes", str(copy.votes)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith(f"error: {copy.votes}: starts with 'Usage,Image name")


@pytest.mark.skipif(not REAL.is_dir(), reason="no test data beside the checkout")
def test_real_rows(copy: Copy) -> None:
    rows = 300
    with gzip.open(REAL / "fer2013.csv.gz", "rt") as stream:
        lines = [line.rstrip() for line in islice(stream, rows + 1)]
    copy.write(copy.images, lines)
    copy.write(copy.votes, (REAL / "fer2013new.csv").read_text().splitlines()[: rows + 1])
    faces = ferplus.read(copy.images, copy.votes)
    expected = [[int(pixel) for pixel in line.split(",")[1].split()] for line in lines[1:]]
    assert np.array_equal(faces.images.reshape(rows, -1), expected)


@pytest.mark.skipif(not REAL.is_dir(), reason="no test data beside the checkout")
def test_real_counts_match() -> None:
    lines = list(ferplus.report(ferplus.read_votes(REAL / "fer2013new.csv")))
    assert [line.endswith(" matches") for line in lines[1:]] == [True] * 8 + [False]
    assert len({len(line) for line in lines[1:9]}) == 1
