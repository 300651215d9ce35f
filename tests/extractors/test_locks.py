from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from extractors import locks
from extractors.files import UserError
from extractors.locks import BusyError, Lock, hold, is_elsewhere

HOLD = "import sys; from pathlib import Path; from extractors.locks import Lock; lock = Lock(Path(sys.argv[1]))\n"
WAIT = "print('held', flush=True); sys.stdin.read()\n"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder."""
    words = [sys.executable, "-c", HOLD + WAIT, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "held\n"
        yield job
        job.kill()


def test_another_process_is_named_until_it_is_killed(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    with pytest.raises(UserError, match=rf"out\.h5: process {other.pid} on \S+ is making it; wait for its end, or end"):
        hold(tmp_path, tmp_path / "out.h5")
    other.kill()
    other.wait()
    hold(tmp_path, tmp_path / "out.h5").close()


def test_a_process_may_ask_again_and_release_twice(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    first = hold(folder, tmp_path)
    second = hold(folder, tmp_path)
    first.close()
    with pytest.raises(BusyError):
        Lock(folder)
    second.close()
    second.close()
    Lock(folder).close()


def test_a_folder_that_its_holder_removes_and_another_makes_again_is_locked_anew(tmp_path: Path) -> None:
    first = Lock(tmp_path)
    (tmp_path / ".lock").unlink()
    second = Lock(tmp_path)
    with pytest.raises(BusyError):
        Lock(tmp_path)
    first.close()
    with pytest.raises(BusyError):
        Lock(tmp_path)
    second.close()


def test_a_lock_whose_holder_has_not_yet_written_its_name(tmp_path: Path) -> None:
    handle = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(BusyError, match="another process"):
        Lock(tmp_path)
    os.close(handle)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL])
def test_without_locks_there_is_one_warning_and_only_what_is_known_to_live_is_respected(
    tmp_path: Path,
    code: int,
    other: subprocess.Popen[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    locks._warn.cache_clear()
    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(BusyError, match=f"process {other.pid} on"):
        Lock(tmp_path)
    other.kill()
    other.wait()
    for holder in (None, [other.pid, "elsewhere"], [1, "elsewhere"], [0, ""], "x"):
        if holder is not None:
            (tmp_path / ".lock").write_text(json.dumps(holder))
        lock = Lock(tmp_path)
        assert not lock.certain
        lock.close()
    (record,) = caplog.records
    assert f"no locks ({os.strerror(code)})" in record.message


def test_what_another_machine_took_is_its_own_for_a_day(tmp_path: Path) -> None:
    """Some file systems grant each machine the same lock."""
    assert not is_elsewhere(tmp_path)
    path = tmp_path / locks.NAME
    for host, age, wanted in (("elsewhere", 0, True), ("elsewhere", 90_000, False), (socket.gethostname(), 0, False)):
        path.write_text(json.dumps([1, host]))
        os.utime(path, (time.time() - age,) * 2)
        assert is_elsewhere(tmp_path) == wanted
    path.write_text("{")
    assert not is_elsewhere(tmp_path)
