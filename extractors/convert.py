"""Verb `convert`: checkpoints of PyTorch to safetensors, in a Python process of their own.

A `.bin` file is a pickle, which could run anything when it is opened. PyTorch's restricted reader opens it here, in a
process that has no variables of the user's environment and little memory, time and disk. This file runs there by
itself (`python -I convert.py source target ...`), without the rest of the project.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from pickle import UnpicklingError

KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
"""Variables that libraries may need; tokens and proxies are not among them."""
SECONDS = 900
"""Most processor time."""
LONGEST_SECONDS = 3600
"""Most time by the clock; a slow disk takes no processor time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="folders with pytorch_model.bin")


def main(args: argparse.Namespace) -> None:
    """Write model.safetensors beside the weights of every folder; what is there stays as it is."""
    from extractors.checkpoint_files import PICKLED, WEIGHTS, read_index, whole
    from extractors.console import LOG
    from extractors.files import UserError

    for folder in args.folders:
        try:
            if there := [name for name in (WEIGHTS, f"{WEIGHTS}.index.json") if (folder / name).exists()]:
                LOG.info("%s: %s is there already; delete it to make it anew", folder, there[0])
                continue
            index = folder / f"{PICKLED}.index.json"
            pickled = [PICKLED]
            if not (folder / PICKLED).is_file():
                if not index.is_file():
                    raise UserError(f"{folder} has no {PICKLED}; name a folder that has")
                pickled = sorted(set(read_index(index, str(folder)).weight_map.values()))
            for name in pickled:
                whole(folder / name, str(folder))
            convert_folder(folder, pickled, str(folder))
        except OSError as error:
            raise UserError(f"{error.filename or folder}: {error.strerror or error}; put this right") from error
        LOG.info("%s: %s made from %s", folder, WEIGHTS, ", ".join(pickled))


def convert_folder(folder: Path, pickled: Sequence[str], what: str) -> None:
    """Write the safetensors of the `.bin` files of a folder, and the index of several last of all.

    UserError, beginning with `what`, when they cannot be converted; then there is nothing new.
    """
    from extractors.checkpoint_files import PICKLED, read_index
    from extractors.files import UserError, publish, write_json

    for name in pickled:
        if converted(name) == name:
            raise UserError(f"{what}: {name} is no name of weights; choose a checkpoint that has safetensors")
    with ExitStack() as stack:
        convert({folder / name: stack.enter_context(publish(folder / converted(name))) for name in pickled}, what)
    if list(pickled) != [PICKLED]:
        path = folder / f"{PICKLED}.index.json"
        index = read_index(path, what)
        moved = {weight: converted(shard) for weight, shard in index.weight_map.items()}
        write_json(folder / converted(path.name), index.model_dump() | {"weight_map": moved})


def converted(name: str) -> str:
    """Name of a file after the conversion."""
    return re.sub(r"^pytorch_model(.*)\.bin", r"model\1.safetensors", name)


def convert(targets: Mapping[Path, Path], what: str) -> None:
    """Write each `.bin` of `targets` to its `.safetensors`; UserError, beginning with `what`, when one cannot be."""
    from extractors.files import UserError

    paths = [str(path.resolve()) for pair in targets.items() for path in pair]
    try:
        result = subprocess.run(
            [sys.executable, "-I", __file__, *paths],
            env={name: os.environ[name] for name in KEPT if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"{what} was not converted to safetensors in {LONGEST_SECONDS} s; run it again when the machine and its "
            "disk are less busy, or choose a checkpoint that has safetensors"
        ) from error
    if result.returncode:
        lines = result.stderr.strip().splitlines() or [f"exit status {result.returncode}"]
        raise UserError(
            f"{what} cannot be converted to safetensors ({lines[-1]}); choose a checkpoint that has safetensors"
        )


def rewrite(source: Path, target: Path) -> None:
    """Copy a checkpoint; tensors that share memory get their own.

    Raises UnpicklingError for one with Python objects that are not plain data, and TypeError for one that is not a
    dictionary of tensors by name.
    """
    import torch
    from safetensors.torch import save_file

    state = torch.load(source, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(source))
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise TypeError("it is not a dictionary of tensors")
    own = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
    save_file(own, target, {"format": "pt"})


def _limit(size: int) -> None:
    """Hard limits for what comes on top of the libraries, for checkpoints of `size` bytes."""
    import safetensors.torch  # noqa: F401, takes address space and files that are not to count
    import torch

    torch.set_num_threads(1)
    limits = {resource.RLIMIT_CPU: SECONDS, resource.RLIMIT_FSIZE: 2 * size + 2**26, resource.RLIMIT_CORE: 0}
    usage = Path("/proc/self/statm")
    if usage.is_file():  # Linux
        limits[resource.RLIMIT_AS] = int(usage.read_text().split()[0]) * resource.getpagesize() + 4 * size + 2**29
    for kind, value in limits.items():
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def _main(paths: list[str]) -> str | None:
    """What went wrong, in one line; None when all is well."""
    pairs = [(Path(source), Path(target)) for source, target in zip(paths[::2], paths[1::2], strict=True)]
    _limit(sum(source.stat().st_size for source, _ in pairs))
    for source, target in pairs:
        try:
            rewrite(source, target)
        except UnpicklingError:
            return f"{source.name} is damaged or holds more than tensors, and was not opened"
        except Exception as error:  # the libraries raise all sorts of errors for a broken file
            return f"{source.name}: {(str(error).splitlines() or [type(error).__name__])[0]}"
    return None


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
