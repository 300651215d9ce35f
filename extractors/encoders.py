"""Frozen Hugging Face encoders, by name on the hub or from a folder, and the hash of their weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from extractors.files import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

UNUSED = ("pooler.", "masked_spec_embed")
"""Weights that a checkpoint may lack because the last hidden state does not depend on them in evaluation mode."""


@dataclass(frozen=True)
class Encoder:
    """A model in evaluation mode without gradients, and what prepares its input (tokenizer or feature extractor)."""

    name: str
    processor: Any
    model: Any
    device: torch.device
    weights_sha256: str


def load(modality: Literal["text", "speech"], model: str, revision: str | None, device: torch.device) -> Encoder:
    """The encoder `model`, a folder or a name on the hub (there at `revision`), in float32.

    Nothing is fetched when HF_HUB_OFFLINE is set, and code that comes with a checkpoint is never run. UserError names
    the configuration key, the encoder and the fix when it cannot be loaded or lacks weights.
    """
    import torch
    import transformers

    logging: Any = transformers.utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    processors: dict[str, Any] = {"text": transformers.AutoTokenizer, "speech": transformers.AutoFeatureExtractor}
    common = {"revision": revision, "trust_remote_code": False}
    safe_only = True if Path(model).is_dir() else None  # a pickled file in a folder is not opened
    try:
        processor = processors[modality].from_pretrained(model, **common)
        module, report = transformers.AutoModel.from_pretrained(
            model, **common, dtype=torch.float32, use_safetensors=safe_only, output_loading_info=True
        )
    except Exception as error:  # the libraries below raise their own, undocumented types for a broken checkpoint
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(
            f"encoders.{modality}.model: {model} cannot be loaded ({lines[0]}); "
            "give the folder of a checkpoint, or run once online"
        ) from error
    _settle(module, report["missing_keys"], f"encoders.{modality}.model: {model}")
    module.eval().requires_grad_(False).to(device)
    commit = getattr(module.config, "_commit_hash", None) or revision
    name = f"{model}@{commit}" if commit else model
    return Encoder(name, processor, module, device, weights_sha256(module))


def _settle(module: Any, missing: Any, what: str) -> None:
    """Zero the weights that were missing and do not matter: they were drawn at random, and the hash must not be."""
    import torch

    if lacking := sorted(key for key in missing if not key.startswith(UNUSED)):
        raise UserError(
            f"{what} lacks {len(lacking)} weights ({lacking[0]}, ...); give a checkpoint of this architecture"
        )
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for key in missing:
            parameters[key].zero_()


def weights_sha256(module: nn.Module) -> str:
    """Hexadecimal SHA-256 over names, shapes and bytes of the state dictionary, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
