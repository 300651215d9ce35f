"""Verb `predict`: class probabilities of a test fold under missing conditions, one file each."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch

from cmarr.data import Dataset, labels_of, load
from cmarr.engine import probabilities
from cmarr.model_file import restore
from cmarr.runtime import start_torch
from cmarr.settings import Features
from cmarr.systems.base import SystemModule
from cmarr.vocabulary import CONDITIONS, MODALITIES, present
from extractors.console import progress
from extractors.device import add_arguments as add_device_arguments
from extractors.files import read_csv, read_json, sha256, write_csv

UTTERANCES_AT_ONCE = 128


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of verbs that apply a trained model to its test fold."""
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors, with record.json beside it")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of the stores; only the available are read")
    add_device_arguments(parser)


def trained(
    args: argparse.Namespace, modalities: Collection[str]
) -> tuple[dict[str, Any], SystemModule, Iterator[Dataset]]:
    """Record and system of a trained model, and the utterances of its test fold, part by part, standardised.

    Of the stores, only those of `modalities` are opened.
    """
    device = start_torch(args)
    record: dict[str, Any] = read_json(args.model.with_name("record.json"))
    ids = read_json(args.folds)["folds"][record["fold"]]["test"]
    labels = labels_of(args.manifest, ids)
    stores = {modality: args.stores / f"{modality}.h5" for modality in modalities}
    system, statistics = restore(args.model, record, device)
    limits, manifest = Features.model_validate(record["features"]), sha256(args.manifest)

    def parts() -> Iterator[Dataset]:
        for begin in progress(range(0, len(ids), UTTERANCES_AT_ONCE), "utterances", "part"):
            here = slice(begin, begin + UTTERANCES_AT_ONCE)
            data = load(stores, ids[here], labels[here], record["classes"], limits, manifest, device)
            data.standardize(statistics)
            data.average(system.averaged)
            yield data

    return record, system, parts()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument(
        "--conditions", choices=CONDITIONS, nargs="+", default=CONDITIONS, help="what is available: t, s, v or several"
    )
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for <condition>.csv")


def main(args: argparse.Namespace) -> None:
    wanted = [modality for modality in MODALITIES if any(modality in present(name) for name in args.conditions)]
    record, system, parts = trained(args, wanted)
    names = ("utterance", "dialogue", "speaker")
    about = {row["utterance"]: [row[name] for name in names] for row in read_csv(args.manifest)}
    columns = (*names, "label", *(f"p_{name}" for name in record["classes"]), "origin")
    found: dict[str, list[dict[str, str]]] = {condition: [] for condition in args.conditions}
    for data in parts:
        labels = [data.classes[label] for label in data.labels.tolist()]
        for condition, rows in found.items():
            shares = probabilities(system, data, torch.arange(len(data.ids)), condition).tolist()
            rows += (
                dict(zip(columns, (*about[name], label, *(f"{p:.9g}" for p in row), record["origin"]), strict=True))
                for name, label, row in zip(data.ids, labels, shares, strict=True)
            )
    for condition, rows in found.items():
        write_csv(args.out_dir / f"{condition}.csv", columns, rows)
