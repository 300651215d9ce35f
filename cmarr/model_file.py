"""A trained model on disk: weights and input statistics in one safetensors file, everything else in record.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from cmarr.config import kind_of
from cmarr.data import Statistics
from cmarr.systems import build
from cmarr.systems.base import SystemModule
from cmarr.variants import base
from extractors.files import UserError, publish

PREFIX = "system."


def save(path: Path, state: dict[str, Tensor], statistics: Statistics, origin: str) -> None:
    """Publish weights and input statistics; `origin` goes into the file's metadata."""
    tensors = {f"{PREFIX}{name}": value.contiguous() for name, value in state.items()}
    for modality, (mean, deviation) in statistics.items():
        tensors[f"input.{modality}.mean"] = mean.cpu()
        tensors[f"input.{modality}.deviation"] = deviation.cpu()
    with publish(path) as draft:
        save_file(tensors, draft, {"origin": origin})


def restore(path: Path, record: dict[str, Any], device: torch.device) -> tuple[SystemModule, Statistics]:
    """The trained system and the statistics of its inputs (empty when it was trained without)."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: not a readable model ({error}); delete it and run again") from error
    module = base(record["system"])
    settings = kind_of(module).model_validate(record["settings"])
    system = build(module, settings, record["dims"], len(record["classes"]))
    system.load_state_dict(
        {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}
    )
    statistics = {
        modality: (tensors[f"input.{modality}.mean"], tensors[f"input.{modality}.deviation"])
        for modality in record["dims"]
        if f"input.{modality}.mean" in tensors
    }
    return system.to(device), statistics
