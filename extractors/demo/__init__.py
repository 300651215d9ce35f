"""The demo corpora and their encoders, made on the spot from installed packages: no download, and nothing licensed."""

from __future__ import annotations

from extractors.demo.assembly import build

__all__ = ["build"]
