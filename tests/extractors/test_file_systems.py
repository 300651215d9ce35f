"""Jobs on disks that are full, in the way, without rights or without locks, and beside another run of themselves."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from extractors.store import FeatureStore

ROOT = Path(__file__).resolve().parents[2]
NO_LOCKS = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/file.h>
int flock(int handle, int operation) { (void)handle; (void)operation; errno = CODE; return -1; }
"""
LIMITED = (
    "import resource, runpy, signal, sys\n"
    "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)\n"
    "runpy.run_module('extractors', run_name='__main__')\n"
)


@pytest.fixture
def words(small: Any) -> list[str]:
    """Command line of a job over 600 texts."""
    for number in range(600):
        small.add(f"u{number:03}", text=f"utterance {number} " * (1 + number % 20))
    out = small.root / "out" / "text.h5"
    given = ["--manifest", small.manifest(), "--root", small.root, "--origin", "synthetic", "--out", out]
    return ["-m", "extractors", "text", *map(str, given), "--settings", '{"model": "hashing"}']


def call(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def lines(job: subprocess.CompletedProcess[str]) -> list[str]:
    assert "Traceback" not in job.stderr, job.stderr
    return [line for line in job.stderr.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("limit", [0, 60_000, 400_000])
def test_a_disk_that_is_full_ends_in_one_line(words: list[str], small: Any, limit: int) -> None:
    job = call(["-c", LIMITED, str(limit), *words[2:]])
    (line,) = lines(job)
    assert job.returncode == 1
    assert "File too large; raise the limit" in line
    assert f"{small.root / 'out'}/.text.parts/" in line
    assert not (small.root / "out" / "text.h5").exists()
    assert call(words).returncode == 0


def test_a_file_in_the_way_of_a_folder_is_named(words: list[str], small: Any) -> None:
    (small.root / "out").write_text("")
    job = call(words)
    assert job.returncode == 1
    assert lines(job) == [
        f"error: {small.root / 'out'}: Not a directory; a file is in the way of a folder; move it away and run again"
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(words: list[str], small: Any) -> None:
    (small.root / "out").mkdir(mode=0o500)
    job = call(words)
    (line,) = lines(job)
    assert "Permission denied; let this user read and write there" in line


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize("code", ["ENOLCK", "EIO"])
def test_a_file_system_without_locks(words: list[str], small: Any, code: str) -> None:
    library = small.root / "nolock.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-DCODE=" + code, "-xc", "-", "-o", library], input=NO_LOCKS, text=True, check=True
    )
    job = call(words, LD_PRELOAD=str(library))
    assert job.returncode == 0, job.stderr
    assert not lines(job)
    assert job.stderr.count("this file system has no locks") == 1
    out = small.root / "out" / "text.h5"
    read = call(["-m", "extractors", "fsck", str(out)], LD_PRELOAD=str(library))
    assert read.returncode == 0, read.stderr
    assert [path.name for path in out.parent.iterdir()] == ["text.h5"]


def test_stores_are_written_and_read_without_locks(
    words: list[str], small: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where there is no compiler: HDF5 is never asked to lock."""
    from extractors.__main__ import VERBS
    from extractors.console import run

    asked = []
    opened = h5py.File

    def spy(*args: Any, **options: Any) -> h5py.File:
        asked.append(isinstance(args[0], io.IOBase) or options.get("locking") is False)
        return opened(*args, **options)

    monkeypatch.setattr(h5py, "File", spy)
    assert run("extractors", VERBS, words[2:]) == 0
    assert len(asked) > 3
    assert all(asked)


def test_a_second_run_of_a_living_job_is_refused_and_costs_it_nothing(words: list[str], small: Any) -> None:
    """Other settings, so that the second one would take the parts of the first for old ones."""
    out = small.root / "out" / "text.h5"
    first = subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not list(out.parent.glob(".text.parts/*/0*.h5")):
        assert first.poll() is None, "it was over before the second began"
    first.send_signal(signal.SIGSTOP)
    parts = set(out.parent.glob(".text.parts/*/0*.h5"))
    try:
        second = call([*words, "--threads", "2"])
        (line,) = lines(second)
        assert second.returncode == 1
        assert line.startswith(f"error: {out}: process {first.pid} on ")
        assert parts <= set(out.parent.glob(".text.parts/*/0*.h5"))
    finally:
        first.send_signal(signal.SIGCONT)
    _, shown = first.communicate(timeout=60)
    assert first.returncode == 0, shown
    with FeatureStore(out) as store:
        assert len(store.ids) == 600
    assert [path.name for path in out.parent.iterdir()] == ["text.h5"]
