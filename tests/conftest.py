"""One thread for all tests: figures do not depend on the machine, and small tensors are faster that way."""

import os
import sys

import pytest

os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file share a process, as do those of a finished project; the longest files come first."""
    for item in items:
        group = "finished" if "finished" in getattr(item, "fixturenames", ()) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.path.parent.name != "workflow")


def pytest_runtest_setup() -> None:
    """A test draws the same numbers in any order."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
