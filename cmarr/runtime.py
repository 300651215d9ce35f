"""Set-up of the jobs of stage 2: the device, and algorithms that repeat bit for bit."""

from __future__ import annotations

import argparse
import os

import torch

from extractors import device


def start_torch(args: argparse.Namespace, precision: str = "fp32") -> torch.device:
    """The device of the job (`extractors.device`); an operation without a deterministic algorithm is an error."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what deterministic matrix products need on CUDA
    # Same effect as use_deterministic_algorithms(True), which would import the compiler: 3 s more per job.
    torch.set_deterministic_debug_mode("error")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # an aid to debugging
    return device.start(args, precision)
