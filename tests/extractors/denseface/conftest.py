from __future__ import annotations

from pathlib import Path

import pytest

from tests.extractors.denseface.bands import write_bands


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """PyTorch with one thread."""


@pytest.fixture(scope="session")
def small_ferplus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """fer2013.csv and fer2013new.csv of 96 and 24 made-up rows."""
    return write_bands(tmp_path_factory.mktemp("ferplus"), 12, 3)
