from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from extractors import store as module
from extractors.__main__ import VERBS
from extractors.console import run
from extractors.files import UserError, sha256
from extractors.store import FeatureStore, Frames, write_store

DIM = 3
LENGTHS = {"a": 4, "b": 0, "c": 5, "d": 300}


def frames(length: int) -> Frames:
    rng = np.random.default_rng(length)
    valid = rng.random(length) < 0.7
    return Frames((rng.normal(size=(length, DIM)) * valid[:, None]).astype(np.float32), valid)


@pytest.fixture(params=["float32", "float16"])
def path(small: Any, request: pytest.FixtureRequest) -> Path:
    for name in LENGTHS:
        small.add(name)
    file: Path = small.root / "store.h5"
    items = [(name, frames(length)) for name, length in LENGTHS.items()]
    attributes = {"manifest_sha256": sha256(small.manifest()), "encoder": "e", "settings": "{}"}
    write_store(file, DIM, items, list(LENGTHS.values()), {"b": "quiet"}, attributes, request.param)
    return file


def fsck(*words: object) -> int:
    return run("extractors", VERBS, ["fsck", *map(str, words)])


def test_a_good_store(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fsck(path, "--manifest", path.with_name("manifest.csv")) == 0
    assert capsys.readouterr().out == f"{path}: ok: 4 utterances, 309 frames, 0.0 MB, CRC verified\n"


def test_every_store_is_looked_at_though_the_first_is_bad(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = path.with_name("cut.h5")
    cut.write_bytes(path.read_bytes()[:-1])
    assert fsck(cut, path.with_name("none.h5"), path) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{path}: ok")
    errors = [line for line in shown.err.splitlines() if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in errors] == [str(cut), str(path.with_name("none.h5"))]
    assert [("delete it and run again" in line, "No such file" in line) for line in errors] == [
        (True, False),
        (False, True),
    ]


def content(path: Path) -> Any:
    with FeatureStore(path) as store:
        items = [(store[name].values.tobytes(), store[name].valid.tobytes()) for name in store.ids]
        return store.ids, store.dim, store.dtype, store.problems, store.attributes, list(store.offsets), items


def test_a_flipped_byte_anywhere_is_noticed_or_harmless(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = path.read_bytes()
    with h5py.File(path) as file:
        spans = {key: (file[key].id.get_offset(), file[key].id.get_storage_size()) for key in file}
    headers = set(range(len(raw))) - {place for at, size in spans.values() for place in range(at, at + size)}
    draw = random.Random(1)
    data = [at + draw.randrange(size) for at, size in spans.values() for _ in range(15)]
    texts = [raw.index(word) for word in (b"quiet", b"settings", b"encoder", b"complete")]
    assert spans.keys() == {"values", "valid", "offsets", "ids", "checksums"}
    whole = content(path)
    for place in [*data, *texts, *draw.sample(sorted(headers), 200)]:
        flipped = bytearray(raw)
        flipped[place] ^= draw.randrange(1, 256)
        path.write_bytes(flipped)
        try:
            assert content(path) == whole, f"byte {place}"
            message = ""
        except UserError as error:
            message = str(error)
        if message or place in data or place in texts:
            assert re.fullmatch(f"{path}: .*delete (it|the file) and run again", message), f"byte {place}"
            assert fsck(path) == 1
            assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda items: items["d"].values[items["d"].valid.argmax()].fill(np.inf),
            "d has features that are not finite; ",
        ),
        (lambda items: items["c"].valid.fill(False), "c has features in a frame that is not valid; delete it"),
        (lambda items: items.update(b=frames(1)), "b needs features or a reason, not both; delete it"),
        (lambda items: items.update(a=frames(0)), "a needs features or a reason, not both; delete it"),
        (lambda items: items.pop("b"), "a reason for b, which is not in it; delete it"),
    ],
)
def test_content_that_a_sound_writer_never_makes(
    path: Path, change: Any, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    items = {name: frames(length) for name, length in LENGTHS.items()}
    change(items)
    monkeypatch.setattr(module, "_stored", lambda name, item, shape, dtype: item.values.astype(dtype))
    lengths = [len(item.values) for item in items.values()]
    write_store(path, DIM, items.items(), lengths, {"b": "quiet"}, {})
    assert fsck(path) == 1
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {path}: {message}")


def test_another_manifest(path: Path, small: Any, capsys: pytest.CaptureFixture[str]) -> None:
    small.rows = [row for row in small.rows if row.utterance != "c"]
    small.add("x")
    assert fsck(path, "--manifest", small.manifest()) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "made from a manifest of hash" in errors[0]
    assert "lacks 1 utterances (such as x) and has in addition 1 utterances (such as c)" in errors[1]
    assert len(errors) == 2


def test_another_order(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(LENGTHS, reverse=True)
    manifest = path.with_name("manifest.csv")
    items = [(name, frames(LENGTHS[name])) for name in names]
    attributes = {"manifest_sha256": sha256(manifest)}
    write_store(path, DIM, items, [LENGTHS[name] for name in names], {"b": "quiet"}, attributes)
    assert fsck(path, "--manifest", manifest) == 1
    assert "it has the utterances in another order; delete it" in capsys.readouterr().err


def test_a_store_with_much_damage_gives_a_few_lines(small: Any, capsys: pytest.CaptureFixture[str]) -> None:
    path = small.root / "store.h5"
    names = [f"u{number:02}" for number in range(30)]
    write_store(path, DIM, [(name, frames(9)) for name in names], [9] * 30, {}, {})
    with h5py.File(path, "r+") as file:
        file["values"][:] = 1
    assert fsck(path) == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 11
    assert "and 20 lines more like these; delete it" in errors[-1]
