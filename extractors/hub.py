"""Where encoders of the Hugging Face hub lie once `fetch` has got them, and whether they are still whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from extractors.files import UserError, sha256
from extractors.settings import Settings

WEIGHTLESS = ("hashing", "logmel")
"""Encoders without weights, of which there is nothing to fetch."""
RECORD = "fetched.json"
COMMAND = "python -m extractors fetch --config <your configuration>"
NAME = re.compile(r"(?=.{1,96}$)[A-Za-z0-9][\w.-]*(/\w[\w.-]*)?", re.ASCII)
REVISION = re.compile(r"(?=.{1,200}$)\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
KINDS = {".safetensors", ".json", ".txt", ".model"}


class File(Settings):
    """Size in bytes and hexadecimal SHA-256 of a file."""

    size: int
    sha256: str


class Record(Settings):
    """Content of fetched.json: what was asked for, what came, and what it was converted from."""

    model: str
    revision: str | None
    commit: str
    files: dict[str, File]
    converted_from: dict[str, File]

    def weights(self) -> dict[str, str]:
        """SHA-256 of the files of weights as they are on the hub."""
        safe = {name: file for name, file in self.files.items() if name.endswith(".safetensors")}
        return {name: file.sha256 for name, file in (self.converted_from or safe).items()}


@dataclass(frozen=True)
class Found:
    """Folder of a checkpoint, and the encoder's name in stores: `<model>@<commit>` for one of the hub."""

    path: Path
    name: str


def place(folder: Path, model: str, revision: str | None, key: str) -> Path:
    """Folder of a fetched encoder below `folder`; UserError when `model` or `revision` cannot be one of the hub."""
    if not NAME.fullmatch(model) or "--" in model or ".." in model:
        raise UserError(f"{key}.model: {model!r} is neither a folder nor a name on the hub; correct the configuration")
    if revision is not None and (not REVISION.fullmatch(revision) or ".." in revision):
        raise UserError(f"{key}.revision: {revision!r} is no branch, tag or commit; correct the configuration")
    return folder / model.replace("/", "--") / (revision or "main").replace("/", "--")


def local(model: str, revision: str | None, pin: str | None, key: str) -> Path | None:
    """The folder that `model` is, if it is one; UserError when a revision or a SHA-256 of the hub comes with it."""
    if not Path(model).is_dir():
        return None
    for name, value in (("revision", revision), ("sha256", pin)):
        if value is not None:
            raise UserError(f"{key}.{name}: {model} is a folder; remove {name}")
    return Path(model)


def check_pin(model: str, pin: str | None, hashes: Mapping[str, str], key: str) -> None:
    """UserError when the weights (file name to SHA-256) are not the one file whose SHA-256 the configuration gives."""
    if pin is not None and list(hashes.values()) != [pin]:
        told = ", ".join(f"{name} has {value}" for name, value in hashes.items())
        raise UserError(
            f"{key}.sha256: not that of the weights of {model} ({told}); correct it if you trust these, or "
            "pin another revision"
        )


def record(folder: Path, model: str, revision: str | None, key: str) -> Record:
    """Record of a fetched encoder, whose files are not looked at; UserError when it is missing or damaged."""
    path = place(folder, model, revision, key) / RECORD
    if not path.is_file():
        at = f" at {revision}" if revision else ""
        raise UserError(
            f"{key}.model: {model}{at} is not in {folder}; run `{COMMAND}` where there is a network, or give a folder"
        )
    try:
        content = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise _damaged(path) from error
    if (content.model, content.revision) != (model, revision):
        raise _damaged(path)
    return content


def find(folder: Path, model: str, revision: str | None, key: str, pin: str | None = None) -> Found:
    """The checkpoint `model`: a folder as it is, or the fetched one of that name, of which every byte is verified.

    `key` is the configuration key in messages, such as `encoders.text`; `pin` is the SHA-256 that the weights had on
    the hub. UserError when it is missing, damaged or another one.
    """
    if own := local(model, revision, pin, key):
        return Found(own, model)
    known = record(folder, model, revision, key)
    check_pin(model, pin, known.weights(), key)
    path = place(folder, model, revision, key)
    there = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}
    for name in sorted(there ^ {RECORD, *known.files}):
        raise _damaged(path / name)
    for name, file in known.files.items():
        if (path / name).stat().st_size != file.size or sha256(path / name) != file.sha256:
            raise _damaged(path / name)
    return Found(path, f"{model}@{known.commit}")


def files(folder: Path, model: str, revision: str | None, key: str, pin: str | None = None) -> list[Path]:
    """Files that tell whether an encoder has changed; UserError when it is to be fetched first, or another one."""
    if model in WEIGHTLESS:
        return []
    if own := local(model, revision, pin, key):
        return sorted(path for path in own.iterdir() if path.suffix in KINDS)
    check_pin(model, pin, record(folder, model, revision, key).weights(), key)
    return [place(folder, model, revision, key) / RECORD]


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is not what was fetched; run `{COMMAND}`, which gets it again")
