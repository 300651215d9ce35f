"""Whether the files of a checkpoint folder are there and whole, before any library opens them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, ValidationError

from extractors.files import UserError
from extractors.settings import Settings

SMALL = re.compile(
    r"config\.json|preprocessor_config\.json|processor_config\.json|tokenizer\.json|tokenizer_config\.json"
    r"|special_tokens_map\.json|added_tokens\.json|vocab\.txt|vocab\.json|merges\.txt|\w[\w.-]*\.model",
    re.ASCII,
)
"""Files of a checkpoint that are read beside its weights."""
WEIGHTS = "model.safetensors"
PICKLED = "pytorch_model.bin"
OTHERS = {".h5": "TensorFlow", ".msgpack": "Flax", ".onnx": "ONNX", ".gguf": "GGUF", ".pt": "PyTorch, of another form"}
"""Endings of weights that are not read."""
IMPOSTORS = {
    b"version https://git-lfs": "a pointer of Git LFS, not the file; run `git lfs pull` where it was cloned",
    b"<!doctype html": "a web page, not the file; download the file itself",
    b"<html": "a web page, not the file; download the file itself",
}


class Index(Settings):
    """Content of the index of weights in several files: names of weights, and of the files that hold them."""

    model_config = ConfigDict(extra="allow", frozen=True)

    weight_map: dict[str, str]


def check_files(folder: Path, what: str) -> None:
    """UserError, beginning with `what`, unless config and weights are there and all files that matter are whole."""
    try:
        names = {path.name for path in folder.iterdir() if path.is_file()}
        if "config.json" not in names:
            raise UserError(f"{what} has no config.json; {_elsewhere(folder)}")
        for name in sorted(filter(SMALL.fullmatch, names)):
            whole(folder / name, what)
            if name.endswith(".json"):
                _object(folder / name, what)
        for name in _weights(folder, names, what):
            whole(folder / name, what)
            _opens(folder / name, what)
    except OSError as error:
        raise UserError(f"{what} cannot be read ({error.filename}: {error.strerror}); put this right") from error


def read_index(path: Path, what: str, fix: str = "get that file again") -> Index:
    """The index of weights in several files; UserError when it is damaged, or a file that it names is missing."""
    try:
        index = Index.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{what}: its {path.name} is no index of weights; {fix}") from error
    for name in sorted(set(index.weight_map.values())):
        if Path(name).name != name or not (path.parent / name).is_file():
            raise UserError(f"{what} lacks files that its {path.name} names: {name}; {fix}")
    return index


def whole(path: Path, what: str) -> None:
    """UserError when a file is empty, or something that was saved in its place."""
    with path.open("rb") as stream:
        start = stream.read(64).lower()
    if not start:
        raise UserError(f"{what}: {path.name} is empty; get that file again")
    for sign, reason in IMPOSTORS.items():
        if start.lstrip().startswith(sign):
            raise UserError(f"{what}: {path.name} is {reason}")


def _elsewhere(folder: Path) -> str:
    """What to do about a folder that is no checkpoint; there may be one further down, as in a cache of the hub."""
    found = sorted(path for depth in (1, 2, 3) for path in folder.glob("*/" * depth + "config.json"))
    own = [path.parent for path in found if (path.parent / WEIGHTS).is_file()]
    return f"name the folder {own[0]}" if own else "get that file, too"


def _object(path: Path, what: str) -> None:
    try:
        content: Any = json.loads(path.read_bytes().decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{what}: {path.name} is damaged ({error}); get that file again") from error
    if not isinstance(content, dict):
        raise UserError(f"{what}: {path.name} is no JSON object; get that file again")


def _weights(folder: Path, names: set[str], what: str) -> Iterable[str]:
    """Names of the files of weights; UserError says what there is instead, and what to do with it."""
    if WEIGHTS in names:
        return [WEIGHTS]
    if f"{WEIGHTS}.index.json" in names:
        whole(folder / f"{WEIGHTS}.index.json", what)
        return sorted(set(read_index(folder / f"{WEIGHTS}.index.json", what).weight_map.values()))
    if PICKLED in names or f"{PICKLED}.index.json" in names:
        command = f"python -m extractors convert {shlex.quote(str(folder))}"
        raise UserError(f"{what} has no {WEIGHTS} but {PICKLED}; run `{command}`, which makes it")
    if any(re.fullmatch(r"model-\d+-of-\d+\.safetensors", name) for name in names):
        raise UserError(f"{what} has no {WEIGHTS}.index.json, which tells what its files hold; get that file, too")
    if "adapter_model.safetensors" in names:
        raise UserError(f"{what} is an adapter without its model; merge the two and save the result")
    for name in sorted(names):
        if kind := OTHERS.get(Path(name).suffix):
            raise UserError(f"{what} has no {WEIGHTS} but {name} ({kind}), which is not read; get {WEIGHTS}, too")
    raise UserError(f"{what} has no {WEIGHTS}; get that file, too")


def _opens(path: Path, what: str) -> None:
    """UserError when weights are cut off or damaged, or quantised: integers without their scales are other numbers."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118, not a dictionary
    except SafetensorError as error:
        raise UserError(f"{what}: {path.name} is cut off or damaged ({error}); get that file again") from error
    for name, kind in kinds.items():
        if name.endswith(".weight") and kind.startswith(("I", "U", "F8", "F4", "F6")):
            raise UserError(f"{what}: {path.name} is quantised ({name} is {kind}); give the full weights")
