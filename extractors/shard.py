"""What the verbs `text`, `speech` and `video` share: arguments, the rows to work on, and parts sealed one by one.

A run works in the undeclared folder `.<stem>.parts/<fingerprint>/` beside its output, whose attribute `run` is the same
fingerprint; `.<stem>.parts` is locked, so a second run of the same output is refused. A killed run goes on with the
parts that are not sealed, if nothing that the features depend on has changed; one that was killed after it had
published its output has nothing left to make.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from extractors import device, hub
from extractors.console import LOG, counter
from extractors.corpora import Utterance
from extractors.files import UserError, inside, remove_abandoned, sha256
from extractors.fingerprint import code_fingerprint, versions
from extractors.join import join
from extractors.locks import hold
from extractors.manifest import read_manifest
from extractors.settings import Encoders, FrozenEncoder, Pretrained
from extractors.store import Attributes, FeatureStore, Frames, write_store

if TYPE_CHECKING:
    import torch

ORIGINS = ("release", "composite", "synthetic")


class UnreadableError(Exception):
    """A media file of one utterance or dialogue cannot be used; the message is the reason shown to the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the three verbs."""
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.csv of the corpus")
    parser.add_argument("--root", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--session", help="only utterances of this session; all if absent")
    parser.add_argument("--settings", default="{}", metavar="JSON", help="settings of the encoder")
    folder = Encoders.model_fields["folder"].default
    parser.add_argument("--encoders", type=Path, default=Path(folder), help="folder of encoders got by `fetch`")
    parser.add_argument("--origin", required=True, choices=ORIGINS, help="kind of data")
    parser.add_argument("--out", required=True, type=Path, help="feature store to write")
    device.add_arguments(parser)


def rows(args: argparse.Namespace) -> list[Utterance]:
    """Manifest rows of the run; UserError when there are none."""
    found = read_manifest(args.manifest, args.session)
    if not found:
        where = f"session {args.session}" if args.session else "it"
        raise UserError(f"{args.manifest}: {where} has no utterance; correct the sessions of the corpus")
    return found


def media(root: Path, relative: str) -> Path:
    """A media file of the corpus; UnreadableError says what is wrong with its path."""
    if not relative:
        raise UnreadableError("the manifest names no file")
    try:
        path = inside(root, relative)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    if not path.is_file():
        raise UnreadableError(f"{relative} is missing")
    return path


class Described(Protocol):
    """What a run tells about its encoder."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def weights_sha256(self) -> str: ...


def chunks(groups: Iterable[Sequence[Utterance]], least: int) -> list[list[Utterance]]:
    """Groups put together, in order, until a chunk has `least` utterances; a group is never split."""
    found: list[list[Utterance]] = []
    for group in groups:
        if not found or len(found[-1]) >= least:
            found.append([])
        found[-1].extend(group)
    return found


class Run:
    """One run of a verb: its chunks, each sealed as a part, and the store that they become."""

    def __init__(
        self,
        args: argparse.Namespace,
        modality: str,
        settings: FrozenEncoder,
        encoder: Described,
        device: torch.device,
        packages: Iterable[str],
        chunks: Sequence[Sequence[Utterance]],
    ) -> None:
        self._home = args.out.with_name(f".{args.out.stem}.parts")
        self._lock = hold(self._home, args.out)
        self.modality = modality
        self.dim = encoder.dim
        self.dtype = np.dtype(settings.stored_as)
        self.attributes = {
            "modality": modality,
            "encoder": encoder.name,
            "weights_sha256": encoder.weights_sha256,
            "settings": settings.model_dump_json(),
            "origin": args.origin,
            "manifest_sha256": sha256(args.manifest),
            "versions": json.dumps(versions(packages)),
        }
        self._out: Path = args.out
        self._manifest: Path = args.manifest
        names = [[row.utterance for row in chunk] for chunk in chunks]
        self._names = sorted(name for chunk in names for name in chunk)
        known = [
            self.attributes, names, _media_state(args.root, modality, chunks), str(args.root), device.type,
            args.threads, code_fingerprint(f"extractors.{modality}"), _encoder_state(args.encoders, modality, settings),
        ]  # fmt: skip
        fingerprint = hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]
        self.attributes["run"] = fingerprint
        work = self._work = self._home / fingerprint
        self._parts = [Part(self, work / f"{number:05}.h5", chunk) for number, chunk in enumerate(chunks)]
        self._published = holds(self._out, self._names, self.attributes)
        for other in self._home.glob("*"):
            if other.is_dir() and other != work:
                shutil.rmtree(other, ignore_errors=True)

    def pending(self) -> Iterator[Part]:
        """Parts that no earlier run has sealed; each is to be filled and sealed, at once or later."""
        todo = [] if self._published else [part for part in self._parts if not part.sealed()]
        done = len(self._names) - sum(len(part.rows) for part in todo)
        if done:
            LOG.info("%d of %d utterances are there from an earlier run", done, len(self._names))
        self.count = counter(self.modality, "utterance", len(self._names), done)
        yield from todo

    def join(self) -> None:
        """Publish the store of all parts, sorted by id, and remove the parts."""
        self.count.close()
        if self._published:
            remove_abandoned(self._out)  # a run that was killed just after its last step may have left its draft
        else:
            join([part.path for part in self._parts], self._names, self.attributes, self._manifest, self._out)
        for folder in (self._work, self._home):  # the lock goes last
            shutil.rmtree(folder, ignore_errors=True)
        self._lock.close()


def _encoder_state(folder: Path, modality: str, settings: FrozenEncoder) -> list[tuple[str, str]]:
    """Name and SHA-256 of every file of a pretrained encoder but its weights, whose hash is an attribute."""
    if not isinstance(settings, Pretrained):
        return []
    found = hub.files(folder, settings.model, settings.revision, f"encoders.{modality}")
    return [(path.name, sha256(path)) for path in found if path.suffix != ".safetensors"]


def _media_state(root: Path, modality: str, chunks: Iterable[Sequence[Utterance]]) -> list[tuple[str, int, int]]:
    """Name, size and time of change of every file that is there of those that a modality is made from."""
    columns = {"speech": "audio", "video": "video"}
    found = []
    for name in sorted({getattr(row, columns[modality]) for chunk in chunks for row in chunk if modality in columns}):
        with suppress(UnreadableError):
            about = media(root, name).stat()
            found.append((name, about.st_size, about.st_mtime_ns))
    return found


def holds(path: Path, names: Sequence[str], attributes: Attributes) -> bool:
    """Whether a whole and undamaged store of these utterances, in this order, with these attributes, is there."""
    if not path.exists():
        return False
    try:
        with FeatureStore(path) as store:
            if store.ids != names or not attributes.items() <= store.attributes.items():
                return False
            for name in names:
                store[name]
            return True
    except UserError as error:
        LOG.warning("%s", error)
        return False


class Part:
    """Features of the utterances `rows`, in memory until they are sealed."""

    def __init__(self, run: Run, path: Path, rows: Sequence[Utterance]) -> None:
        self.rows = rows
        self.path = path
        self._run = run
        self._names = [row.utterance for row in rows]
        self._items: dict[str, Frames] = {}
        self._problems: dict[str, str] = {}

    def add(self, name: str, values: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> None:
        """Keep a copy of the features (frames, dim) of an utterance; without `valid` (frames,) all frames are.

        What is not finite, as it is stored, is a problem.
        """
        with np.errstate(over="ignore"):
            finite = np.isfinite(values.astype(self._run.dtype)).all()
        if finite:
            self._keep(name, Frames(values.copy(), np.ones(len(values), np.bool_) if valid is None else valid.copy()))
        else:
            self.fail(name, f"features are not finite in {self._run.dtype}")

    def fail(self, name: str, reason: str) -> None:
        """Record that there are no features of an utterance, and why."""
        LOG.warning("%s: no %s features: %s", name, self._run.modality, reason)
        self._problems[name] = reason
        self._keep(name, Frames(np.zeros((0, self._run.dim), np.float32), np.zeros(0, np.bool_)))

    def _keep(self, name: str, item: Frames) -> None:
        self._items[name] = item
        self._run.count.update()

    def seal(self) -> None:
        """Publish the part and forget its features; ValueError unless there is something about exactly its rows."""
        if self._items.keys() != set(self._names):
            raise ValueError(f"{self.path}: {len(self._items)} utterances were added for {len(self._names)} rows")
        items, self._items = self._items, {}
        lengths = [len(items[name].values) for name in self._names]
        stream = ((name, items.pop(name)) for name in self._names)
        run = self._run
        write_store(self.path, run.dim, stream, lengths, self._problems, run.attributes, run.dtype)

    def sealed(self) -> bool:
        """Whether an earlier run has made this part."""
        return holds(self.path, self._names, self._run.attributes)
