"""Initial weights of the MMIN family."""

from __future__ import annotations

from torch import nn


def kaiming_(module: nn.Module) -> None:
    """Give linear layers and convolutions inside `module` Kaiming's normal weights and zero biases.

    The variance is 2 / fan-in; LSTMs keep PyTorch's uniform weights (public code AIM3-RUC/MMIN,
    models/networks/tools.py).
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d):
            nn.init.kaiming_normal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
