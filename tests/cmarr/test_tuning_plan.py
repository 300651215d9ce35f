from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cmarr.config import Protocol
from cmarr.folds import PROTOCOLS
from cmarr.settings import tuning
from cmarr.tuning_plan import TuningPlan
from cmarr.workflow import Plan

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Two sessions of a corpus that has label files only."""
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "")
    for session in (1, 2):
        folder = tmp_path / f"Session{session}/dialog/EmoEvaluation"
        folder.mkdir(parents=True)
        (folder / f"Ses0{session}F_impro01.txt").touch()
    corpus = {"type": "iemocap", "root": str(tmp_path), "sessions": ["1", "2"]}
    return {"corpora": {"toy": corpus, "other": corpus}, "systems": {"cm_arr": {"alpha": 0.5}, "mmin": None}}


def planned(content: dict[str, Any], **more: Any) -> TuningPlan:
    return TuningPlan(Plan(content | more, ROOT, "mine.yaml"), content | more)


def test_every_system_on_every_corpus_is_tuned_with_one_budget(content: dict[str, Any]) -> None:
    plan = planned(content, tuning={"trials": 3, "steps": 50, "folds": ["2", "1"], "seed": 4})
    assert plan.files("chosen.json") == [
        f"results/tuning/{corpus}/{system}/chosen.json" for corpus in ("toy", "other") for system in ("mmin", "cm_arr")
    ]
    assert plan.budget == "--trials 3 --steps 50 --seed 4 --fold 2 1"
    sized = planned(content, tuning={"batch_size": 16})
    assert sized.budget == "--trials 20 --steps 2000 --seed 1 --batch-size 16"
    assert planned(content).budget == "--trials 20 --steps 2000 --seed 1"
    assert plan.folds("toy", "mmin") == "results/folds/toy/clean.json"


def test_it_starts_from_what_is_configured_not_from_what_was_tuned(content: dict[str, Any]) -> None:
    tuned = {"toy": {"cm_arr": {"trials": 3, "steps": 50, "settings": {"alpha": 0.25}}}}
    plan = planned(content, tuned=tuned)
    assert json.loads(plan.system("cm_arr", "toy"))["alpha"] == 0.5
    assert json.loads(plan.configuration) == content


def test_protocols_that_tuning_needs_are_those_with_validation(content: dict[str, Any]) -> None:
    assert tuple(name for name, each in PROTOCOLS.items() if each.rows == "validation") == tuning.PROTOCOLS
    protocols: list[Protocol] = ["paper_last", "paper_besttest", "mmin_script"]
    for name in protocols:
        with pytest.raises(SystemExit, match=rf"^error: tuning: protocol {name} has no .* set `protocol: clean`$"):
            planned(content, protocol=name).folds("toy", "mmin")


@pytest.mark.parametrize("protocol", tuning.ONE_FOLD)
def test_folds_that_validate_on_each_others_test_utterances_are_not_tuned_together(
    content: dict[str, Any], protocol: str
) -> None:
    line = rf'^error: tuning: under {protocol} .*; name one fold, such as `tuning\.folds: \["1"\]`$'
    for folds in (None, ["1", "2"]):
        with pytest.raises(SystemExit, match=line):
            planned(content, protocol=protocol, tuning={"folds": folds}).folds("toy", "mmin")
    one = planned(content, protocol=protocol, tuning={"folds": ["1"]})
    assert one.folds("toy", "mmin") == f"results/folds/toy/{protocol}.json"


def test_what_cannot_be_tuned_is_said_in_one_line(content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^error: tuning\.folds: toy has no fold 7; name some of 1, 2$"):
        planned(content, tuning={"folds": ["7"]}).folds("toy", "mmin")
    with pytest.raises(SystemExit, match=r"^error: tuning: cm_arr-beta-1 is a variant: tune cm_arr"):
        planned(content).folds("toy", "cm_arr-beta-1")
    monkeypatch.setattr("cmarr.settings.Mmin.SPACE", {})
    assert (planned(content).systems, planned(content).left_out) == (["cm_arr"], ["mmin"])
    with pytest.raises(SystemExit, match=r"^error: tuning: mmin has no search space"):
        planned(content).folds("toy", "mmin")
    with pytest.raises(SystemExit, match=r"^error: nothing to tune: mmin have no search space"):
        planned(content | {"systems": {"mmin": None}}).files("x")
