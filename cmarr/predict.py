"""Verb `predict`: class probabilities of a test fold under missing conditions, one file each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

from cmarr.data import Dataset, labels_of, load
from cmarr.engine import probabilities
from cmarr.model_file import restore
from cmarr.runtime import start_torch
from cmarr.settings import Features
from cmarr.vocabulary import CONDITIONS, MODALITIES, present
from extractors.console import progress
from extractors.device import add_arguments as add_device_arguments
from extractors.files import read_json, sha256, write_csv

UTTERANCES_AT_ONCE = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors, with record.json beside it")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of the stores; only the available are read")
    parser.add_argument(
        "--conditions", choices=CONDITIONS, nargs="+", default=CONDITIONS, help="what is available: t, s, v or several"
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for <condition>.csv")
    add_device_arguments(parser)


def main(args: argparse.Namespace) -> None:
    device = start_torch(args)
    record = read_json(args.model.with_name("record.json"))
    ids = read_json(args.folds)["folds"][record["fold"]]["test"]
    labels = labels_of(args.manifest, ids)
    read = [modality for modality in MODALITIES if any(modality in present(name) for name in args.conditions)]
    stores = {modality: args.stores / f"{modality}.h5" for modality in read}
    system, statistics = restore(args.model, record, device)
    limits, manifest = Features.model_validate(record["features"]), sha256(args.manifest)

    def parts() -> Iterator[Dataset]:
        for begin in progress(range(0, len(ids), UTTERANCES_AT_ONCE), "predicting", "part"):
            here = slice(begin, begin + UTTERANCES_AT_ONCE)
            data = load(stores, ids[here], labels[here], record["classes"], limits, manifest, device)
            if statistics:
                data.standardize(statistics)
            yield data

    found: dict[str, list[list[float]]] = {condition: [] for condition in args.conditions}
    for data in parts():
        for condition, rows in found.items():
            rows += probabilities(system, data, torch.arange(len(data.ids)), condition).tolist()
    columns = ("utterance", "label", *(f"p_{name}" for name in record["classes"]), "origin")
    for condition, rows in found.items():
        lines = (
            dict(zip(columns, (name, label, *(f"{p:.9g}" for p in row), record["origin"]), strict=True))
            for name, label, row in zip(ids, labels, rows, strict=True)
        )
        write_csv(args.out_dir / f"{condition}.csv", columns, lines)
