"""Verb `represent`: true and recovered representations of the utterances of a test fold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from cmarr.data import Dataset, labels_of, load
from cmarr.engine import EVALUATION_BATCH
from cmarr.model_file import restore
from cmarr.runtime import start_torch
from cmarr.settings import Features
from cmarr.systems.base import Recovering
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES, present
from extractors.device import add_arguments as add_device_arguments
from extractors.files import UserError, publish, read_json, sha256

KEPT = ("corpus", "system", "fold", "seed", "protocol", "choice", "encoders", "origin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, required=True, help="model.safetensors, with record.json beside it")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of text.h5, speech.h5 and video.h5")
    parser.add_argument(
        "--out", type=Path, required=True,
        help="safetensors with true.<modality> and recovered.<modality>, each (utterances, width)",
    )  # fmt: skip
    add_device_arguments(parser)


def main(args: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    device = start_torch(args)
    record = read_json(args.model.with_name("record.json"))
    ids = read_json(args.folds)["folds"][record["fold"]]["test"]
    stores = {modality: args.stores / f"{modality}.h5" for modality in MODALITIES}
    limits = Features.model_validate(record["features"])
    labels = labels_of(args.manifest, ids)
    data = load(stores, ids, labels, record["classes"], limits, sha256(args.manifest), device)
    system, statistics = restore(args.model, record, device)
    if not isinstance(system, Recovering):
        raise UserError(f"{args.model}: {record['system']} recovers nothing that could be shown; name another system")
    if statistics:
        data.standardize(statistics)
    tensors = represented(system, data)
    about = {key: record[key] for key in KEPT if key in record}
    about |= {"notes": "; ".join(record["notes"]), "utterances": ids, "labels": labels}
    with publish(args.out) as draft:
        save_file(tensors, draft, {"about": json.dumps(about)})


def represented(system: Recovering, data: Dataset) -> dict[str, Tensor]:
    """`true.<modality>` when nothing is missing, `recovered.<modality>` when only that modality is missing."""
    found = {f"true.{modality}": values for modality, values in _under(system, data, FULL).items()}
    for modality in MODALITIES:
        (condition,) = (name for name in MISSING_CONDITIONS if len(name) == 2 and modality not in present(name))
        found[f"recovered.{modality}"] = _under(system, data, condition)[modality]
    return found


def _under(system: Recovering, data: Dataset, condition: str) -> dict[str, Tensor]:
    parts = [
        system.representations(data.batch(rows, condition))
        for rows in torch.arange(len(data.ids)).split(EVALUATION_BATCH)
    ]
    return {modality: torch.cat([part[modality] for part in parts]).cpu().contiguous() for modality in MODALITIES}
