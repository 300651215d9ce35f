"""Verb `represent`: true and recovered representations of the utterances of a test fold."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from cmarr.data import Dataset
from cmarr.engine import EVALUATION_BATCH
from cmarr.predict import add_model_arguments, trained
from cmarr.systems.base import Recovering
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES, present
from extractors.files import UserError, publish

KEPT = ("corpus", "system", "fold", "seed", "protocol", "choice", "encoders", "speech", "origin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True,
        help="safetensors with true.<modality> and recovered.<modality>, each (utterances, width)",
    )  # fmt: skip


def main(args: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    record, system, parts = trained(args, MODALITIES)
    if not isinstance(system, Recovering):
        raise UserError(f"{args.model}: {record['system']} recovers nothing that could be shown; name another system")
    ids: list[str] = []
    labels: list[str] = []
    found: list[dict[str, Tensor]] = []
    for data in parts:
        ids += data.ids
        labels += [data.classes[label] for label in data.labels.tolist()]
        found.append(represented(system, data))
    about = {key: record[key] for key in KEPT if key in record}
    about |= {"notes": "; ".join(record["notes"]), "utterances": ids, "labels": labels}
    tensors = {key: torch.cat([part[key] for part in found]) for key in found[0]}
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
