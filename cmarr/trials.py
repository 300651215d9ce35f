"""Trials of tuning: trainings with the same number of steps, each on every fold."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import torch
from pydantic import ValidationError

from cmarr.command import seeds_of
from cmarr.engine import NotFiniteError, fit
from cmarr.equal_steps import Share, batches, epochs_within, least
from cmarr.fold_data import FoldData, fold_data
from cmarr.settings import AnySystem, Features, merged
from cmarr.settings.space import Value, nested
from cmarr.study import Study
from cmarr.systems import build
from cmarr.training_state import TrainingState
from extractors.console import counter
from extractors.files import UserError, read_json, write_json
from extractors.store import FeatureStore

LOG = logging.getLogger("cmarr")


@dataclass
class Bench:
    """Where trials are run, each on every fold; one that was killed goes on with the epoch it was in."""

    args: argparse.Namespace
    settings: AnySystem
    features: Features
    plan: Mapping[str, Any]
    names: list[str]
    """of the folds"""
    stores: Mapping[str, Path]
    device: torch.device
    fingerprint: str
    folder: Path
    """of the trial in work"""
    _loaded: dict[str, FoldData] = field(default_factory=dict)
    """the fold that was read last: all of them may not fit into memory"""

    def run(self, study: Study) -> None:
        """Trials up to the number that was asked for; what was there before counts."""
        budget, trials = self.args.steps * len(self.names), self.args.trials
        paths = self._paths()
        self._within_budget({}, paths)
        done = min(trials, len(study.tried()))
        with counter("tuning", "step", trials * budget, done * budget) as bar:
            for number in range(done, trials):
                trial = study.ask()
                values = {path: value if not number else _short(value) for path, value in trial.params.items()}
                score, record = self._trial(values, paths, bar)
                study.tell(trial, score, record)
                shutil.rmtree(self.folder, ignore_errors=True)
                bar.n = (number + 1) * budget
                bar.clear()
                said = f"{score:.2f}" if score is not None else f"failed, {record['reason']}"
                LOG.info("trial %d of %d: %s; %.0f s", number + 1, trials, said, record["seconds"])

    def _paths(self) -> list[str]:
        """The settings of each stage's training, by their field; a field for each stage that is trained with it."""
        dims = {}
        for modality, path in self.stores.items():
            with FeatureStore(path) as store:
                dims[modality] = store.dim
        stages = build(self.args.system, self.settings, dims, len(self.plan["classes"])).stages()
        if not stages:
            raise UserError(f"{self.args.system}: is solved, not trained in steps; take SPACE out of its settings")
        found = []
        for stage in stages:
            own = [name for name in type(self.settings).model_fields if getattr(self.settings, name) is stage.training]
            if not own:
                raise UserError(
                    f"{self.args.system}: stage {stage.name} is not trained as a field of its settings says"
                )
            found.append(own[0])
        return found

    def _trial(self, values: dict[str, Value], paths: list[str], bar: Any) -> tuple[float | None, dict[str, Any]]:
        """Mean score over the folds and what else there is to say; None when a training failed, or none can be."""
        folds: dict[str, dict[str, Any]] = {}
        epochs: dict[str, int] = {}
        reason, begin, lost = "", time.monotonic(), 0.0
        try:
            settings, epochs = self._within_budget(values, paths)
            for name in self.names:
                begin = time.monotonic()
                folds[name] = self._on_fold(settings, name, bar)
        except (NotFiniteError, ValidationError, torch.OutOfMemoryError) as error:
            reason = " ".join(str(error).partition(";")[0].split())
            lost = time.monotonic() - begin
        record = {
            "values": values, "epochs": epochs, "reason": reason,
            "settings": nested(values | self._batch_sizes(paths) | _of_fields(epochs, "epochs")),
            "scores": {name: fold["score"] for name, fold in folds.items()},
            "steps": round(fmean(fold["steps"] for fold in folds.values())) if folds else 0,
            "seconds": round(lost + sum(fold["seconds"] for fold in folds.values()), 1),
        }  # fmt: skip
        return None if reason else fmean(record["scores"].values()), record

    def _within_budget(self, values: Mapping[str, Value], paths: list[str]) -> tuple[AnySystem, dict[str, int]]:
        """Settings with these values and as many epochs as the budget allows, and the epochs by field.

        UserError when the budget does not allow one.
        """
        given = merged(self.settings.model_dump(), nested({**values, **self._batch_sizes(paths)}))
        fields = list(dict.fromkeys(paths))
        utterances = [len(self.plan["folds"][name]["train"]) for name in self.names]
        shares = []
        for path in fields:
            each = fmean(batches(count, given[path]["batch_size"]) for count in utterances)
            shares.append(Share(given[path]["epochs"], each * paths.count(path)))
        if self.args.steps < (needed := least(shares)):
            raise UserError(
                f"--steps: {self.args.steps} are less than an epoch of each stage of {self.args.system} on these "
                f"folds; set tuning.steps to {needed} or more"
            )
        epochs = dict(zip(fields, epochs_within(self.args.steps, shares), strict=True))
        within = nested(_of_fields(epochs, "epochs"))
        return type(self.settings).model_validate(merged(given, within)), epochs

    def _batch_sizes(self, paths: list[str]) -> dict[str, Value]:
        """The one for all systems, by setting; empty if each has its own."""
        size = self.args.batch_size
        return _of_fields(dict.fromkeys(paths, size), "batch_size") if size else {}

    def _on_fold(self, settings: AnySystem, name: str, bar: Any) -> dict[str, Any]:
        """`score`, `steps` and `seconds` of the training on a fold, which are kept until the trial has ended."""
        text = json.dumps([self.fingerprint, settings.model_dump_json(), name])
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        kept = self.folder / f"fold{name}.json"
        if kept.is_file() and (known := read_json(kept))["fingerprint"] == mark:
            return dict(known)
        begin = time.monotonic()
        fold = self._fold(name)
        state = TrainingState(self.folder / f"fold{name}", mark)
        system, task = fold.start(self.args.system, settings, seeds_of(self.args, name), self.device, state)
        loading = time.monotonic() - begin
        with _quietly():
            outcome = fit(system, replace(task, counter=_within(bar)))
        last = system.stages()[-1]
        chosen = outcome.chosen(last)
        assert chosen is not None
        score = chosen[fold.choice.deciding(last.training.score_window)]
        found = {
            "fingerprint": mark, "score": score, "seconds": loading + outcome.seconds,
            "steps": sum(row["steps"] for row in outcome.history),
        }  # fmt: skip
        write_json(kept, found)
        state.remove()
        return found

    def _fold(self, name: str) -> FoldData:
        if name not in self._loaded:
            self._loaded.clear()
            args = self.args
            self._loaded[name] = fold_data(
                self.plan, name, args.folds, args.manifest, self.stores, self.features, self.device
            )
        return self._loaded[name]


def _of_fields(values: Mapping[str, int], key: str) -> dict[str, Value]:
    """Values by field as values by dotted setting."""
    return {f"{field}.{key}": value for field, value in values.items()}


def _short(value: Value) -> Value:
    """Three digits of a number: the others make no difference, and settings are written by hand, too."""
    return float(f"{value:.3g}") if isinstance(value, float) else value


def _within(bar: Any) -> Any:
    """Makes the bar of a training a part of another bar, whose total is not the training's to change."""

    @contextmanager
    def part(what: str, unit: str, total: int, done: int = 0) -> Iterator[Any]:
        bar.update(done)
        yield SimpleNamespace(update=bar.update, format_interval=bar.format_interval, total=total)

    return part


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the lines that every training writes into the log."""
    level = LOG.level
    LOG.setLevel(logging.WARNING)
    try:
        yield
    finally:
        LOG.setLevel(level)
