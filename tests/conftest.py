"""One thread for all tests: figures do not depend on the machine, and small tensors are faster that way."""

import os
import sys

import pytest

os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no core waits for one of them at the end."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")


def pytest_runtest_setup() -> None:
    """A test draws the same numbers in any order."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
