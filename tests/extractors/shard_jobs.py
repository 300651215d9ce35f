"""Runs of `extractors.shard` on seven utterances, with features that are made up."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from extractors import shard
from extractors.settings import TextEncoder

NAMES = "abcdefg"


@dataclass(frozen=True)
class Encoder:
    name: str = "e"
    dim: int = 2
    weights_sha256: str = "00"


@dataclass
class Job:
    """Starts runs of one command line, each as a fresh process would."""

    args: argparse.Namespace
    settings: TextEncoder

    def start(self, modality: str = "text", least: int = 2) -> shard.Run:
        chunks = shard.chunks(([row] for row in shard.rows(self.args)), least)
        place = torch.device("cpu")
        return shard.Run(self.args, modality, self.settings, Encoder(), place, ("numpy", "torch"), chunks)

    def encoder_file(self, name: str) -> Path:
        return Path(self.settings.model) / name

    def parts(self) -> list[Path]:
        return sorted(self.args.out.parent.glob(".s.parts/*/*.h5"))


def make(small: Any) -> Job:
    """Seven utterances, in parts of two."""
    for name in NAMES:
        small.add(name, session="2" if name in "ce" else "1", audio=f"{name}.wav")
        (small.root / f"{name}.wav").write_text("sound")
    folder = small.root / "encoder"
    folder.mkdir()
    for name in ("vocab.txt", "config.json", "tokenizer.json", "model.safetensors"):
        (folder / name).write_text("original")
    common = {"session": None, "origin": "composite", "root": small.root, "threads": 1, "encoders": small.root / "none"}
    args = argparse.Namespace(manifest=small.manifest(), out=small.root / "s.h5", **common)
    return Job(args, TextEncoder(model=str(folder)))


def values(name: str) -> Any:
    return np.full((ord(name) - 90, 2), ord(name) / 7, np.float32)


def fill(part: shard.Part) -> None:
    for row in reversed(part.rows):
        if row.utterance == "d":
            part.fail("d", "why, indeed")
        else:
            part.add(row.utterance, values(row.utterance))
    part.seal()


def work(run: shard.Run, most: int = 99) -> list[str]:
    """Utterances of the first parts that are made, at most `most`; the run is over when there are no more."""
    made: list[str] = []
    for part in run.pending():
        if most == 0:
            return made
        fill(part)
        made += [row.utterance for row in part.rows]
        most -= 1
    run.join()
    return made
