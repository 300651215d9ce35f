"""Verb `train`: one system on one fold with one seed."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import resource
import time
from pathlib import Path
from typing import Any

import torch

from cmarr.config import Systems
from cmarr.data import labels_of, load
from cmarr.engine import fit
from cmarr.model_file import save
from cmarr.runtime import start_torch
from cmarr.seeds import derive
from cmarr.settings import Features
from cmarr.systems import build
from cmarr.vocabulary import MODALITIES
from extractors.device import add_arguments as add_device_arguments
from extractors.files import read_json, sha256, write_csv, write_json
from extractors.fingerprint import versions
from extractors.store import FeatureStore

LOG = logging.getLogger("cmarr")
PACKAGES = ("torch", "numpy", "h5py", "safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument("--system", required=True, help="name of the system, a module of cmarr.systems")
    parser.add_argument("--settings", required=True, help="settings of the system, JSON")
    parser.add_argument("--features", required=True, help="settings of the inputs, JSON")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--fold", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of text.h5, speech.h5 and video.h5")
    parser.add_argument("--out-dir", type=Path, required=True)
    add_device_arguments(parser)


def main(args: argparse.Namespace) -> None:
    begin = time.monotonic()
    device = start_torch(args)
    features = Features.model_validate_json(args.features)
    settings = Systems.model_validate({args.system: json.loads(args.settings)}).chosen()[args.system]
    plan = read_json(args.folds)
    fold = plan["folds"][args.fold]
    stores = {modality: args.stores / f"{modality}.h5" for modality in MODALITIES}

    ids = fold["train"] + fold["validation"]
    labels = labels_of(args.manifest, ids)
    data = load(stores, ids, labels, plan["classes"], features, sha256(args.manifest), device)
    train = torch.arange(len(fold["train"]))
    validation = torch.arange(len(fold["train"]), len(ids))
    statistics = data.statistics(train.tolist()) if features.standardize else {}
    if statistics:
        data.standardize(statistics)

    name = (args.corpus, args.system, args.fold, args.seed)
    torch.manual_seed(derive(*name, "weights and dropout"))
    system = build(args.system, settings, data.dims, len(data.classes)).to(device)
    LOG.info(
        "%s on %s, fold %s, seed %d: %d + %d utterances",
        args.system,
        args.corpus,
        args.fold,
        args.seed,
        len(train),
        len(validation),
    )
    generator = torch.Generator().manual_seed(derive(*name, "order and patterns"))
    outcome = fit(system, data, train, validation, settings.training, generator)

    write_csv(
        args.out_dir / "history.csv",
        [*outcome.history[0], "origin"],
        [row | {"origin": plan["origin"]} for row in outcome.history],
    )
    record: dict[str, Any] = {
        "corpus": args.corpus, "system": args.system, "fold": args.fold, "seed": args.seed,
        "protocol": plan["protocol"], "origin": plan["origin"], "encoders": "frozen", "classes": data.classes,
        "notes": _notes(stores), "settings": json.loads(settings.model_dump_json()),
        "features": json.loads(args.features), "dims": data.dims,
        "parameters": sum(parameter.numel() for parameter in system.parameters()),
        "best_epoch": outcome.best_epoch,
        "validation_uar": outcome.history[outcome.best_epoch - 1]["validation_uar"],
        "inputs": {str(path): sha256(path) for path in (args.manifest, args.folds)} | _fingerprints(stores),
        "versions": {"python": platform.python_version()} | versions(PACKAGES),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "threads": args.threads,
        "seconds": round(time.monotonic() - begin, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    write_json(args.out_dir / "record.json", record)
    save(args.out_dir / "model.safetensors", outcome.state, statistics, plan["origin"])


def _fingerprints(stores: dict[str, Path]) -> dict[str, dict[str, str]]:
    """Attributes of each store that identify its content."""
    found = {}
    for path in stores.values():
        with FeatureStore(path) as store:
            found[str(path)] = {
                key: str(store.attributes[key]) for key in ("encoder", "weights_sha256", "manifest_sha256", "settings")
            }
    return found


def _notes(stores: dict[str, Path]) -> list[str]:
    """Warnings that the stores carry, such as an untrained face model; repeated in every table."""
    notes = []
    for path in stores.values():
        with FeatureStore(path) as store:
            if store.attributes.get("note"):
                notes.append(str(store.attributes["note"]))
    return notes
