"""Verb `predict`: class probabilities of a test fold under one missing condition."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from cmarr.data import labels_of, load
from cmarr.engine import probabilities
from cmarr.model_file import restore
from cmarr.runtime import start_torch
from cmarr.settings import Features
from cmarr.vocabulary import CONDITIONS, present
from extractors.device import add_arguments as add_device_arguments
from extractors.files import read_json, sha256, write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors, with record.json beside it")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of the stores; only the available are read")
    parser.add_argument("--condition", choices=CONDITIONS, required=True, help="what is available: t, s, v or several")
    parser.add_argument("--out", type=Path, required=True)
    add_device_arguments(parser)


def main(args: argparse.Namespace) -> None:
    device = start_torch(args)
    record = read_json(args.model.with_name("record.json"))
    ids = read_json(args.folds)["folds"][record["fold"]]["test"]
    labels = labels_of(args.manifest, ids)
    stores = {modality: args.stores / f"{modality}.h5" for modality in present(args.condition)}
    limits = Features.model_validate(record["features"])
    data = load(stores, ids, labels, record["classes"], limits, sha256(args.manifest), device)
    system, statistics = restore(args.model, record, device)
    if statistics:
        data.standardize(statistics)
    found = probabilities(system, data, torch.arange(len(ids), device=device), args.condition).cpu()
    columns = ("utterance", "label", *(f"p_{name}" for name in record["classes"]), "origin")
    rows = (
        dict(zip(columns, (name, label, *(f"{p:.9g}" for p in row), record["origin"]), strict=True))
        for name, label, row in zip(ids, labels, found.tolist(), strict=True)
    )
    write_csv(args.out, columns, rows)
