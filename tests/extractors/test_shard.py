from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from extractors import shard
from extractors.files import UserError, sha256
from extractors.settings import TextEncoder
from extractors.store import FeatureStore


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


def test_write_keeps_order_attributes_and_reasons(small: Any) -> None:
    small.add("a")
    manifest = small.manifest()
    out = shard.Shard("text", 2)
    out.add("b", np.ones((3, 2), np.float32), np.array([True, False, True]))
    out.add("c", np.array([[1, np.nan]], np.float32))
    out.fail("a", "why, indeed")
    args = argparse.Namespace(manifest=manifest, origin="composite", out=small.root / "s.h5")
    out.write(args, ["a", "b", "c"], TextEncoder(model="m"), "m", "00", ("numpy", "torch"), note="stand-in")
    with FeatureStore(args.out) as store:
        assert store.ids == ["a", "b", "c"]
        assert store.problems == {"a": "why, indeed", "c": "features are not finite"}
        assert [store.length(name) for name in store.ids] == [0, 3, 0]
        assert list(store["b"].valid) == [True, False, True]
        attributes = dict(store.attributes)
    assert json.loads(attributes.pop("versions")) == {"numpy": np.__version__, "torch": torch.__version__.split("+")[0]}
    assert json.loads(attributes.pop("settings")) == TextEncoder(model="m").model_dump()
    for key in ("problems", "format"):
        attributes.pop(key)
    assert attributes == {
        "modality": "text",
        "encoder": "m",
        "weights_sha256": "00",
        "origin": "composite",
        "manifest_sha256": sha256(manifest),
        "note": "stand-in",
    }
