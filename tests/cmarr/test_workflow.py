from __future__ import annotations

import json
from pathlib import Path

import pytest

from cmarr.workflow import Plan
from extractors.files import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Two sessions of a corpus that has label files only."""
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setenv("PYTHONPATH", "")
    for session in (1, 2):
        for part in ("EmoEvaluation", "transcriptions"):
            folder = tmp_path / f"corpus/Session{session}/dialog/{part}"
            folder.mkdir(parents=True)
            (folder / f"Ses0{session}F_impro01.txt").touch()
    corpus = {"type": "iemocap", "root": str(tmp_path / "corpus"), "sessions": ["1", "2"]}
    content = {"corpora": {"toy": corpus}, "seeds": [1, 2], "systems": {"baseline": {"size": "tiny"}}}
    return Plan(content, ROOT, "mine.yaml")


def test_runs_are_corpus_system_fold_seed(plan: Plan) -> None:
    assert plan.runs == [f"toy/baseline/fold{fold}/seed{seed}" for fold in (1, 2) for seed in (1, 2)]
    assert len(plan.predictions) == 4 * 7
    assert plan.predictions[0] == "results/predictions/toy/baseline/fold1/seed1/t.csv"
    assert plan.records[-1] == "results/models/toy/baseline/fold2/seed2/record.json"


def test_a_condition_needs_the_stores_of_its_modalities_only(plan: Plan) -> None:
    assert plan.stores("toy", "vt") == ["results/features/toy/text.h5", "results/features/toy/video.h5"]
    assert len(plan.stores("toy")) == 3


def test_jobs_get_complete_settings_as_json(plan: Plan) -> None:
    assert json.loads(plan.system("baseline"))["training"]["batch_size"] == 16
    assert json.loads(plan.encoder("text"))["model"] == "google-bert/bert-base-uncased"
    assert "\n" not in plan.features


def test_label_files_are_inputs_of_the_manifest(plan: Plan) -> None:
    assert [Path(path).name for path in plan.label_files("toy")] == [
        "Ses01F_impro01.txt", "Ses01F_impro01.txt", "Ses02F_impro01.txt", "Ses02F_impro01.txt",
    ]  # fmt: skip


def test_a_folder_that_is_no_release_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpora\.toy\.root in mine\.yaml: .*Session"):
        Plan({"corpora": {"toy": {"type": "iemocap", "root": str(tmp_path)}}}, ROOT, "mine.yaml")


@pytest.mark.parametrize("sessions", [["1"], ["1", "9"], ["1", "2", "2"]])
def test_sessions_that_give_no_folds_are_refused_while_planning(tmp_path: Path, sessions: list[str]) -> None:
    corpus = {"type": "iemocap", "root": str(tmp_path), "sessions": sessions}
    with pytest.raises(UserError, match=r"corpora\.toy\.sessions in mine\.yaml: name two or more of 1, 2, 3, 4, 5"):
        Plan({"corpora": {"toy": corpus}}, ROOT, "mine.yaml")


def test_files_of_a_local_encoder_are_inputs(plan: Plan, tmp_path: Path) -> None:
    assert plan.encoder_files("text") == plan.encoder_files("video") == []
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / "encoder").mkdir(exist_ok=True)
        (tmp_path / "encoder" / name).touch()
    encoder = plan.config.encoders.text.model_copy(update={"model": str(tmp_path / "encoder")})
    encoders = plan.config.encoders.model_copy(update={"text": encoder})
    plan.config = plan.config.model_copy(update={"encoders": encoders})
    assert [Path(path).name for path in plan.encoder_files("text")] == ["config.json", "model.safetensors"]
