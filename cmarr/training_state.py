"""State of a training after its last whole epoch, so that a killed job goes on with the next one, bit for bit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from extractors.files import publish

CONTENT = "content"


class TrainingState:
    """One file in a folder, of use only to a job with the same `fingerprint` of everything that the weights depend on.

    No random state is kept, since each epoch seeds its own (`engine.fit`).
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._path = folder / f"{fingerprint}.safetensors"

    def load(self, device: torch.device) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Tensors and content as given to `save`; None when there is no file or it is damaged."""
        try:
            with safetensors.safe_open(self._path, "pt") as file:
                content: dict[str, Any] = json.loads(file.metadata()[CONTENT])
            return load_file(self._path, str(device)), content
        except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError):
            return None

    def save(self, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
        """Publish the state in place of the one before; states of other fingerprints go."""
        with publish(self._path) as draft:
            save_file(tensors, draft, {CONTENT: json.dumps(content)})
        for other in self._folder.glob("[!.]*"):
            if other != self._path:
                other.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete everything, once the model is published."""
        shutil.rmtree(self._folder, ignore_errors=True)
