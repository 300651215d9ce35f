"""Systems: one module each, found by its name."""

from __future__ import annotations

from importlib import import_module

from cmarr.settings import AnySystem
from cmarr.systems.base import SystemModule


def build(name: str, settings: AnySystem, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh system, initialised from torch's global random state.

    `name` is a module of this package with `build(settings, dims, classes)`; it is imported only here, so a walk along
    the imports of one system meets no other. `dims` is the feature width per modality. ValueError when the settings
    are another system's.
    """
    system: SystemModule = import_module(f"cmarr.systems.{name}").build(settings, dims, classes)
    return system
