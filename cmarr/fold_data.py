"""What one fold of a corpus gives to a training: its features, standardised, and which of them are learned from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cmarr.choice import Choice
from cmarr.data import Dataset, Statistics, labels_of, load
from cmarr.engine import Seeds, Task
from cmarr.settings import AnySystem, Features
from cmarr.systems import build
from cmarr.systems.base import SystemModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import MODALITIES
from extractors.files import UserError, sha256
from extractors.store import FeatureStore


@dataclass
class FoldData:
    """Utterances that are trained on and those that choose the epoch; test utterances only where these do."""

    data: Dataset
    train: Tensor
    """rows of the data, (utterances,), on the CPU"""
    judged: Tensor
    """rows whose scores choose the epoch"""
    choice: Choice
    statistics: Statistics
    """of the training frames, already applied"""

    def start(
        self, system: str, settings: AnySystem, seeds: Seeds, device: torch.device, state: TrainingState
    ) -> tuple[SystemModule, Task]:
        """A fresh system and what it is trained with. The features here stay as they are."""
        data = replace(self.data, packed=dict(self.data.packed))
        torch.manual_seed(seeds("weights", 0))
        made = build(system, settings, data.dims, len(data.classes)).to(device)
        data.average(made.averaged)
        return made, Task(data, self.train, self.judged, self.choice, seeds, state)


def fold_data(
    plan: Mapping[str, Any],
    name: str,
    folds: Path,
    manifest: Path,
    stores: Mapping[str, Path],
    features: Features,
    device: torch.device,
) -> FoldData:
    """Fold `name` of the `plan` in the file `folds`; UserError when it has none of that name."""
    try:
        fold, choice = plan["folds"][name], Choice(**plan["choice"])
    except KeyError as error:
        raise UserError(f"{folds}: has no {error}; name one of its folds, or delete it and run again") from error
    ids = fold["train"] + (fold[choice.rows] if choice.rows != "none" else [])
    labels = labels_of(manifest, ids)
    data = load(stores, ids, labels, plan["classes"], features, sha256(manifest), device)
    train, judged = torch.arange(len(fold["train"])), torch.arange(len(fold["train"]), len(ids))
    statistics = data.statistics(train.tolist(), features.standardize)
    data.standardize(statistics)
    return FoldData(data, train, judged, choice, statistics)


def stores_in(folder: Path) -> dict[str, Path]:
    """Modality to its feature store."""
    return {modality: folder / f"{modality}.h5" for modality in MODALITIES}


def fingerprints(stores: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """What identifies the content of each store: some attributes, and its seal."""
    found = {}
    for path in stores.values():
        with FeatureStore(path) as store:
            named = {
                key: str(store.attributes[key]) for key in ("encoder", "weights_sha256", "manifest_sha256", "settings")
            }
            found[str(path)] = named | {"seal": f"{store.seal:08x}"}
    return found


def notes(stores: Mapping[str, Path]) -> list[str]:
    """Warnings that the stores carry, such as an untrained face model; repeated in every table."""
    found = []
    for path in stores.values():
        with FeatureStore(path) as store:
            if store.attributes.get("note"):
                found.append(str(store.attributes["note"]))
    return found
