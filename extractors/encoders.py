"""Frozen Hugging Face encoders from a folder, the hash of their weights, and their hidden states."""

from __future__ import annotations

import hashlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from extractors import processors
from extractors.checkpoint_files import check_files
from extractors.device import forward
from extractors.files import UserError
from extractors.hub import find
from extractors.processors import readable
from extractors.settings import Pretrained

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

UNUSED = ("pooler.", "masked_spec_embed")
"""Weights that a checkpoint may lack because no hidden state depends on them in evaluation mode."""
INPUT = {"text": "input_ids", "speech": "input_values"}
BUDGET = {"text": "batch_tokens", "speech": "batch_seconds"}
Batch = tuple[list[int], dict[str, "Tensor"]]


def no_weights(key: str, settings: Pretrained) -> None:
    """UserError when something is set that only an encoder with weights has."""
    for name in ("layer", "precision", "revision", "sha256"):
        if getattr(settings, name) != type(settings).model_fields[name].default:
            raise UserError(f"{key}.{name}: {settings.model} has no weights and no layers; remove {name}")


@dataclass(frozen=True)
class Encoder:
    """A model in evaluation mode without gradients, and what prepares its input (tokenizer or feature extractor)."""

    name: str
    processor: Any
    model: Any
    device: torch.device
    weights_sha256: str
    dim: int
    settings: Pretrained
    budget: str
    """configuration key of the size of a batch"""

    def encode(self, batches: Iterable[Batch]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Chosen hidden states (batch, rows, dim) of batches of inputs, each with the indices that came with it.

        A batch is begun before the result of the one before is waited for. UserError when one is too large for the
        memory of the device.
        """
        waiting: list[tuple[list[int], Callable[[], NDArray[np.float32]]]] = []
        for indices, inputs in batches:
            waiting.append((indices, self._begin(inputs)))
            if len(waiting) > 1:
                before, result = waiting.pop(0)
                yield before, result()
        for before, result in waiting:
            yield before, result()

    def _begin(self, inputs: Mapping[str, Tensor]) -> Callable[[], NDArray[np.float32]]:
        import torch

        cuda = self.device.type == "cuda"
        whole = {} if self.settings.layer == "last" else {"output_hidden_states": True}
        try:
            with forward(self.device, self.settings.precision):
                there = {
                    name: (values.pin_memory() if cuda else values).to(self.device, non_blocking=True)
                    for name, values in inputs.items()
                }
                chosen = _choose(self.model(**there, **whole), self.settings.layer).float()
                if not cuda:
                    return chosen.numpy
                host = torch.empty(chosen.shape, pin_memory=True).copy_(chosen, non_blocking=True)
                done = torch.cuda.current_stream(self.device).record_event()
        except torch.OutOfMemoryError as error:
            raise UserError(f"{self.budget}: a batch is too large for the memory of {self.device}; lower it") from error

        def result() -> NDArray[np.float32]:
            done.synchronize()
            values: NDArray[np.float32] = host.numpy()
            return values

        return result


def _choose(output: Any, layer: str | int) -> Tensor:
    import torch

    if layer == "last":
        chosen = output.last_hidden_state
    elif layer == "mean_of_last_4":
        chosen = torch.stack(output.hidden_states[-4:]).mean(0)
    else:
        chosen = output.hidden_states[layer]
    return chosen  # type: ignore[no-any-return]


def load(modality: Literal["text", "speech"], settings: Pretrained, folder: Path, device: torch.device) -> Encoder:
    """The encoder of the settings, a folder or a name on the hub that was fetched into `folder`, in float32.

    There is no access to a network, nothing pickled is opened, and code that comes with a checkpoint is never run.
    UserError names the configuration key, the encoder and the fix when it cannot be loaded, lacks weights, reads
    something else, or has no such layer.
    """
    import transformers

    key = f"encoders.{modality}"
    found = find(folder, settings.model, settings.revision, key, settings.sha256)
    what = f"{key}.model: {found.name}"
    local = found.name == settings.model
    check_files(found.path, what)
    warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")  # by WavLM's own code
    logging: Any = transformers.utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model, missing = _model(found.path, local, what)
    if INPUT[modality] not in inspect.signature(model.forward).parameters or model.config.is_encoder_decoder:
        reads = {"text": "encodes no text by itself", "speech": "reads no waveforms"}[modality]
        raise UserError(f"{what} ({model.config.model_type}) {reads}; give another encoder")
    processor = (
        processors.text(model, found.path, local, what)
        if modality == "text"
        else processors.speech(found.path, local, what)
    )
    _check_layer(f"{key}.layer", found.name, settings.layer, model.config.num_hidden_layers + 1)
    _settle(model, missing, what)
    _check_numbers(model, local, what)
    weights = weights_sha256(model)
    _freeze(model)
    adapted = settings.layer == "last" and getattr(model.config, "add_adapter", False)
    dim = model.config.output_hidden_size if adapted else model.config.hidden_size
    budget = f"{key}.{BUDGET[modality]}"
    return Encoder(found.name, processor, model.to(device), device, weights, dim, settings, budget)


def _model(folder: Path, local: bool, what: str) -> tuple[Any, set[str]]:
    """The model of a checkpoint in float32, and names of its weights that are not in there; UserError as in `load`."""
    import torch
    import transformers

    with readable(what):
        model, report = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32, use_safetensors=True,
            output_loading_info=True, ignore_mismatched_sizes=True,
        )  # fmt: skip
    for name, *shapes in sorted(report["mismatched_keys"]):
        there, wanted = (" x ".join(map(str, shape)) for shape in shapes)
        raise UserError(
            f"{what}: {name} is {there}, by config.json {wanted}; get both from one and the same checkpoint"
        )
    kinds = {_kind(name) for name in model.state_dict()}
    start = f"{model.base_model_prefix}."
    for name in sorted(report["unexpected_keys"]):
        if local and _kind(name.removeprefix(start)) in kinds:
            raise UserError(
                f"{what} has weights ({name}, ...) of layers that its config.json does not have; get both "
                "from one and the same checkpoint"
            )
    return model, set(report["missing_keys"])


def _kind(name: str) -> str:
    """Name of a weight whatever its layer."""
    return re.sub(r"\d+", "#", name)


def _check_numbers(model: nn.Module, local: bool, what: str) -> None:
    """UserError when weights are not finite or, in a local folder, a matrix is zero, as broken copies leave it."""
    for name, values in model.state_dict().items():
        if values.is_floating_point():
            if not values.isfinite().all():
                raise UserError(f"{what}: {name} is not finite; get its weights again")
            matrix = values.ndim > 1 and len(values) > 2 and "pooler." not in name
            if local and matrix and not values.any():
                raise UserError(f"{what}: {name} is zero everywhere; get its weights again")


def _check_layer(key: str, name: str, layer: str | int, count: int) -> None:
    least = {"last": 1, "mean_of_last_4": 4}.get(str(layer), 0)
    if count < least or (isinstance(layer, int) and not -count <= layer < count):
        raise UserError(f"{key}: {name} has hidden states {-count} to {count - 1}, not {layer}; set one of them")


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


def _freeze(model: nn.Module) -> None:
    """Evaluation mode without gradients; a weight norm is computed once, not for every batch."""
    from torch.nn.utils import parametrize

    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            for name in list(module.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(module, name)
    model.eval().requires_grad_(False)


def weights_sha256(module: nn.Module) -> str:
    """Hexadecimal SHA-256 over names, shapes and bytes of the state dictionary, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
