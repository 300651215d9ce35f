"""Utterances of different lengths whose class shows in every modality, for systems that are solved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cmarr.choice import Choice
from cmarr.data import Dataset, Packed
from cmarr.engine import Fit, Task
from cmarr.settings import AnySystem
from cmarr.solving import solve
from cmarr.systems import build
from cmarr.systems.base import SolvedModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import MODALITIES

DIMS = {"text": 6, "speech": 9, "video": 4}
TRAIN, JUDGED, TEST = torch.arange(120), torch.arange(120, 200), torch.arange(200, 400)
VALIDATION = Choice("validation", "mean_uar")


def dataset(separation: float = 1.0, shares: Sequence[float] = (0.5, 0.3, 0.2)) -> Dataset:
    """400 utterances; scales and offsets of the features differ by dimension."""
    rng = np.random.default_rng(0)
    labels = rng.choice(len(shares), 400, p=shares)
    packed = {}
    for modality, dim in DIMS.items():
        lengths = rng.integers(1, 6, 400)
        means = separation * rng.normal(size=(len(shares), dim))
        values = means[labels].repeat(lengths, axis=0) + rng.normal(size=(lengths.sum(), dim))
        values = values * rng.uniform(0.1, 20, dim) + rng.normal(size=dim) * 30
        padded = torch.from_numpy(np.concatenate([values, np.zeros((1, dim))]).astype(np.float32))
        offsets = torch.from_numpy(np.cumsum([0, *lengths]))
        packed[modality] = Packed(padded, offsets, torch.zeros(400, dtype=torch.bool))
    return Dataset([f"u{row}" for row in range(400)], torch.from_numpy(labels), packed, "abcdef"[: len(shares)])


def means(data: Dataset, modalities: Sequence[str]) -> NDArray[np.float64]:
    """Means over time of all utterances, one after the other, modalities side by side."""
    found = []
    for name in modalities:
        packed = data.packed[name]
        spans = zip(packed.offsets[:-1].tolist(), packed.offsets[1:].tolist(), strict=True)
        found.append([packed.values[begin:end].double().mean(0).numpy() for begin, end in spans])
    return np.concatenate([np.array(each) for each in found], axis=1)


def solved(
    name: str, settings: AnySystem, data: Dataset, folder: Path, choice: Choice = VALIDATION, **rows: Any
) -> tuple[SolvedModule, Fit]:
    """A solved system and what is known about it."""
    system = build(name, settings, {m: data.dims[m] for m in MODALITIES}, len(data.classes))
    assert isinstance(system, SolvedModule)
    judged = rows.get("judged", JUDGED) if choice.rows != "none" else JUDGED[:0]
    task = Task(data, rows.get("train", TRAIN), judged, choice, lambda *_: 0, TrainingState(folder, "f"))
    return system, solve(system, task)
