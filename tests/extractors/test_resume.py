"""Runs that were cut short, and extractions killed by the benchmark that does this twenty times on a real corpus."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.extractors.shard_jobs import NAMES, Job, make, values, work

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def job(small: Any) -> Job:
    return make(small)


def test_a_restart_makes_what_is_not_sealed_and_the_bytes_are_the_same(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert work(job.start()) == list(NAMES)
    whole = job.args.out.read_bytes()
    job.args.out.unlink()
    assert "earlier run" not in caplog.text
    assert work(job.start(), 1) == ["a", "b"]
    assert work(job.start(), 2) == ["c", "d", "e", "f"]
    assert work(job.start(), 0) == []
    assert not job.args.out.exists()
    assert work(job.start()) == ["g"]
    assert "6 of 7 utterances are there from an earlier run" in caplog.text
    assert job.args.out.read_bytes() == whole
    job.args.out.unlink()
    assert work(job.start()) == list(NAMES)  # nothing is left of the runs before


@pytest.mark.parametrize("damage", [lambda raw: raw[:1000], lambda raw: raw.replace(values("c").tobytes(), b"\1" * 72)])
def test_a_damaged_part_is_made_again(job: Job, damage: Any) -> None:
    work(job.start(), 3)
    path = job.parts()[1]
    assert damage(path.read_bytes()) != path.read_bytes()
    path.write_bytes(damage(path.read_bytes()))
    assert work(job.start()) == ["c", "d", "g"]


@pytest.mark.parametrize(
    "change",
    [
        lambda job: setattr(job, "settings", job.settings.model_copy(update={"layer": 3})),
        lambda job: setattr(job.args, "origin", "release"),
        lambda job: setattr(job.args, "threads", 2),
        lambda job: setattr(job.args, "root", job.args.root / "nowhere"),
        lambda job: job.args.manifest.write_text(job.args.manifest.read_text().replace("sad", "happy")),
        lambda job: job.encoder_file("config.json").write_text("changed"),
        lambda job: job.encoder_file("tokenizer.json").write_text("changed"),
        lambda job: job.encoder_file("vocab.txt").unlink(),
    ],
)  # fmt: skip
def test_what_something_else_made_is_made_again(job: Job, change: Any) -> None:
    parts = job.args.out.parent / ".s.parts"
    work(job.start(), 3)
    saved = shutil.copytree(parts, job.args.out.parent / "saved")
    work(job.start())
    saved.rename(parts)
    change(job)
    assert work(job.start(), 1) == ["a", "b"]
    assert len(job.parts()) == 1


def test_another_grouping_or_other_media_start_again(job: Job) -> None:
    work(job.start("speech"), 3)
    assert work(job.start("speech", least=3), 1) == ["a", "b", "c"]
    (job.args.root / "g.wav").write_text("repaired sound")
    assert work(job.start("speech", least=3), 1) == ["a", "b", "c"]
    (job.args.root / "g.wav").unlink()
    assert work(job.start("speech", least=3), 1) == ["a", "b", "c"]
    assert work(job.start("speech", least=3), 1) == ["d", "e", "f"]


@pytest.mark.parametrize("removed", [0, 1, 4, 99])
def test_a_run_killed_after_it_has_published(
    job: Job, removed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts = job.args.out.parent / ".s.parts"
    remove = shutil.rmtree

    def killed(path: Path, **_: Any) -> None:
        if path.suffix == ".draft":
            return remove(path)
        for part in job.parts()[:removed]:
            part.unlink()
        if removed == 99:
            remove(path)
        raise KeyboardInterrupt

    caplog.set_level("INFO")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        work(job.start())
    whole = job.args.out.read_bytes()
    saved = shutil.copytree(parts, job.args.out.parent / "saved") if parts.exists() else None

    before = job.args.out.stat()
    assert work(job.start()) == []
    assert "7 of 7 utterances are there" in caplog.text
    assert job.args.out.stat() == before
    assert not parts.exists()

    if saved:
        saved.rename(parts)
    job.args.out.unlink()  # as Snakemake does with what a killed job leaves
    assert work(job.start()) == list(NAMES)[: 2 * removed]
    assert job.args.out.read_bytes() == whole


def test_a_damaged_store_is_made_again(job: Job) -> None:
    work(job.start())
    whole = job.args.out.read_bytes()
    job.args.out.write_bytes(whole.replace(values("c").tobytes(), b"\1" * 72))
    assert work(job.start()) == list(NAMES)
    assert job.args.out.read_bytes() == whole


def test_what_cannot_be_removed_stays(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = job.args.out.parent / ".s.parts"
    (parts / "other").mkdir(parents=True)
    (parts / "other" / "00000.h5").touch()
    (parts / ".DS_Store").touch()
    (parts / "link").symlink_to(job.args.root)
    assert work(job.start(), 1) == ["a", "b"]
    assert {path.name for path in parts.iterdir()} >= {".DS_Store", "link"}
    assert not (parts / "other").exists()

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("busy")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", refuse)
        assert work(job.start()) == list(NAMES[2:])
    assert work(job.start()) == []
    assert not parts.exists()
    assert job.args.root.exists()


def test_killed_extractions_end_with_the_bytes_of_an_uninterrupted_one(small: Any) -> None:
    for number in range(600):
        small.add(f"u{number:03}", text=f"utterance {number} " * (1 + number % 20))
    out = small.root / "out" / "text.h5"
    verb = ["text", "--manifest", small.manifest(), "--root", small.root, "--origin", "synthetic"]
    words = [*verb, "--settings", '{"model": "hashing"}', "--out", out]
    script = [sys.executable, "benchmarks/kill.py", "--kills", "3", "--seed", "5630", "--"]
    job = subprocess.run([*script, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert job.returncode == 0, job.stdout + job.stderr
    assert re.search(r"^3 kills, 0 faults; [1-9] runs went on", job.stdout, re.MULTILINE), job.stdout
    assert ", store published" in job.stdout, job.stdout
    assert {path.name for path in out.parent.iterdir()} == {"text.h5", "text.log"}
