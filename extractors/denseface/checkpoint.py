"""The memory of a training as one file, whole or not there, which only the same training takes up again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from extractors.console import LOG
from extractors.denseface.training import Training
from extractors.files import publish


def identity(training: Training) -> str:
    """Hexadecimal SHA-256 over recipe and data: two trainings with the same one are the same training."""
    digest = hashlib.sha256(training.recipe.model_dump_json().encode())
    for part in (training.train, training.valid):
        for tensor in (part.pictures, part.targets):
            digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def machine(training: Training) -> str:
    """What the last bits of a training depend on beside its identity."""
    return f"{training.device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def write(training: Training, path: Path) -> None:
    """Publish the state of a training."""
    tensors, values = training.state()
    tensors = {key: value.cpu().contiguous() for key, value in tensors.items()}
    with publish(path) as draft:
        save_file(
            tensors, draft, {"identity": identity(training), "machine": machine(training), "values": json.dumps(values)}
        )


def resume(training: Training, path: Path) -> None:
    """Take up the state in `path`, if there is one of the same recipe and data; a log line says what happened."""
    if not path.is_file():
        return
    try:
        with safe_open(path, "pt") as stream:
            known = stream.metadata() or {}
            tensors = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118  # not a dictionary
    except (SafetensorError, OSError) as error:
        LOG.warning("%s cannot be read (%s); starting from the first step", path, error)
        return
    if known.get("identity") != identity(training):
        LOG.warning("%s is of other settings or data; starting from the first step", path)
        return
    if known["machine"] != machine(training):
        LOG.warning(
            "%s was made on %s, this is %s: the last bits may differ", path, known["machine"], machine(training)
        )
    training.restore(tensors, json.loads(known["values"]))
    LOG.info("going on after step %d of %d", training.step, training.steps)
