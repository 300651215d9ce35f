from __future__ import annotations

import argparse
import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from extractors import pack, shard
from extractors.files import UserError, sha256
from extractors.store import FeatureStore
from tests.extractors.shard_jobs import NAMES, Job, fill, make, values, work


@pytest.fixture
def job(small: Any) -> Job:
    return make(small)


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
    assert re.fullmatch("[0-9a-f]{16}", attributes.pop("run"))
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
    job.settings = job.settings.model_copy(update={"stored_as": "float16"})
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


def test_sessions_of_different_runs_join(job: Job) -> None:
    runs = []
    for session in "12":
        args = argparse.Namespace(**{**vars(job.args), "session": session, "out": job.args.root / f"{session}.h5"})
        work(Job(args, job.settings).start())
        with FeatureStore(args.out) as store:
            runs.append(store.attributes["run"])
    assert len(set(runs)) == 2
    line = ["--manifest", job.args.manifest, "--out", job.args.out, "--rejected", job.args.root / "rejected.csv"]
    parser = argparse.ArgumentParser()
    pack.add_arguments(parser)
    shards = [job.args.root / f"{session}.h5" for session in "12"]
    pack.main(parser.parse_args([*map(str, [*line, "--origin", "composite", *shards])]))
    with FeatureStore(job.args.out) as store:
        assert store.ids == list(NAMES)
        assert "run" not in store.attributes


def test_runs_with_other_outputs_do_not_meet(job: Job) -> None:
    work(job.start(), 1)
    other = Job(argparse.Namespace(**{**vars(job.args), "out": job.args.out.with_name("t.h5")}), job.settings)
    assert work(other.start()) == list(NAMES)
    assert work(job.start()) == list(NAMES[2:])
    assert job.args.out.read_bytes() == other.args.out.read_bytes()
