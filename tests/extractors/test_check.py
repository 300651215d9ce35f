from __future__ import annotations

from pathlib import Path

import pytest

from extractors import console
from tests.extractors.corpora.conftest import Line, Tree


def run(*words: str | Path) -> int:
    return console.run("extractors", {"check": "compares a folder"}, ["check", *map(str, words)])


def test_a_folder_is_recognised_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(tmp_path / "corpus")
    tree.dialogue("Ses01F_impro01", [Line("F000", 1, 2, "ang"), Line("F001", 1, 2, "xxx"), Line("M000", 1, 2, "sad")])
    tree.wav("Ses01F_impro01_M000").write_bytes(b"")
    assert run(tree.root) == 0
    shown = capsys.readouterr().out
    assert "read as iemocap\ncorpus: 1 utterances kept, 2 rejected" in shown
    assert "1 x audio: wav: empty file" in shown
    assert "labels: not a release" in shown
    out = tree.root.parent / "out"
    assert run(tree.root, "--type", "iemocap", "--sessions", "1", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("check.json", "manifest.csv", "ratings.csv", "rejected.csv", "remarks.csv")
    ]


def test_what_is_no_corpus_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*words: str | Path) -> str:
        assert run(*words) == 1
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert captured.out == ""
        return captured.err

    assert "no folders Session1 to Session5" in refused(tmp_path)
    assert "no such folder" in refused(tmp_path / "absent", "--type", "iemocap")
    assert "iemocap has no subset" in refused(tmp_path, "--type", "iemocap", "--subset", "all")
