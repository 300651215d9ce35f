"""Trains systems with chosen settings on chosen features and writes the scores of validation and test utterances.

    python benchmarks/compare.py --data linked:0 linked:1 unlinked.npz RESULTS/iemocap --settings settings.json \\
      --seeds 1 2 3 --jobs 2 --out scores.csv

`linked:SEED` (or `unlinked:SEED`) is a corpus of benchmarks/linked.py whose modalities share an instance (or the class
alone). A file is one of packed features: `labels`, `train` (how many utterances come first for training) and per
modality `<modality>_values` and `<modality>_offsets`; the first third of the others is for validation. A folder's name
is that of a corpus below RESULTS, whose stores and folds were made by the workflow; all its folds are used.
`settings.json` maps names to {"system": ..., "settings": {...}}; for cm_arr, "recovery": "zeros" puts zeros in the
place of recovered modalities, "class_means" a mixture of learned representations of the classes.

A row per data, name, fold, seed, part and condition: UAR, and for `cosine` the centred cosine between recovered and
true representations, mean over the modalities when one is missing. Each run's epoch is chosen by validation scores.
Runs that `--out` already has are not trained again. Prints means over folds and seeds of the validation scores, and of
the test scores only with `--test`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.linked import CLASSES, linked
from cmarr.choice import Choice
from cmarr.config import kind_of
from cmarr.data import Dataset, Packed, labels_of, load
from cmarr.distances import cosine
from cmarr.engine import Task, fit, probabilities
from cmarr.metrics import confusion, uar
from cmarr.runtime import start_torch
from cmarr.seeds import derive
from cmarr.settings import Features
from cmarr.systems import build
from cmarr.systems.base import Recovering, SystemModule
from cmarr.systems.cm_arr import CmArrSystem
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS, MODALITIES
from extractors.console import counter
from extractors.files import read_json, sha256

COLUMNS = ("data", "name", "fold", "seed", "part", "condition", "score", "epoch")
ONE_MISSING = {"text": "sv", "speech": "vt", "video": "st"}


@dataclass(frozen=True)
class Fold:
    data: Dataset
    train: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor


def packed(values: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> Packed:
    padded = np.concatenate([values, np.zeros((1, values.shape[1]), values.dtype)]).astype(np.float32)
    return Packed(torch.from_numpy(padded), torch.from_numpy(offsets), torch.zeros(len(offsets) - 1, dtype=torch.bool))


def made(labels: np.ndarray[Any, Any], parts: dict[str, Packed], spans: dict[str, range]) -> Fold:
    data = Dataset([str(row) for row in range(len(labels))], torch.from_numpy(labels), parts, CLASSES)
    rows = {name: torch.arange(span.start, span.stop) for name, span in spans.items()}
    data.standardize(data.statistics(rows["train"].tolist()))
    return Fold(data, rows["train"], rows["validation"], rows["test"])


def folds_of(data: str) -> list[str]:
    kind, path = data.partition(":")[0], Path(data)
    if kind in ("linked", "unlinked") or path.suffix == ".npz":
        return ["1"]
    return list(read_json(path.parent / f"folds/{path.name}/clean.json")["folds"])


@cache
def fold_of(data: str, number: str) -> Fold:
    kind, _, seed = data.partition(":")
    if kind in ("linked", "unlinked"):
        corpus = linked(seed=int(seed), link=float(kind == "linked"))
        parts = {m: packed(v, np.cumsum([0, *corpus.lengths[m]])) for m, v in corpus.values.items()}
        return made(corpus.labels, parts, corpus.parts)
    path = Path(data)
    if path.suffix == ".npz":
        file = np.load(path)
        train, count = int(file["train"]), len(file["labels"])
        middle = train + (count - train) // 3
        parts = {m: packed(file[f"{m}_values"], file[f"{m}_offsets"]) for m in MODALITIES}
        spans = {"train": range(train), "validation": range(train, middle), "test": range(middle, count)}
        return made(file["labels"], parts, spans)
    plan = read_json(path.parent / f"folds/{path.name}/clean.json")
    fold, manifest = plan["folds"][number], path.parent / f"corpora/{path.name}/manifest.csv"
    ids = [name for part in ("train", "validation", "test") for name in fold[part]]
    stores = {modality: path.parent / f"features/{path.name}/{modality}.h5" for modality in MODALITIES}
    loaded = load(
        stores, ids, labels_of(manifest, ids), plan["classes"], Features(), sha256(manifest), torch.device("cpu")
    )
    ends = np.cumsum([0, *(len(fold[part]) for part in ("train", "validation", "test"))])
    rows = [torch.arange(*ends[number : number + 2]) for number in range(3)]
    loaded.standardize(loaded.statistics(rows[0].tolist()))
    return Fold(loaded, *rows)


class ClassMeans(torch.nn.Module):
    """Recovery without an instance: a representation per class, mixed by what the latent says of the class."""

    def __init__(self, classes: int, width: int, steps: int) -> None:
        super().__init__()
        self.guess = torch.nn.Linear(width, classes)
        self.means = torch.nn.Parameter(0.3 * torch.randn(classes, width, steps))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        shares = self.guess(latent.mean(2)).softmax(1)
        return torch.einsum("bc,cwt->bwt", shares, self.means)


def replace_recovery(system: SystemModule, kind: str, classes: int) -> None:
    assert isinstance(system, CmArrSystem)
    for branch in system.branches.values():
        if kind == "class_means":
            branch.class_means = ClassMeans(classes, *system.empty)
        # A module that is set as an attribute does not come before a method.
        object.__setattr__(branch, "recover", torch.zeros_like if kind == "zeros" else branch.class_means.forward)


def run(data: str, name: str, chosen: dict[str, Any], fold: str, seed: int) -> list[dict[str, Any]]:
    """Rows of one training."""
    system, settings = chosen["system"], chosen["settings"]
    start_torch(argparse.Namespace(device="cpu", threads=1))
    found = fold_of(data, fold)

    def seeds(purpose: str, epoch: int = 0) -> int:
        return derive(Path(data).name, system, fold, seed, purpose, epoch)

    torch.manual_seed(seeds("weights"))
    module = build(system, kind_of(system).model_validate(settings), found.data.dims, len(found.data.classes))
    if "recovery" in chosen:
        replace_recovery(module, chosen["recovery"], len(found.data.classes))
    with TemporaryDirectory() as folder:
        choice, state = Choice("validation", "mean_uar"), TrainingState(Path(folder), "compare")
        outcome = fit(module, Task(found.data, found.train, found.validation, choice, seeds, state))
    module.load_state_dict(outcome.best)
    about = {"data": data, "name": name, "fold": fold, "seed": seed, "epoch": [*outcome.best_epochs.values()][-1]}
    rows = []
    for part, utterances in (("validation", found.validation), ("test", found.test)):
        labels = found.data.labels[utterances].numpy()
        for condition in CONDITIONS:
            guesses = probabilities(module, found.data, utterances, condition).argmax(1).numpy()
            score = uar(confusion(labels, guesses, len(found.data.classes)))
            rows.append(about | {"part": part, "condition": condition, "score": round(score, 3)})
        if isinstance(module, Recovering):
            score = float(np.mean([recovered(module, found.data, utterances, m) for m in MODALITIES]))
            rows.append(about | {"part": part, "condition": "cosine", "score": round(score, 4)})
    return rows


def recovered(system: SystemModule, data: Dataset, rows: torch.Tensor, modality: str) -> float:
    """Centred cosine between what stands for a missing modality and the true one."""
    points = []
    for condition in (ONE_MISSING[modality], "svt"):
        with torch.inference_mode():
            parts = [system.representations(data.batch(part, condition))[modality] for part in rows.split(64)]  # type: ignore[operator]
        points.append(torch.cat(parts).double().numpy())
    centre = points[1].mean(0)
    return cosine(points[0] - centre, points[1] - centre)


def trainings(args: argparse.Namespace, done: set[tuple[str, ...]]) -> Iterator[tuple[Any, ...]]:
    for name, chosen in json.loads(args.settings.read_text()).items():
        for data in args.data:
            for fold in args.folds or folds_of(data):
                for seed in args.seeds:
                    if (data, name, fold, str(seed)) not in done:
                        yield data, name, chosen, fold, seed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--settings", type=Path, required=True, help="JSON: name to system and settings")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--folds", nargs="+", help="only these")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True, help="CSV, which is continued")
    parser.add_argument("--test", action="store_true", help="print the test scores too")
    args = parser.parse_args()
    rows = list(csv.DictReader(args.out.open())) if args.out.exists() else []
    work = list(trainings(args, {tuple(row[key] for key in COLUMNS[:4]) for row in rows}))
    with args.out.open("a", newline="") as stream, ProcessPoolExecutor(args.jobs) as pool:
        writer = csv.DictWriter(stream, COLUMNS)
        if not rows:
            writer.writeheader()
        jobs = [pool.submit(run, *training) for training in work]
        with counter("training", "run", len(jobs), 0) as bar:
            for job in as_completed(jobs):
                writer.writerows(job.result())
                stream.flush()
                bar.update()
    scores = pd.read_csv(args.out, dtype={"fold": str})
    scores = scores[scores["data"].isin(args.data) & scores["name"].isin(json.loads(args.settings.read_text()))]
    for part in ("validation", "test")[: 2 if args.test else 1]:
        print(f"\n{part}: UAR in percent, mean over folds and seeds", table(scores[scores["part"] == part]), sep="\n")


def table(scores: pd.DataFrame) -> str:
    means = scores.pivot_table(index=["data", "name"], columns="condition", values="score", sort=False)
    means.insert(6, "average", means[list(MISSING_CONDITIONS)].mean(axis=1))
    return str(means.round(3 if (means.max() < 1).all() else 2).to_string())


if __name__ == "__main__":
    main()
