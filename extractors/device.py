"""Where and how exactly a job computes: `--device`, `--threads`, and the precision of an encoder."""

from __future__ import annotations

import argparse
import ctypes
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from extractors.files import UserError

if TYPE_CHECKING:
    import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of malloc.h


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every job that computes with PyTorch."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda if there is one")
    parser.add_argument("--threads", type=_count, default=1, help="CPU threads; their number can change the last bits")


def _count(text: str) -> int:
    """A number of threads, for argparse."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is no number of threads; give 1 or more")
    return int(text)


def start(args: argparse.Namespace, precision: str = "fp32") -> torch.device:
    """The device of the job; sets the number of threads and makes float32 arithmetic repeatable.

    It is exact as well, unless the precision is `tf32`.
    """
    import torch

    _keep_freed_memory()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.deterministic = True
    available = torch.cuda.is_available()
    if args.device == "cuda" and not available:
        raise UserError("--device cuda: PyTorch sees no CUDA device; use --device cpu")
    return torch.device("cuda" if available and args.device != "cpu" else "cpu")


def _keep_freed_memory() -> None:
    """Let glibc hold on to freed memory: large tensors are not faulted in again, page by page, for every batch."""
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def forward(device: torch.device, precision: str) -> Iterator[None]:
    """A forward pass without gradients; under `bf16`, PyTorch's autocast chooses the operations in bfloat16."""
    import torch

    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def peak_memory(device: torch.device) -> str:
    """Largest memory of this process so far, and on its GPU, in words."""
    import torch

    words = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB"
    if device.type == "cuda":
        words += f", {torch.cuda.max_memory_reserved(device) / 2**30:.2f} GiB on {torch.cuda.get_device_name(device)}"
    return words
