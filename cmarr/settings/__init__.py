"""Typed settings of stage 2, one class per system; importing them does not import torch."""

from __future__ import annotations

from cmarr.settings.base import AnySystem, Features, System, Training, merged
from cmarr.settings.cm_arr import PRESETS, Baseline, CmArr, FlowKind, Residual, Sized, Sizes
from cmarr.settings.cra import Cra
from cmarr.settings.dicmor import Dicmor
from cmarr.settings.linear import Linear
from cmarr.settings.majority import Majority
from cmarr.settings.mmin import CifMmin, IfMmin, Mmin

__all__ = [
    "PRESETS", "AnySystem", "Baseline", "CifMmin", "CmArr", "Cra", "Dicmor", "Features", "FlowKind", "IfMmin",
    "Linear", "Majority", "Mmin", "Residual", "Sized", "Sizes", "System", "Training", "merged",
]  # fmt: skip
