"""Verb `train`: one system on one fold with one seed."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import platform
import resource
from collections import Counter
from pathlib import Path
from typing import Any

import torch

from cmarr.choice import Choice
from cmarr.config import kind_of
from cmarr.data import labels_of, load
from cmarr.engine import Fit, Task, fit
from cmarr.model_file import save
from cmarr.runtime import start_torch
from cmarr.seeds import derive
from cmarr.settings import Features
from cmarr.solving import solve
from cmarr.systems import build
from cmarr.systems.base import SolvedModule, SystemModule
from cmarr.training_state import TrainingState
from cmarr.variants import base
from cmarr.vocabulary import MODALITIES
from extractors.device import add_arguments as add_device_arguments
from extractors.files import UserError, read_json, sha256, write_csv, write_json
from extractors.fingerprint import code_fingerprint, versions
from extractors.locks import hold
from extractors.store import FeatureStore

LOG = logging.getLogger("cmarr")
PACKAGES = ("torch", "numpy", "h5py", "safetensors", "scikit-learn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument(
        "--system", required=True, help="name of the system or of a variant of it, such as cm_arr-alpha-0.5"
    )
    parser.add_argument("--settings", required=True, help="all settings of the system or variant, JSON")
    parser.add_argument("--features", required=True, help="settings of the inputs, JSON")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--fold", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of text.h5, speech.h5 and video.h5")
    parser.add_argument("--out-dir", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=0, help="settings that were tried before these; for the record")
    add_device_arguments(parser)


def main(args: argparse.Namespace) -> None:
    module = base(args.system)
    try:
        settings = kind_of(module).model_validate_json(args.settings)
        features = Features.model_validate_json(args.features)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"--system, --settings or --features: {str(error).splitlines()[0]}; see the log of a run"
        ) from error
    device = start_torch(args)
    plan = read_json(args.folds)
    try:
        fold, choice = plan["folds"][args.fold], Choice(**plan["choice"])
    except KeyError as error:
        raise UserError(f"{args.folds}: has no {error}; name one of its folds, or delete it and run again") from error
    stores = {modality: args.stores / f"{modality}.h5" for modality in MODALITIES}

    ids = fold["train"] + (fold[choice.rows] if choice.rows != "none" else [])
    labels = labels_of(args.manifest, ids)
    data = load(stores, ids, labels, plan["classes"], features, sha256(args.manifest), device)
    train, judged = torch.arange(len(fold["train"])), torch.arange(len(fold["train"]), len(ids))
    statistics = data.statistics(train.tolist(), features.standardize)
    data.standardize(statistics)

    def seeds(purpose: str, epoch: int = 0) -> int:
        return derive(args.corpus, module, args.fold, args.seed, purpose, epoch)

    torch.manual_seed(seeds("weights"))
    system = build(module, settings, data.dims, len(data.classes)).to(device)
    data.average(system.averaged)
    LOG.info(
        "%s on %s, fold %s, seed %d: %d utterances, epoch chosen by %s",
        args.system,
        args.corpus,
        args.fold,
        args.seed,
        len(train),
        f"{len(judged)} of the {choice.rows} set" if len(judged) else "being the last",
    )
    seals = _fingerprints(stores)
    inputs = {str(path): sha256(path) for path in (args.manifest, args.folds)} | seals
    about: dict[str, Any] = {
        "corpus": args.corpus, "system": args.system, "fold": args.fold, "seed": args.seed,
        "protocol": plan["protocol"], "choice": choice.rows, "origin": plan["origin"], "encoders": "frozen",
        "speech": seals[str(stores["speech"])]["encoder"],
        "classes": data.classes, "notes": [*_notes(stores), *plan["notes"]],
        "settings": json.loads(settings.model_dump_json()), "features": json.loads(args.features), "dims": data.dims,
        "inputs": inputs, "versions": {"python": platform.python_version()} | versions(PACKAGES),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "threads": args.threads,
    }  # fmt: skip
    code = code_fingerprint("cmarr.train", f"cmarr.systems.{module}")
    fingerprint = hashlib.sha256(json.dumps([about, code]).encode()).hexdigest()[:16]
    folder = args.out_dir.with_name(f".{args.out_dir.name}.state")
    lock = hold(folder, args.out_dir)
    state = TrainingState(folder, fingerprint)
    task = Task(data, train, judged, choice, seeds, state)
    outcome = solve(system, task) if isinstance(system, SolvedModule) else fit(system, task)

    columns = dict.fromkeys(key for row in outcome.history for key in row)
    write_csv(
        args.out_dir / "history.csv",
        [*columns, "origin"],
        [dict.fromkeys(columns, "") | row | {"origin": plan["origin"]} for row in outcome.history],
    )
    record = about | {
        "trials": args.trials,
        "parameters": sum(parameter.numel() for parameter in system.parameters()),
        **_found(system, outcome, choice),
        "seconds": round(outcome.seconds, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    write_json(args.out_dir / "record.json", record)
    save(args.out_dir / "model.safetensors", outcome.best, statistics, plan["origin"])
    state.remove()
    lock.close()


def _found(system: SystemModule, outcome: Fit, choice: Choice) -> dict[str, Any]:
    """What a training was given and has chosen; `candidates`: per choice of a system that is solved."""
    history, stages = outcome.history, system.stages()
    if stages:
        spent = {"epochs": len(history), "steps": sum(row["steps"] for row in history)}
        best = {"best_epoch": outcome.best_epochs[stages[-1].name], "best_epochs": outcome.best_epochs}
        row = outcome.chosen(stages[-1]) or {}
    else:
        tried = Counter(row["stage"] for row in history if "candidate" in row)
        spent, best, row = {"candidates": max(tried.values(), default=0)}, {}, history[-1]
    return spent | best | {"scores": {key: value for key, value in row.items() if key.startswith(f"{choice.rows}_")}}


def _fingerprints(stores: dict[str, Path]) -> dict[str, dict[str, str]]:
    """What identifies the content of each store: some attributes, and its seal."""
    found = {}
    for path in stores.values():
        with FeatureStore(path) as store:
            named = {
                key: str(store.attributes[key]) for key in ("encoder", "weights_sha256", "manifest_sha256", "settings")
            }
            found[str(path)] = named | {"seal": f"{store.seal:08x}"}
    return found


def _notes(stores: dict[str, Path]) -> list[str]:
    """Warnings that the stores carry, such as an untrained face model; repeated in every table."""
    notes = []
    for path in stores.values():
        with FeatureStore(path) as store:
            if store.attributes.get("note"):
                notes.append(str(store.attributes["note"]))
    return notes
