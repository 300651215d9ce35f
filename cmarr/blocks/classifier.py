"""Classifier of the MMIN family."""

from __future__ import annotations

from torch import nn


def classifier(width_in: int, hidden: int, classes: int, dropout: float) -> nn.Sequential:
    """Module from (batch, width_in) to logits (batch, classes): two hidden layers, each with ReLU and dropout.

    Public code AIM3-RUC/MMIN, models/networks/classifier.py.
    """
    return nn.Sequential(
        nn.Linear(width_in, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )
