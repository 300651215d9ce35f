"""Where a job computes: `--device` and `--threads`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from extractors.files import UserError

if TYPE_CHECKING:
    import torch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every job that computes with PyTorch."""
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: cuda if there is one")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; their number can change the last bits")


def start(args: argparse.Namespace) -> torch.device:
    """The device of the job; sets the number of threads and makes float32 arithmetic exact and repeatable."""
    import torch

    torch.set_num_threads(args.threads)
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    available = torch.cuda.is_available()
    if args.device == "cuda" and not available:
        raise UserError("--device cuda: PyTorch sees no CUDA device; use --device cpu")
    return torch.device("cuda" if available and args.device != "cpu" else "cpu")
