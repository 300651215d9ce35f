import csv
import errno
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.files import UserError, inside, publish, read_csv, read_json, sha256, write_csv, write_json


def test_publish_leaves_the_old_file_when_the_block_raises(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), publish(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_writer_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from extractors.files import publish\n"
        "with publish(Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.txt")], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "writing\n"
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "a.txt").exists()


def write_after(
    lines: list[str], ready: threading.Event, go: threading.Event, path: Path, faults: list[object]
) -> None:
    try:
        with publish(path) as draft, draft.open("w") as stream:
            for number, text in enumerate(lines):
                stream.write(text)
                stream.flush()
                if number == len(lines) // 2:
                    ready.set()
                    assert go.wait(10)
    except BaseException as error:
        faults.append(error)


def test_two_writers_of_one_file_each_publish_their_own(tmp_path: Path) -> None:
    """The second starts, and is half done, while the first writes; the first ends first."""
    path, faults = tmp_path / "a.csv", []
    content = {name: [f"{name},{number}\n" for number in range(10)] for name in "AB"}
    events = {name: (threading.Event(), threading.Event()) for name in "AB"}
    jobs = {
        name: threading.Thread(target=write_after, args=(content[name], *events[name], path, faults)) for name in "AB"
    }
    for name in "AB":
        jobs[name].start()
        assert events[name][0].wait(10)
    for name in "AB":
        events[name][1].set()
        jobs[name].join()
        assert path.read_text() == "".join(content[name])
    assert not faults
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("locks", [True, False])
def test_the_next_writer_removes_what_a_killed_one_left_but_nothing_of_a_living_one(
    tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys, time; from pathlib import Path; from extractors.files import publish\n"
        "with publish(Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    jobs = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for job in jobs:
        assert job.stdout is not None
        assert job.stdout.readline() == "writing\n"
    (tmp_path / ".a.txt.mine.draft").mkdir()
    (tmp_path / ".b.txt.12345678.draft").mkdir()
    drafts = set(tmp_path.glob(".a.txt.????????.draft"))
    assert len(drafts) == 2
    jobs[0].kill()
    jobs[0].wait()
    if not locks:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    with publish(tmp_path / "a.txt") as draft:
        draft.write_text("whole")
    left = set(tmp_path.glob(".a.txt.????????.draft"))
    jobs[1].kill()
    jobs[1].wait()
    assert left < drafts if locks else left == drafts
    assert len(left) == 1 or not locks
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert (tmp_path / ".a.txt.mine.draft").exists()
    assert (tmp_path / ".b.txt.12345678.draft").exists()


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_a_writer_that_replaces_its_draft_is_safe_as_well(tmp_path: Path) -> None:
    """As safetensors does, and `mv`."""
    with publish(tmp_path / "a.txt") as draft:
        (tmp_path / "beside").write_text("first")
        (tmp_path / "beside").replace(draft)
        with publish(tmp_path / "a.txt") as second:
            second.write_text("second")
    assert (tmp_path / "a.txt").read_text() == "first"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.mkdir(parents=True), "a.txt: Is a directory; a folder is in the way"),
        (
            lambda path: path.parent.parent.mkdir() or path.parent.write_text(""),
            "deep: File exists; a file is in the way of a folder; move it away",
        ),
        (lambda path: path.parent.parent.write_text(""), "way: Not a directory; a file is in the way of a folder"),
    ],
)
def test_what_is_in_the_way_is_named(tmp_path: Path, spoil: Callable[[Path], object], words: str) -> None:
    path = tmp_path / "way" / "deep" / "a.txt"
    spoil(path)
    with pytest.raises(UserError, match=re.escape(words)), publish(path) as draft:
        draft.write_text("x")


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.EDQUOT, errno.ENOSPC])
def test_a_folder_that_takes_no_file(tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text("before")

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code), str(tmp_path / ".a.csv.abc.draft"))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(UserError, match=rf"^{tmp_path}/a\.csv: {os.strerror(code)}; "):
        write_csv(tmp_path / "a.csv", ["a"], [])
    assert (tmp_path / "a.csv").read_text() == "before"


def test_an_error_about_another_file_is_not_told_of_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"input\.txt"), publish(tmp_path / "a.txt"):
        (tmp_path / "input.txt").read_text()
    with pytest.raises(UserError, match=r"a\.txt: No space left on device; make space"), publish(tmp_path / "a.txt"):
        raise RuntimeError("Can't decrement id ref count (errno = 28, error message = 'No space left on device')")
    assert not list(tmp_path.iterdir())


def test_a_file_system_that_sets_no_rights_and_syncs_no_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    def sync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr(os, "fsync", sync)
    with publish(tmp_path / "a.txt") as draft:
        draft.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_publish_makes_folders_and_readable_files(tmp_path: Path) -> None:
    with publish(tmp_path / "deep" / "a.csv") as draft:
        assert draft.suffix == ".csv"
        draft.write_text("x")
    assert (tmp_path / "deep" / "a.csv").stat().st_mode & 0o777 == 0o644


def test_csv_and_json_round_trip(tmp_path: Path) -> None:
    rows = [{"a": 'x, "y"\nz', "b": "é"}]
    write_csv(tmp_path / "t.csv", ["a", "b"], rows)
    assert read_csv(tmp_path / "t.csv") == rows
    write_json(tmp_path / "t.json", {"k": [1]})
    assert read_json(tmp_path / "t.json") == {"k": [1]}
    assert json.loads((tmp_path / "t.json").read_text()) == {"k": [1]}


HARMLESS = ["", "1", "-0.5", "+3", "-.5e-3", "-inf", "nan", "a-b", "'Cause", "''", " =1+1", "what = that"]
FORMULAS = ["=1+1", "- what?", "-", "+49 30", "@home", "\t=1", "\r=1", "\n=1", "=HYPERLINK(1)", "-1+1", "＝1", "-1_0"]


def test_cells_that_a_spreadsheet_would_compute_are_texts_in_the_file_and_as_before_when_read(tmp_path: Path) -> None:
    before = [*HARMLESS, *FORMULAS, *(f"'{text}" for text in FORMULAS), *(f"''{text}" for text in FORMULAS), "'-0.5"]
    write_csv(tmp_path / "t.csv", ["a", "b"], [{"a": text, "b": "x"} for text in before])
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        cells = [row["a"] for row in csv.DictReader(stream)]
    assert cells[: len(HARMLESS)] == HARMLESS
    assert not [cell for cell in cells[len(HARMLESS) :] if cell[0] != "'"]
    assert [row["a"] for row in read_csv(tmp_path / "t.csv")] == before


@given(st.lists(st.text("'=+-@\t\r\n,;\"ab 1.", max_size=6)))
def test_any_text_comes_back_from_a_csv(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_csv(path, ["a", "b"], [{"a": text, "b": "x"} for text in texts])
        assert [row["a"] for row in read_csv(path)] == texts


def test_numbers_are_numbers(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ["a", "b", "c"], [{"a": -0.5, "b": -3, "c": None}])
    assert (tmp_path / "t.csv").read_text() == "a,b,c\n-0.5,-3,\n"


def test_a_row_with_a_foreign_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_csv(tmp_path / "t.csv", ["a"], [{"a": 1, "b": 2}])
    assert not list(tmp_path.iterdir())


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    code = "import sys, pathlib; from extractors.files import write_json; write_json(pathlib.Path(sys.argv[1]), 1)"
    for umask, mode in ((0o077, 0o600), (0o022, 0o644), (0o002, 0o664)):
        path = tmp_path / f"{umask}.json"
        subprocess.run([sys.executable, "-c", code, str(path)], check=True, umask=umask)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_missing_and_broken_files_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json.*delete it"):
        read_json(tmp_path / "bad.json")


def test_sha256_of_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("path", ["../b", "/etc/passwd", "link/x", "a/../../b"])
def test_paths_outside_the_root_are_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leaves"):
        inside(root, path)
    assert inside(root, "a/b") == (root / "a" / "b").resolve()
