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
    assert run("extractors", VERBS, ["demo-corpus", "--out", str(tmp_path), "--sessions", "2"]) == 0
    assert seen == [(tmp_path, 4, None, 16, 1), (tmp_path, 0, 2, 16, 2)]


@pytest.mark.parametrize("words", [("--jobs", "0"), ("--utterances", "1")])
def test_senseless_options_are_one_line(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("extractors", VERBS, ["demo-corpus", "--out", str(tmp_path), *words]) == 1
    assert capsys.readouterr().err.startswith("error: demo-corpus needs")


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert run("extractors", VERBS, ["demo-corpus", "--out", str(tmp_path / "file")]) == 1
    assert "is a file" in capsys.readouterr().err
