"""Options and set-up of every job that computes with torch."""

from __future__ import annotations

import argparse
import os

import torch


def add_runtime_arguments(parser: argparse.ArgumentParser) -> None:
    """`--device` and `--threads`."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto takes a GPU if present")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; the count can change the last bits")


def start_torch(args: argparse.Namespace) -> str:
    """Set threads and deterministic algorithms; returns the device, `cpu` or `cuda`."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products need on CUDA
    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True)
    if args.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return str(args.device)
