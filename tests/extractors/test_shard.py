from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extractors import shard
from extractors.files import UserError, sha256
from extractors.settings import TextEncoder
from extractors.store import FeatureStore

NAMES = "abcdefg"


@dataclass(frozen=True)
class Encoder:
    name: str = "e"
    dim: int = 2
    weights_sha256: str = "00"


@dataclass
class Job:
    """Starts runs of one command line, each as a fresh process would."""

    args: argparse.Namespace
    settings: TextEncoder

    def start(self, modality: str = "text", least: int = 2) -> shard.Run:
        chunks = shard.chunks(([row] for row in shard.rows(self.args)), least)
        place = torch.device("cpu")
        return shard.Run(self.args, modality, self.settings, Encoder(), place, ("numpy", "torch"), chunks)

    def parts(self) -> list[Path]:
        return sorted(self.args.out.parent.glob(".s.parts/*/*.h5"))


@pytest.fixture
def job(small: Any) -> Job:
    """Seven utterances, in parts of two."""
    for name in NAMES:
        small.add(name, audio=f"{name}.wav")
        (small.root / f"{name}.wav").write_text("sound")
    common = {"session": None, "origin": "composite", "root": small.root, "threads": 1}
    return Job(argparse.Namespace(manifest=small.manifest(), out=small.root / "s.h5", **common), TextEncoder(model="m"))


def values(name: str) -> Any:
    return np.full((ord(name) - 90, 2), ord(name) / 7, np.float32)


def fill(part: shard.Part) -> None:
    for row in reversed(part.rows):
        if row.utterance == "d":
            part.fail("d", "why, indeed")
        else:
            part.add(row.utterance, values(row.utterance))
    part.seal()


def work(run: shard.Run, most: int = 99) -> list[str]:
    """Utterances of the first parts that are made, at most `most`; the run is over when there are no more."""
    made: list[str] = []
    for part in run.pending():
        if most == 0:
            return made
        fill(part)
        made += [row.utterance for row in part.rows]
        most -= 1
    run.join()
    return made


def test_rows_of_one_session(small: Any) -> None:
    small.add("a", session="1")
    small.add("b", session="2")
    args = argparse.Namespace(manifest=small.manifest(), session="2")
    assert [row.utterance for row in shard.rows(args)] == ["b"]
    args.session = "3"
    with pytest.raises(UserError, match=r"manifest\.csv: session 3 has no utterance"):
        shard.rows(args)


def test_media_stays_under_its_root(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "a.wav").touch()
    (tmp_path / "secret.wav").touch()
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert shard.media(root, "a.wav") == root / "a.wav"
    for name in ("", "b.wav", "../secret.wav", "link.wav", "/etc/hostname", "."):
        with pytest.raises(shard.UnreadableError):
            shard.media(root, name)


@given(groups=st.lists(st.lists(st.integers(), min_size=1), max_size=9), least=st.integers(1, 9))
def test_chunks_keep_groups_and_order(groups: list[list[Any]], least: int) -> None:
    found = shard.chunks(groups, least)
    assert list(chain(*found)) == list(chain(*groups))
    ends = {sum(map(len, groups[:count])) for count in range(len(groups) + 1)}
    assert {sum(map(len, found[:count])) for count in range(len(found) + 1)} <= ends
    assert all(len(chunk) >= least for chunk in found[:-1])


def test_a_run_keeps_order_attributes_and_reasons(job: Job) -> None:
    run = job.start(least=3)
    parts = {part.rows[0].utterance: part for part in run.pending()}
    parts["a"].add("b", np.ones((3, 2), np.float32), np.array([True, True, True]))
    parts["a"].add("c", np.array([[1, np.nan]], np.float32))
    parts["a"].add("a", np.array([[1, 2], [0, 0]], np.float32), np.array([True, False]))
    for first in "dg":
        fill(parts[first])
    parts["a"].seal()  # after the last part was asked for
    run.join()
    with FeatureStore(job.args.out) as store:
        assert store.ids == list(NAMES)
        assert store.problems == {"c": "features are not finite in float32", "d": "why, indeed"}
        assert [store.length(name) for name in "abcd"] == [2, 3, 0, 0]
        assert list(store["a"].valid) == [True, False]
        assert store["b"].valid.all()
        attributes = dict(store.attributes)
    assert json.loads(attributes.pop("versions")) == {"numpy": np.__version__, "torch": torch.__version__.split("+")[0]}
    assert json.loads(attributes.pop("settings")) == job.settings.model_dump()
    for key in ("problems", "format"):
        attributes.pop(key)
    assert attributes == {
        "modality": "text",
        "encoder": "e",
        "weights_sha256": "00",
        "origin": "composite",
        "manifest_sha256": sha256(job.args.manifest),
    }
    assert not list(job.args.out.parent.glob(".*"))


def test_half_precision_is_stored_as_such(job: Job) -> None:
    job.settings = TextEncoder(model="m", stored_as="float16")
    run = job.start(least=9)
    (part,) = run.pending()
    for name in NAMES:
        part.add(name, np.array([[1e5 if name == "b" else 1 / 3, 0]], np.float32))
    part.seal()
    run.join()
    with FeatureStore(job.args.out) as store:
        assert store.dtype == np.float16
        assert store.problems == {"b": "features are not finite in float16"}
        assert store["a"].values.dtype == np.float32
        assert store["a"].values[0, 0] == np.float32(np.float16(1 / 3))


def test_a_part_keeps_copies(job: Job) -> None:
    run = job.start()
    buffer, valid = np.ones((1, 2), np.float32), np.ones(1, np.bool_)
    part = next(run.pending())
    part.add("a", buffer, valid)
    buffer[:] = valid[:] = 0
    part.add("b", buffer)
    part.seal()
    with FeatureStore(part.path) as store:
        assert store["a"].values.all()
        assert store["a"].valid.all()


def test_a_part_needs_all_of_its_rows_and_no_other(job: Job) -> None:
    part = next(job.start().pending())
    part.add("a", values("a"))
    with pytest.raises(ValueError, match="1 utterances were added for 2 rows"):
        part.seal()
    part.fail("c", "not of this part")
    with pytest.raises(ValueError, match="2 utterances"):
        part.seal()
    assert not job.parts()


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
        lambda job: setattr(job, "settings", TextEncoder(model="m", layer=3)),
        lambda job: setattr(job.args, "origin", "release"),
        lambda job: setattr(job.args, "threads", 2),
        lambda job: setattr(job.args, "root", job.args.root / "nowhere"),
        lambda job: job.args.manifest.write_text(job.args.manifest.read_text().replace("sad", "happy")),
    ],
)  # fmt: skip
def test_parts_that_something_else_made_are_removed(job: Job, change: Any) -> None:
    work(job.start(), 3)
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


@pytest.mark.parametrize("removed", [0, 1, 4])
def test_a_run_killed_while_it_removes_its_parts(
    job: Job, removed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def killed(path: Path) -> None:
        for part in job.parts()[:removed]:
            part.unlink()
        raise KeyboardInterrupt

    caplog.set_level("INFO")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        work(job.start())
    whole = job.args.out.read_bytes()
    saved = shutil.copytree(job.args.out.parent / ".s.parts", job.args.out.parent / "saved")

    assert work(job.start()) == []
    assert "7 of 7 utterances are there" in caplog.text
    assert job.args.out.read_bytes() == whole
    assert not (job.args.out.parent / ".s.parts").exists()

    saved.rename(job.args.out.parent / ".s.parts")
    job.args.out.unlink()  # as Snakemake does with what a failed job leaves
    assert work(job.start()) == list(NAMES)[: 2 * removed]
    assert job.args.out.read_bytes() == whole


def test_runs_with_other_outputs_do_not_meet(job: Job) -> None:
    work(job.start(), 1)
    other = Job(argparse.Namespace(**{**vars(job.args), "out": job.args.out.with_name("t.h5")}), job.settings)
    assert work(other.start()) == list(NAMES)
    assert work(job.start()) == list(NAMES[2:])
    assert job.args.out.read_bytes() == other.args.out.read_bytes()
