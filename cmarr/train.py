"""Verb `train`: one system on one fold with one seed."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import platform
import resource
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cmarr.choice import Choice
from cmarr.command import add_training_arguments, seeds_of, settings_of
from cmarr.engine import Watcher, fit
from cmarr.fold_data import fingerprints, fold_data, notes, stores_in
from cmarr.history import Events, HistoryFile
from cmarr.model_file import save
from cmarr.runtime import start_torch
from cmarr.solving import solve
from cmarr.systems.base import SolvedModule, SystemModule
from cmarr.training_state import Fit, TrainingState
from cmarr.variants import base
from extractors.files import read_json, sha256, write_json
from extractors.fingerprint import code_fingerprint, versions
from extractors.locks import hold

LOG = logging.getLogger("cmarr")
PACKAGES = ("torch", "numpy", "h5py", "safetensors", "scikit-learn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_training_arguments(parser)
    parser.add_argument("--fold", required=True)
    parser.add_argument("--trials", type=int, default=0, help="settings that tuning tried before, for the record")
    parser.add_argument("--tuned-on", nargs="*", default=[], metavar="FOLD", help="folds whose scores chose among them")
    parser.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="also write TensorBoard's events, below this folder by run"
    )


def main(args: argparse.Namespace) -> None:
    module = base(args.system)
    settings, features = settings_of(args)
    device = start_torch(args)
    plan, stores = read_json(args.folds), stores_in(args.stores)
    fold = fold_data(plan, args.fold, args.folds, args.manifest, stores, features, device)
    data, choice = fold.data, fold.choice
    LOG.info(
        "%s on %s, fold %s, seed %d: %d utterances to learn from, judged by %s",
        args.system,
        args.corpus,
        args.fold,
        args.seed,
        len(fold.train),
        f"{len(fold.judged)} of the {choice.rows} set" if len(fold.judged) else "none",
    )
    seals = fingerprints(stores)
    inputs = {str(path): sha256(path) for path in (args.manifest, args.folds)} | seals
    about: dict[str, Any] = {
        "corpus": args.corpus, "system": args.system, "fold": args.fold, "seed": args.seed,
        "protocol": plan["protocol"], "choice": choice.rows, "origin": plan["origin"],
        "encoders": "frozen", "speech": seals[str(stores["speech"])]["encoder"],
        "classes": data.classes, "notes": [*notes(stores), *plan["notes"]],
        "settings": json.loads(settings.model_dump_json()), "features": json.loads(args.features), "dims": data.dims,
        "inputs": inputs, "versions": {"python": platform.python_version()} | versions(PACKAGES),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu", "threads": args.threads,
    }  # fmt: skip
    code = code_fingerprint("cmarr.train", f"cmarr.systems.{module}")
    fingerprint = hashlib.sha256(json.dumps([about, code]).encode()).hexdigest()[:16]
    folder = args.out_dir.with_name(f".{args.out_dir.name}.state")
    lock = hold(folder, args.out_dir)
    state = TrainingState(folder, fingerprint)
    system, task = fold.start(module, settings, seeds_of(args, args.fold), device, state)
    history = HistoryFile(args.out_dir / "history.csv", plan["origin"])
    with ExitStack() as opened:
        watchers: list[Watcher] = [history]
        if args.tensorboard:
            run = args.tensorboard / args.corpus / args.system / f"fold{args.fold}" / f"seed{args.seed}"
            watchers.append(opened.enter_context(closing(Events(run))))
        task = replace(task, watchers=watchers)
        outcome = solve(system, task) if isinstance(system, SolvedModule) else fit(system, task)

    history.write(outcome.history)
    record = about | {
        "trials": args.trials,
        "notes": [*about["notes"], *_tuning_notes(args)],
        "parameters": sum(parameter.numel() for parameter in system.parameters()),
        **_found(system, outcome, choice),
        "seconds": round(outcome.seconds, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    write_json(args.out_dir / "record.json", record)
    save(args.out_dir / "model.safetensors", outcome.best, fold.statistics, plan["origin"])
    state.remove()
    lock.close()


def _tuning_notes(args: argparse.Namespace) -> list[str]:
    """What tables have to say of settings that tuning chose."""
    if not args.trials:
        return []
    folds = f" of fold{'s' * (len(args.tuned_on) > 1)} {', '.join(args.tuned_on)}" if args.tuned_on else ""
    found, own = [f"settings chosen by validation scores{folds}, shared by all folds"], base(args.system)
    return [*found, f"settings were tuned for {own} itself, not for its variants"] if args.system != own else found


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
