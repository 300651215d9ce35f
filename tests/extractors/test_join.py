"""Joining as such; what makes shards unfit to be joined is in test_pack.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from extractors.files import UserError
from extractors.join import join
from extractors.store import FeatureStore, Frames, write_store

ABOUT = {"modality": "text", "encoder": "e"}


def frames(number: int) -> Frames:
    return Frames(np.full((1 + number % 3, 2), number, np.float32), np.ones(1 + number % 3, np.bool_))


def write(folder: Path, count: int, parts: int) -> list[Path]:
    """Stores of utterances u000 to u<count>, dealt out like cards."""
    paths = []
    for part in range(parts):
        items = [(f"u{number:03}", frames(number)) for number in range(part, count, parts)]
        paths.append(folder / f"{part:05}.h5")
        write_store(paths[-1], 2, items, [len(item.values) for _, item in items], {}, ABOUT)
    return paths


def test_utterances_come_in_the_order_that_is_asked_for_however_they_are_dealt(tmp_path: Path) -> None:
    names = [f"u{number:03}" for number in range(50)][::-1]
    made = []
    for parts in (1, 7, 50):
        out = tmp_path / f"{parts}.h5"
        (tmp_path / str(parts)).mkdir()
        join(write(tmp_path / str(parts), 50, parts), names, {}, tmp_path / "manifest.csv", out)
        made.append(out.read_bytes())
    assert made[0] == made[1] == made[2]
    with FeatureStore(out) as store:
        assert store.ids == names
        for place, item in enumerate(store.read(names)):
            assert np.array_equal(item.values, frames(49 - place).values)


def python(code: str, argument: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, str(argument)], capture_output=True, text=True)


def test_more_parts_than_a_process_may_open(tmp_path: Path) -> None:
    write(tmp_path, 120, 120)
    code = (
        "import resource, sys; from pathlib import Path; from extractors.join import join\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)); folder = Path(sys.argv[1])\n"
        "names = [f'u{number:03}' for number in range(120)]\n"
        "join(sorted(folder.glob('*.h5')), names, {}, folder / 'manifest.csv', folder / 'out' / 'o.h5')\n"
    )
    job = python(code, tmp_path)
    assert job.returncode == 0, job.stderr
    with FeatureStore(tmp_path / "out" / "o.h5") as store:
        assert len(store.ids) == 120


def test_a_limit_of_open_files_is_no_damage(tmp_path: Path) -> None:
    (path,) = write(tmp_path, 3, 1)
    code = (
        "import os, resource, sys; from pathlib import Path; from extractors.store import FeatureStore\n"
        "hold = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (hold[-1] + 1, hold[-1] + 1))\n"
        "FeatureStore(Path(sys.argv[1]))\n"
    )
    last = python(code, path).stderr.splitlines()[-1]
    assert "00000.h5: Too many open files; raise the limit with `ulimit -n 4096` and run again" in last
    assert "delete" not in last


def test_a_part_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    paths = write(tmp_path, 4, 2)
    paths[1].unlink()
    with pytest.raises(UserError, match=r"00001\.h5: No such file"):
        join(paths, [f"u{number:03}" for number in range(4)], {}, tmp_path / "manifest.csv", tmp_path / "o.h5")
