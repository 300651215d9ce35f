"""Verb `tune`: try settings of one system on one corpus, each with the same budget, by scores of validation data."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from cmarr.choice import Choice
from cmarr.command import add_training_arguments, settings_of
from cmarr.fold_data import fingerprints, notes, stores_in
from cmarr.runtime import start_torch
from cmarr.settings import AnySystem
from cmarr.settings.space import around, at
from cmarr.settings.tuning import ONE_FOLD
from cmarr.study import Study, Tried
from cmarr.trials import Bench
from cmarr.variants import base
from extractors.files import UserError, read_json, sha256, write_csv, write_json
from extractors.fingerprint import code_fingerprint, versions
from extractors.locks import hold

LOG = logging.getLogger("cmarr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_training_arguments(parser)
    parser.add_argument("--fold", nargs="*", help="folds whose validation utterances are scored; all if absent")
    parser.add_argument("--trials", type=int, required=True, help="settings to try, the given ones first")
    parser.add_argument("--steps", type=int, required=True, help="steps of the optimiser per trial, of all stages")
    parser.add_argument("--batch-size", type=int, help="utterances per step in every stage; as configured if absent")


def main(args: argparse.Namespace) -> None:
    settings, features = settings_of(args)
    plan = read_json(args.folds)
    names = _check(args, settings, plan)
    device = start_torch(args)
    stores = stores_in(args.stores)
    inputs = {str(path): sha256(path) for path in (args.manifest, args.folds)} | fingerprints(stores)
    about: dict[str, Any] = {
        "corpus": args.corpus, "system": args.system, "protocol": plan["protocol"], "origin": plan["origin"],
        "column": Choice(**plan["choice"]).column, "folds": names, "seed": args.seed, "steps": args.steps,
        "batch_size": args.batch_size, "versions": versions(("torch", "numpy", "optuna")),
        "configured": json.loads(settings.model_dump_json()), "features": json.loads(args.features), "inputs": inputs,
        "notes": [*notes(stores), *plan["notes"]],
    }  # fmt: skip
    code = code_fingerprint("cmarr.tune", f"cmarr.systems.{args.system}")
    fingerprint = hashlib.sha256(json.dumps([about, code]).encode()).hexdigest()[:16]
    folder = args.out_dir / ".study"  # no output of the rule, so that more trials can be added
    lock = hold(folder, args.out_dir)
    space = around(settings.space(), settings)
    if fixed := [path for path in settings.space() if path not in space]:
        LOG.info("not searched, being switched off: %s", ", ".join(fixed))
    study = Study(folder, fingerprint, space, {path: at(settings, path) for path in space}, args.seed)
    bench = Bench(args, settings, features, plan, names, stores, device, fingerprint, folder / "trial")
    bench.run(study)
    _write(args, about | {"device": device.type, "threads": args.threads}, study.tried()[: args.trials])
    lock.close()


def _check(args: argparse.Namespace, settings: AnySystem, plan: Mapping[str, Any]) -> list[str]:
    """Folds to score; UserError when there is nothing to tune, or nothing to tune by."""
    if args.system != base(args.system):
        raise UserError(f"--system: {args.system} is a variant; tune the system, {base(args.system)}")
    if not settings.space():
        raise UserError(f"--system: {args.system} has no search space: give its settings a SPACE (docs/tuning.md)")
    if args.trials < 1 or args.steps < 1:
        raise UserError("--trials and --steps: 1 or more, please")
    if args.batch_size is not None and args.batch_size < 2:
        raise UserError("--batch-size: 2 or more, please")
    if plan["choice"]["rows"] != "validation":
        raise UserError(
            f"{args.folds}: protocol {plan['protocol']} has no validation utterances to score; tune with `clean`"
        )
    if unknown := set(args.fold or ()) - set(plan["folds"]):
        raise UserError(f"--fold: {min(unknown)} is no fold of {args.folds}; name some of {', '.join(plan['folds'])}")
    names = args.fold or list(plan["folds"])
    if plan["protocol"] in ONE_FOLD and len(names) > 1:
        raise UserError(
            f"--fold: under {plan['protocol']} these {len(names)} folds validate on each other's test utterances; name "
            'one, as `tuning.folds: ["1"]` does'
        )
    return names


def _write(args: argparse.Namespace, about: dict[str, Any], tried: list[Tried]) -> None:
    """Publish all trials and the chosen one; UserError when none of them could be trained."""
    scored = [number for number, each in enumerate(tried) if each.score is not None]
    if not scored:
        raise UserError(f"{args.system}: no training ended well; the first one: {tried[0].record['reason']}")
    best = max(scored, key=lambda number: (tried[number].score, -number))
    rows = [_row(number, each, about) for number, each in enumerate(tried, 1)]
    columns = dict.fromkeys(key for row in rows for key in row)
    rows = [dict.fromkeys(columns, "") | row for row in rows]
    write_csv(args.out_dir / "trials.csv", list(columns), rows)
    chosen = {
        "trials": len(tried), "failed": len(tried) - len(scored), "chosen": best + 1, "score": tried[best].score,
        "first_score": tried[0].score, "seconds": round(sum(each.record["seconds"] for each in tried), 1),
        "settings": tried[best].record["settings"],
    }  # fmt: skip
    write_json(args.out_dir / "chosen.json", about | chosen)
    LOG.info("trial %d is chosen: %s", best + 1, json.dumps(chosen["settings"]))


def _row(number: int, tried: Tried, about: Mapping[str, Any]) -> dict[str, object]:
    record = tried.record
    return {
        "trial": number, **record["values"], **{f"{path}.epochs": count for path, count in record["epochs"].items()},
        "steps": record["steps"], "seconds": record["seconds"],
        **{f"fold{name}": record["scores"].get(name, "") for name in about["folds"]},
        "score": "" if tried.score is None else tried.score, "state": "failed" if record["reason"] else "complete",
        "reason": record["reason"], "origin": about["origin"],
    }  # fmt: skip
