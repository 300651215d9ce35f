"""The verb hands its options on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extractors import demo_corpus
from extractors.__main__ import VERBS
from extractors.console import run


def test_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[Any, ...]] = []
    monkeypatch.setattr(demo_corpus, "build", lambda *args: seen.append(args))
    assert run("extractors", VERBS, ["demo-corpus", "--out", str(tmp_path), "--seed", "4", "--jobs", "1"]) == 0
    assert seen == [(tmp_path, 4, 5, 16, 1)]
