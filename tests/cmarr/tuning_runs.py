"""Words of the verb `tune` on a toy corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SLOW = {"size": "tiny", "training": {"epochs": 3, "batch_size": 8, "learning_rate": 1e-5, "schedule": "constant"}}


def arguments(
    toy,
    out: Path,
    system: str = "baseline",
    settings: dict[str, Any] | None = None,
    trials: int = 3,
    steps: int = 10,
    folds: str = "1",
) -> list[str]:
    return [
        "tune", "--corpus", toy.name, "--system", system, "--settings", json.dumps(settings or SLOW), "--features",
        "{}", "--manifest", str(toy.manifest), "--folds", str(toy.folds), "--stores", str(toy.folder), "--seed", "1",
        "--trials", str(trials), "--steps", str(steps), "--out-dir", str(out), "--device", "cpu", "--fold", *folds,
    ]  # fmt: skip


def replaced(words: list[str], key: str, *values: str) -> list[str]:
    place = words.index(key) + 1
    return [*words[:place], *values, *words[place + 1 :]]
