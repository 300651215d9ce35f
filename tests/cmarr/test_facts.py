from __future__ import annotations

from pathlib import Path

import pytest

from cmarr import workflow
from cmarr.facts import look
from cmarr.workflow import Plan
from extractors.files import UserError
from extractors.settings import Iemocap

ROOT = Path(__file__).resolve().parents[2]


def corpus(root: Path, chosen: list[str] | None = None) -> Iemocap:
    for session in range(1, 6):
        for part in ("EmoEvaluation", "transcriptions"):
            folder = root / f"Session{session}/dialog/{part}"
            folder.mkdir(parents=True)
            (folder / f"Ses0{session}F_impro01.txt").touch()
    return Iemocap.model_validate({"type": "iemocap", "root": str(root), **({"sessions": chosen} if chosen else {})})


def test_sessions_are_all_or_those_of_the_configuration_in_its_order(tmp_path: Path) -> None:
    assert look("toy", corpus(tmp_path / "a"), "mine.yaml").sessions == ["1", "2", "3", "4", "5"]
    found = look("toy", corpus(tmp_path / "b", ["3", "1"]), "mine.yaml")
    assert (found.sessions, found.classes) == (["3", "1"], ["angry", "happy", "neutral", "sad"])
    assert {Path(path).name for path in found.label_files} >= {"Ses01F_impro01.txt", "Ses03F_impro01.txt"}


@pytest.mark.parametrize("chosen", [["1", "9"], ["1"], ["2", "2"]])
def test_sessions_that_are_not_there_or_too_few_name_the_key(tmp_path: Path, chosen: list[str]) -> None:
    with pytest.raises(UserError, match=r"corpora\.toy\.sessions in mine\.yaml: name two or more of 1, 2, 3"):
        look("toy", corpus(tmp_path, chosen), "mine.yaml")


def test_a_folder_that_may_not_be_read_ends_with_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "data/toy/Session1")

    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(workflow, "look", refuse)
    content = {"corpora": {"toy": {"type": "iemocap", "root": str(tmp_path)}}, "systems": {"baseline": {}}}
    with pytest.raises(SystemExit, match=r"^error: data/toy/Session1: Permission denied; let this user read and write"):
        Plan(content, ROOT, "mine.yaml").sessions("toy")
