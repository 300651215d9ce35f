from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import extractors.store as store_module
from extractors.files import UserError
from extractors.store import FeatureStore, Frames, write_store

DIM = 3
LENGTHS = [4, 0, 1]


def frames(length: int, seed: int = 0) -> Frames:
    rng = np.random.default_rng(seed)
    valid = rng.random(length) < 0.5
    return Frames((rng.normal(size=(length, DIM)) * valid[:, None]).astype(np.float32), valid)


ITEMS = [(f"u{row}", frames(length, row)) for row, length in enumerate(LENGTHS)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "store.h5"
    write_store(
        file, DIM, iter(ITEMS), LENGTHS, {"u1": "too quiet, \u00e4h"}, {"encoder": "none", "note": "x" * 100_000}
    )
    return file


def test_round_trip(path: Path) -> None:
    with FeatureStore(path) as store:
        assert (store.ids, store.dim, list(store.offsets)) == (["u0", "u1", "u2"], DIM, [0, 4, 4, 5])
        assert store.problems == {"u1": "too quiet, \u00e4h"}
        assert store.attributes["encoder"] == "none"
        assert len(store.attributes["note"]) == 100_000
        for name, item in ITEMS:
            assert store.length(name) == len(item.values)
            assert np.array_equal(store[name].values, item.values)
            assert np.array_equal(store[name].valid, item.valid)
            assert store[name].values.dtype == np.float32
            assert store[name].valid.dtype == np.bool_


@pytest.mark.parametrize("frames_a_read", [1, 4, 8192])
@pytest.mark.parametrize("names", [["u0", "u1", "u2"], ["u2", "u0"], ["u1"], ["u2", "u0", "u1"], []])
def test_several_at_once_are_the_same_as_one_by_one(
    path: Path, names: list[str], frames_a_read: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "FRAMES_A_READ", frames_a_read)
    with FeatureStore(path) as store:
        found = list(store.read(names))
        assert len(found) == len(names)
        for name, item in zip(names, found, strict=True):
            assert np.array_equal(item.values, store[name].values)
            assert np.array_equal(item.valid, store[name].valid)
        with pytest.raises(UserError, match="no utterance u9"):
            list(store.read([*names, "u9"]))


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(0, 5), max_size=6))
def test_any_lengths(tmp_path_factory: pytest.TempPathFactory, lengths: list[int]) -> None:
    file = tmp_path_factory.mktemp("any") / "store.h5"
    items = [(str(row), frames(length, row)) for row, length in enumerate(lengths)]
    write_store(file, DIM, items, lengths, {}, {})
    with FeatureStore(file) as store:
        assert store.ids == [name for name, _ in items]
        assert all(np.array_equal(store[name].values, item.values) for name, item in items)


def test_half_precision_takes_half_the_space_and_is_read_as_float32(tmp_path: Path) -> None:
    item = Frames(np.array([[1 / 3, 65504, 1e-9]] * 5000, np.float32), np.ones(5000, np.bool_))
    sizes = {}
    for dtype in ("float32", "float16"):
        file = tmp_path / f"{dtype}.h5"
        write_store(file, DIM, [("a", item)], [5000], {}, {}, dtype)
        sizes[dtype] = file.stat().st_size
        with FeatureStore(file) as store:
            assert store.dtype == dtype
            assert store["a"].values.dtype == np.float32
            assert np.array_equal(store["a"].values, item.values.astype(dtype).astype(np.float32))
    assert sizes["float32"] - sizes["float16"] == 5000 * DIM * 2


def test_text_of_any_kind(tmp_path: Path) -> None:
    file = tmp_path / "store.h5"
    notes = {"empty": "", "umlaut": "\u00e4\n\u2026", "number": 3, "share": 0.1}
    write_store(file, DIM, [("\u00fc 1", frames(0))], [0], {"\u00fc 1": "n\u00f6"}, notes)
    with FeatureStore(file) as store:
        assert store.ids == ["\u00fc 1"]
        assert store.problems == {"\u00fc 1": "n\u00f6"}
        assert {key: store.attributes[key] for key in notes} == notes


def test_layout_on_disk_is_one_contiguous_array(path: Path) -> None:
    with h5py.File(path) as file:
        assert file["values"].chunks is None
        assert file["values"].shape == (5, DIM)
        assert np.array_equal(file["values"][:4], ITEMS[0][1].values)
        assert file.attrs["complete"]


def test_same_content_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    time.sleep(1.1)  # HDF5 time stamps, if there were any, have a resolution of a second
    again = tmp_path / "again.h5"
    write_store(again, DIM, ITEMS, LENGTHS, {"u1": "too quiet, \u00e4h"}, {"encoder": "none", "note": "x" * 100_000})
    assert again.read_bytes() == path.read_bytes()


def test_unknown_utterance(path: Path) -> None:
    with FeatureStore(path) as store, pytest.raises(UserError, match=r"store\.h5: has no utterance u9"):
        store.length("u9")


def bad(values: object, valid: object = None) -> Frames:
    array = np.asarray(values)
    return Frames(array, np.ones(len(array), np.bool_) if valid is None else valid)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("items", "lengths", "message"),
    [
        ([("a", frames(2)), ("a", frames(2))], [2, 2], "1 distinct"),
        ([("a", frames(2))], [3], r"expected \(3, 3\)"),
        ([("a", frames(2))], [2, 2], "1 items"),
        ([("a", frames(2)), ("b", frames(2))], [2], "more items"),
        ([("a", bad(np.full((1, DIM), np.nan, np.float32)))], [1], "not finite"),
        ([("a", bad(np.full((1, DIM), np.inf, np.float32)))], [1], "not finite"),
        ([("a", bad(np.zeros((1, DIM))))], [1], "float64"),
        ([("a", bad(np.zeros((1, DIM), np.float32), np.zeros(1)))], [1], "float32 and float64"),
        ([("a", bad(np.zeros((1, DIM), np.float32), np.zeros(2, np.bool_)))], [1], r"\(2,\)"),
        ([("a", bad(np.ones((1, DIM), np.float32), np.zeros(1, np.bool_)))], [1], "not valid has values"),
    ],
)
def test_refuses_and_leaves_nothing(
    tmp_path: Path, items: list[tuple[str, Frames]], lengths: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_store(tmp_path / "store.h5", DIM, items, lengths, {}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("dtype", "message"), [("float16", "not finite"), ("float64", "float64 cannot be stored")])
def test_refuses_what_the_stored_type_cannot_hold(tmp_path: Path, dtype: str, message: str) -> None:
    item = bad(np.full((1, DIM), 1e5, np.float32))
    with pytest.raises(ValueError, match=message):
        write_store(tmp_path / "store.h5", DIM, [("a", item)], [1], {}, {}, dtype)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_no_store(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
import numpy as np
from extractors.store import Frames, write_store
def items():
    for row in range(100):
        if row == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        yield str(row), Frames(np.ones((1000, 3), np.float32), np.ones(1000, np.bool_))
write_store(Path({str(tmp_path)!r}) / "store.h5", 3, items(), [1000] * 100, {{}}, {{}})
"""
    root = Path(__file__).resolve().parents[2]
    killed = subprocess.run([sys.executable, "-c", program], cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert killed.returncode == -9
    assert not (tmp_path / "store.h5").exists()
    (draft,) = tmp_path.glob(".store.h5.*.draft/store.h5")
    with pytest.raises(UserError, match="delete it and run again"):
        FeatureStore(draft)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_half_a_file_is_refused(path: Path, share: float) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(UserError, match=r"store\.h5: .*delete it and run again"):
        FeatureStore(path)


def test_missing_and_foreign_files_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent\.h5"):
        FeatureStore(tmp_path / "absent.h5")
    for key, value in (("complete", False), ("format", 1)):
        with h5py.File(path, "r+") as file:
            file.attrs[key] = value
        with pytest.raises(UserError, match="unfinished, or not in store format 2"):
            FeatureStore(path)


def test_numbers_of_another_file_are_refused(path: Path, tmp_path: Path) -> None:
    size = np.prod((sum(LENGTHS), DIM)) * 4
    (tmp_path / "secret").write_bytes(bytes(int(size)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = np.zeros((sum(LENGTHS), DIM), np.float32)
    layout = h5py.VirtualLayout((sum(LENGTHS), DIM), np.float32)
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "values", (sum(LENGTHS), DIM), np.float32)
    shape = {"shape": (sum(LENGTHS), DIM), "dtype": np.float32}
    kinds: list[Callable[[h5py.File], object]] = [
        lambda file: file.create_dataset("values", external=[(str(tmp_path / "secret"), 0, int(size))], **shape),
        lambda file: file.create_virtual_dataset("values", layout),
        lambda file: file.__setitem__("values", h5py.ExternalLink(str(tmp_path / "other.h5"), "values")),
        lambda file: file.__setitem__("values", h5py.SoftLink("/offsets")),
        lambda file: file.create_group("values"),
    ]
    whole = path.read_bytes()
    for replace in kinds:
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            del file["values"]
            replace(file)
        with pytest.raises(UserError, match=r"store\.h5: its values may lie in another file; delete it"):
            FeatureStore(path)
    path.write_bytes(whole)
    with FeatureStore(path) as store:
        assert store["u0"]


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE])
def test_what_is_not_the_fault_of_the_file_does_not_delete_it(
    path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(f"Can't synchronously read data (file read failed: errno = {code}, error message = 'x')")

    with FeatureStore(path) as store:
        monkeypatch.setattr(h5py.Dataset, "__getitem__", refuse)
        with pytest.raises(UserError, match=rf"store\.h5: {os.strerror(code)}; ") as told:
            store["u0"]
        assert "delete" not in str(told.value)
    with pytest.raises(UserError, match=rf"store\.h5: {os.strerror(code)}; "):
        FeatureStore(path)


def test_items_may_come_in_another_order_than_they_are_stored(path: Path, tmp_path: Path) -> None:
    names = [name for name, _ in ITEMS]
    other = tmp_path / "other.h5"
    notes = {"encoder": "none", "note": "x" * 100_000}
    write_store(other, DIM, reversed(ITEMS), LENGTHS, {"u1": "too quiet, \u00e4h"}, notes, names=names)
    assert other.read_bytes() == path.read_bytes()
    for wrong in ([*ITEMS, ("u9", ITEMS[0][1])], ITEMS[1:], [ITEMS[0], *ITEMS]):
        with pytest.raises(ValueError, match="lengths"):
            write_store(other, DIM, wrong, LENGTHS, {}, {}, names=names)


@pytest.mark.parametrize("name", ["u0", "u2"])
def test_one_flipped_bit_in_the_features_is_noticed(path: Path, name: str) -> None:
    raw = bytearray(path.read_bytes())
    place = raw.index(dict(ITEMS)[name].values.tobytes())
    raw[place + 5] ^= 1
    path.write_bytes(raw)
    with FeatureStore(path) as store:
        with pytest.raises(UserError, match=rf"store\.h5: damaged at {name} .*delete the file"):
            store[name]
        other = {"u0": "u2", "u2": "u0"}[name]
        assert np.array_equal(store[other].values, dict(ITEMS)[other].values)


@pytest.mark.parametrize("text", [b"u2", b"too quiet", b"xxxxxx", b"none"])
def test_one_flipped_bit_in_ids_or_attributes_is_noticed(path: Path, text: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[raw.index(text)] ^= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"store\.h5: damaged .*delete it and run again"):
        FeatureStore(path)


def test_changed_offsets_and_valid_are_noticed(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["valid"][0] = not file["valid"][0]
    with FeatureStore(path) as store, pytest.raises(UserError, match="damaged at u0"):
        store["u0"]
    with h5py.File(path, "r+") as file:
        file["offsets"][1] = 3
    with pytest.raises(UserError, match="damaged"):
        FeatureStore(path)
