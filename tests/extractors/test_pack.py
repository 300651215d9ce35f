from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors import pack
from extractors.files import UserError, read_csv, sha256
from extractors.store import FeatureStore, Frames, write_store

LENGTHS = {"a": 2, "b": 0, "c": 5, "d": 3}
SESSIONS = {"one": ["a", "c"], "two": ["d", "b"]}
Make = Callable[..., Path]


def frames(name: str) -> Frames:
    rng = np.random.default_rng(ord(name[0]))
    length = LENGTHS.get(name, 1)
    valid = rng.random(length) < 0.5
    return Frames((rng.normal(size=(length, 3)) * valid[:, None]).astype(np.float32), valid)


@pytest.fixture
def make(small: Any) -> Make:
    """Writer of a shard of the given utterances."""
    for name in LENGTHS:
        small.add(name)
    shared = {"modality": "speech", "encoder": "e", "weights_sha256": "00", "settings": "{}", "versions": "{}"}
    known = {**shared, "origin": "synthetic", "manifest_sha256": sha256(small.manifest()), "note": "stand-in"}

    def write(
        file: str, names: list[str], dim: int = 3, problems: Any = None, dtype: str = "float32", **attributes: str
    ) -> Path:
        items = [(name, Frames(frames(name).values[:, :dim], frames(name).valid)) for name in names]
        reasons = {"b": "too quiet, really"} if problems is None else problems
        reasons = {name: reason for name, reason in reasons.items() if name in names}
        lengths = [len(item.values) for _, item in items]
        path: Path = small.root / file
        write_store(path, dim, items, lengths, reasons, {**known, **attributes}, dtype)
        return path

    return write


def run(small: Any, *shards: Path) -> Path:
    parser = argparse.ArgumentParser()
    pack.add_arguments(parser)
    out: Path = small.root / "out" / "speech.h5"
    argv = ["--manifest", str(small.root / "manifest.csv"), "--out", str(out), "--rejected", f"{out}.csv"]
    pack.main(parser.parse_args([*argv, "--origin", "synthetic", *map(str, shards)]))
    return out


def test_joins_the_shards_in_the_order_of_the_manifest(small: Any, make: Make) -> None:
    out = run(small, *(make(f"{session}.h5", names) for session, names in SESSIONS.items()))
    with FeatureStore(out) as store:
        assert store.ids == ["a", "b", "c", "d"]
        for name in store.ids:
            assert np.array_equal(store[name].values, frames(name).values)
            assert np.array_equal(store[name].valid, frames(name).valid)
        assert store.problems == {"b": "too quiet, really"}
        assert store.attributes["note"] == "stand-in"
        assert store.attributes["manifest_sha256"] == sha256(small.root / "manifest.csv")
    assert read_csv(Path(f"{out}.csv")) == [
        {"utterance": "b", "stage": "speech", "reason": "too quiet, really", "origin": "synthetic"}
    ]


def test_order_of_the_shards_does_not_matter(small: Any, make: Make) -> None:
    one, two = make("one.h5", ["a", "c"]), make("two.h5", ["d", "b"])
    first = run(small, one, two).read_bytes()
    assert run(small, two, one).read_bytes() == first


def test_half_precision_stays_bit_by_bit(small: Any, make: Make) -> None:
    out = run(small, *(make(f"{session}.h5", names, dtype="float16") for session, names in SESSIONS.items()))
    with FeatureStore(out) as store:
        assert store.dtype == np.float16
        for name in store.ids:
            assert np.array_equal(store[name].values, frames(name).values.astype(np.float16))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": '{"a":1}'}, r'two\.h5: settings is \{"a":1\}, expected \{\}; delete it'),
        ({"encoder": "other"}, r"two\.h5: encoder is other, expected e"),
        ({"weights_sha256": "11"}, r"two\.h5: weights_sha256"),
        ({"versions": "{1}"}, r"two\.h5: versions"),
        ({"modality": "text"}, r"two\.h5: modality"),
        ({"manifest_sha256": "11"}, r"two\.h5: manifest_sha256"),
        ({"origin": "release"}, r"two\.h5: origin is release, expected synthetic"),
        ({"extra": "1"}, r"two\.h5: extra is 1, expected None"),
        ({"dim": 2}, r"two\.h5: 2 float32 features a frame, .*one\.h5 has 3 float32; delete both"),
        ({"dtype": "float16"}, r"two\.h5: 3 float16 features a frame, .*one\.h5 has 3 float32; delete both"),
        ({"names": ["b"]}, r"manifest\.csv: no shard has d \(1 missing\)"),
        ({"names": ["b", "d", "x"]}, r"two\.h5: x is not in .*manifest\.csv"),
        ({"names": ["b", "d", "a"]}, r"two\.h5: a is also in .*one\.h5"),
        ({"problems": {}}, r"two\.h5: b needs features or a reason"),
        ({"problems": {"b": "x", "d": "y"}}, r"two\.h5: d needs features or a reason"),
    ],
)
def test_refuses_shards_that_do_not_fit(small: Any, make: Make, changes: dict[str, Any], message: str) -> None:
    one = make("one.h5", ["a", "c"])
    two = make("two.h5", **{"names": ["d", "b"], **changes})
    with pytest.raises(UserError, match=message):
        run(small, one, two)
    assert not (small.root / "out" / "speech.h5").exists()


def test_refuses_shards_that_all_come_from_another_manifest(small: Any, make: Make) -> None:
    shards = [make(f"{session}.h5", names, manifest_sha256="11") for session, names in SESSIONS.items()]
    with pytest.raises(UserError, match=r"one\.h5: manifest_sha256 is 11"):
        run(small, *shards)


def test_refuses_damaged_and_half_written_shards(small: Any, make: Make) -> None:
    one, two = make("one.h5", ["a", "c"]), make("two.h5", ["d", "b"])
    raw = bytearray(one.read_bytes())
    raw[raw.index(frames("c").values.tobytes())] ^= 1
    one.write_bytes(raw)
    with pytest.raises(UserError, match=r"one\.h5: damaged at c"):
        run(small, one, two)
    one.write_bytes(raw[:1000])
    with pytest.raises(UserError, match=r"one\.h5: .*delete it and run again"):
        run(small, one, two)
    assert not (small.root / "out" / "speech.h5").exists()
