"""What the verbs `text`, `speech` and `video` share: arguments, the rows to work on, and one sealed store a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors import device
from extractors.console import LOG
from extractors.corpora import Utterance
from extractors.files import UserError, inside, sha256
from extractors.fingerprint import versions
from extractors.manifest import read_manifest
from extractors.settings import Settings
from extractors.store import Frames, write_store

ORIGINS = ("release", "composite", "synthetic")


class UnreadableError(Exception):
    """A media file of one utterance or dialogue cannot be used; the message is the reason shown to the user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the three verbs."""
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.csv of the corpus")
    parser.add_argument("--root", required=True, type=Path, help="folder of the corpus")
    parser.add_argument("--session", help="only utterances of this session; all if absent")
    parser.add_argument("--settings", default="{}", metavar="JSON", help="settings of the encoder")
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


class Shard:
    """Features of one run, held in memory until all of them are there."""

    def __init__(self, modality: str, dim: int) -> None:
        self.modality = modality
        self.dim = dim
        self.items: dict[str, Frames] = {}
        self.problems: dict[str, str] = {}

    def add(self, name: str, values: NDArray[np.float32], valid: NDArray[np.bool_] | None = None) -> None:
        """Keep the features of an utterance; without `valid` all frames are. What is not finite is a problem."""
        if np.isfinite(values).all():
            self.items[name] = Frames(values, np.ones(len(values), np.bool_) if valid is None else valid)
        else:
            self.fail(name, "features are not finite")

    def fail(self, name: str, reason: str) -> None:
        """Record that there are no features of an utterance, and why."""
        LOG.warning("%s: no %s features: %s", name, self.modality, reason)
        self.items[name] = Frames(np.zeros((0, self.dim), np.float32), np.zeros(0, np.bool_))
        self.problems[name] = reason

    def write(
        self,
        args: argparse.Namespace,
        names: Sequence[str],
        settings: Settings,
        encoder: str,
        weights_sha256: str,
        packages: Iterable[str],
        **notes: str,
    ) -> None:
        """Publish the features of `names`, in that order, at `args.out`."""
        attributes = {
            "modality": self.modality,
            "encoder": encoder,
            "weights_sha256": weights_sha256,
            "settings": settings.model_dump_json(),
            "origin": args.origin,
            "manifest_sha256": sha256(args.manifest),
            "versions": json.dumps(versions(packages)),
            **notes,
        }
        items = [(name, self.items[name]) for name in names]
        problems = {name: self.problems[name] for name in names if name in self.problems}
        write_store(args.out, self.dim, items, [len(item.values) for _, item in items], problems, attributes)
        LOG.info("%s: %d utterances, %d without %s features", args.out, len(items), len(problems), self.modality)
