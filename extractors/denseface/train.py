"""Verb `denseface train`: FER+ to weights, record and learning curve."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from extractors import device, ferplus
from extractors.console import LOG, progress
from extractors.files import UserError, publish, sha256, write_csv, write_json
from extractors.fingerprint import versions
from extractors.settings import DensefaceRecipe, parse

if TYPE_CHECKING:
    from extractors.denseface.training import Training

PACKAGES = ("torch", "torchvision", "safetensors", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    ferplus.add_arguments(parser)
    parser.add_argument("--recipe", default="{}", metavar="JSON", help="settings of the training; defaults if absent")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for weights, record and curve")
    parser.add_argument("--checkpoint-seconds", type=float, default=180, help="time between two checkpoints")
    device.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Train, or go on with a killed training, and publish the averaged weights of the last step."""
    recipe = parse("denseface.recipe", args.recipe, DensefaceRecipe)
    place = device.start(args)
    faces = ferplus.read(args.images, args.votes)

    from safetensors.torch import save_file

    from extractors.denseface import checkpoint, pictures
    from extractors.denseface.training import Training, rows

    parts = {split: rows(faces, split, recipe.targets, place) for split in ("train", "valid")}
    for split, least in (("train", recipe.batch), ("valid", 1)):
        if len(parts[split]) < least:
            found = f"{len(parts[split])} usable {split} rows, {least} needed"
            raise UserError(f"{args.images}: {found}; name the whole data set, or lower denseface.recipe.batch")
    training = Training(recipe, parts["train"], parts["valid"])
    memory = args.out_dir / "checkpoint.safetensors"
    checkpoint.resume(training, memory)
    steps = _steps(training, memory, args.checkpoint_seconds)
    for _ in progress(steps, "denseface", "step", training.steps, training.step):
        pass
    weights = args.out_dir / "weights.safetensors"
    with publish(weights) as draft:
        tensors = {key: value.cpu() for key, value in training.averaged.items()}
        save_file(tensors, draft, {"recipe": recipe.model_dump_json()})
    write_csv(args.out_dir / "curve.csv", list(training.curve[0]), training.curve)
    with publish(args.out_dir / "curve.png") as draft:
        pictures.curve(training.curve).savefig(draft, dpi=120)
    record = {
        "weights_sha256": sha256(weights),
        "rows": {split: len(part) for split, part in parts.items()},
        "identity": checkpoint.identity(training),
        "steps": training.steps,
        "seconds": round(training.seconds),
        "device": place.type,
        "threads": args.threads,
        "versions": versions(PACKAGES),
        "recipe": recipe.model_dump(mode="json"),
        "last": training.curve[-1],
    }
    write_json(args.out_dir / "record.json", record)
    memory.unlink(missing_ok=True)
    LOG.info("%s: %s", weights, _scores(training.curve[-1]))


def _steps(training: Training, memory: Path, every: float) -> Iterator[int]:
    """The number of each step when it is done; a checkpoint every `every` seconds."""
    from extractors.denseface import checkpoint

    epochs = len(training.curve)
    begun = written = time.monotonic()
    before = training.seconds
    while training.step < training.steps:
        training.advance()
        if not math.isfinite(training.loss):
            raise UserError(
                f"the loss is {training.loss} at step {training.step}; lower denseface.recipe.learning_rate"
            )
        training.seconds = before + time.monotonic() - begun
        if len(training.curve) > epochs:
            epochs = len(training.curve)
            LOG.info("epoch %.1f: %s", training.curve[-1]["epoch"], _scores(training.curve[-1]))
        if time.monotonic() - written >= every:
            checkpoint.write(training, memory)
            written = time.monotonic()
        yield training.step


def _scores(row: dict[str, float]) -> str:
    return f"validation accuracy {row['valid_accuracy']:.2f} %, mean class recall {row['valid_mean_recall']:.2f} %"
