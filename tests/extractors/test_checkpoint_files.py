from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from extractors.checkpoint_files import check_files
from extractors.files import UserError

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 440449768\n"
SHARDS = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
Edit = Callable[[Path], object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bert"
    folder.mkdir()
    save_file({"a.weight": np.ones((2, 3), np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "vocab.txt").write_text("[PAD]\n")
    return folder


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        check_files(folder, f"encoders.text.model: {folder}")
    message = str(caught.value)
    assert "\n" not in message
    start = f"encoders.text.model: {folder}"
    assert message.startswith(start)
    return message.removeprefix(start)


def put(name: str, content: bytes) -> Edit:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str) -> Edit:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-4])


def instead(name: str) -> Edit:
    """Other files in the place of the weights."""

    def edit(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(b"x")

    return edit


def test_a_whole_folder_is_fine_whatever_else_is_in_it(folder: Path) -> None:
    (folder / "modules.json").write_text("[]")
    (folder / "pytorch_model.bin").touch()
    (folder / "1_Pooling").mkdir()
    check_files(folder, "x")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (put("config.json", b"{"), ": config.json is damaged "),
        (put("config.json", b'\xef\xbb\xbf{"model_type": "bert"}'), ": config.json is damaged "),
        (put("config.json", b"\xff\xfe{\0}\0"), ": config.json is damaged "),
        (put("config.json", b"[]"), ": config.json is no JSON object; "),
        (put("tokenizer.json", b'{"model": '), ": tokenizer.json is damaged "),
        (put("vocab.json", b'{"<s>": 0'), ": vocab.json is damaged "),
        (put("vocab.txt", b""), ": vocab.txt is empty; get that file again"),
        (put("vocab.txt", LFS), ": vocab.txt is a pointer of Git LFS, not the file; run `git lfs pull` "),
        (put("spiece.model", LFS), ": spiece.model is a pointer of Git LFS, "),
        (put("model.safetensors", LFS), ": model.safetensors is a pointer of Git LFS, "),
        (put("model.safetensors", b"\n<!DOCTYPE html>\n<html>"), ": model.safetensors is a web page, not the file; "),
        (put("model.safetensors", b""), ": model.safetensors is empty; "),
        (put("model.safetensors", b"not weights"), ": model.safetensors is cut off or damaged "),
        (cut("model.safetensors"), ": model.safetensors is cut off or damaged "),
        (
            instead("pytorch_model.bin"),
            " has no model.safetensors but pytorch_model.bin; run `python -m extractors conv",
        ),
        (instead("pytorch_model.bin.index.json"), " has no model.safetensors but pytorch_model.bin; run `python -m "),
        (instead("tf_model.h5"), " has no model.safetensors but tf_model.h5 (TensorFlow), which is not read; "),
        (instead("flax_model.msgpack"), " has no model.safetensors but flax_model.msgpack (Flax), "),
        (
            instead("checkpoint_best.pt"),
            " has no model.safetensors but checkpoint_best.pt (PyTorch, of another form), ",
        ),
        (instead("adapter_model.safetensors"), " is an adapter without its model; "),
        (instead(SHARDS[0]), " has no model.safetensors.index.json, "),
        (instead("README.md"), " has no model.safetensors; get that file, too"),
    ],
)
def test_what_is_not_whole_is_one_line_with_the_file(folder: Path, edit: Edit, expected: str) -> None:
    edit(folder)
    assert refused(folder).startswith(expected)


def test_quantised_weights_are_refused_and_buffers_of_integers_are_not(folder: Path) -> None:
    positions = {"position_ids": np.arange(3), "a.weight": np.ones((2, 3), np.float16)}
    save_file(positions, folder / "model.safetensors")
    check_files(folder, "x")
    save_file({"a.weight": np.ones((2, 3), np.int8)}, folder / "model.safetensors")
    assert refused(folder).startswith(": model.safetensors is quantised (a.weight is I8); ")


def sharded(folder: Path, names: dict[str, str]) -> None:
    (folder / "model.safetensors").unlink()
    for name in SHARDS:
        save_file({"a.weight": np.ones((2, 3), np.float32)}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def test_every_shard_is_there_and_whole(folder: Path) -> None:
    sharded(folder, {"a": SHARDS[0], "b": SHARDS[1]})
    check_files(folder, "x")
    cut(SHARDS[1])(folder)
    assert refused(folder).startswith(f": {SHARDS[1]} is cut off or damaged ")
    (folder / SHARDS[1]).unlink()
    assert refused(folder) == (
        f" lacks files that its model.safetensors.index.json names: {SHARDS[1]}; get that file again"
    )
    put("model.safetensors.index.json", b"{}")(folder)
    assert refused(folder).startswith(": its model.safetensors.index.json is no index of weights; ")


def test_an_index_names_files_of_its_own_folder_only(folder: Path, tmp_path: Path) -> None:
    save_file({"a.weight": np.ones((2, 3), np.float32)}, tmp_path / "other.safetensors")
    sharded(folder, {"a": "../other.safetensors"})
    assert refused(folder).startswith(" lacks files that its model.safetensors.index.json names: ../other.safetensors")


@pytest.mark.parametrize("below", ["snapshots/0123", "0_Transformer"])
def test_a_checkpoint_further_down_is_named(folder: Path, tmp_path: Path, below: str) -> None:
    outer = tmp_path / "models--owner--bert"
    outer.mkdir()
    assert refused(outer) == " has no config.json; get that file, too"
    (outer / below).parent.mkdir(exist_ok=True)
    folder.rename(outer / below)
    assert refused(outer) == f" has no config.json; name the folder {outer / below}"
