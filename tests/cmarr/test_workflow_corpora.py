"""What a plan takes from the folders of corpora and encoders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cmarr.workflow import Plan
from tests.cmarr.plans import ROOT


def test_a_corpus_may_have_greys_of_its_own(plan: Plan, tmp_path: Path) -> None:
    greys = {"mean": 100.5, "std": 40.0}
    table = with_table(tmp_path, TABLE, greys=greys)
    own, common = json.loads(table.encoder("video", "clips")), json.loads(plan.encoder("video", "toy"))
    assert own == common | greys
    assert common["mean"] == 129
    assert table.encoder("text", "clips") == plan.encoder("text", "toy")
    assert "greys" not in json.loads(table.corpus("clips"))  # the manifest does not depend on them


def test_weights_of_ones_own_are_an_input(plan: Plan) -> None:
    assert plan.encoder_files("video") == []
    content = plan.config.model_dump()
    content["encoders"]["video"]["weights"] = "results/denseface/weights.safetensors"
    assert Plan(content, ROOT, "mine.yaml").encoder_files("video") == ["results/denseface/weights.safetensors"]


def test_an_encoder_that_was_not_fetched_stops_with_one_line(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^error: encoders\.text\.model: google-bert/.* extractors fetch --config"):
        plan.encoder_files("text")
    content = plan.config.model_dump()
    content["encoders"]["text"]["model"] = "hashing"
    assert Plan(content, ROOT, "mine.yaml").encoder_files("text") == []


def test_label_files_are_inputs_of_the_manifest(plan: Plan) -> None:
    assert [Path(path).name for path in plan.label_files("toy")] == [
        "Ses01F_impro01.txt", "Ses01F_impro01.txt", "Ses02F_impro01.txt", "Ses02F_impro01.txt",
    ]  # fmt: skip


def with_table(folder: Path, rows: list[str], **more: object) -> Plan:
    """Plan of a corpus that is a table with one file of sound and picture for all."""
    (folder / "clip.avi").touch()
    lines = ["utterance,session,speaker,label,text,audio,video"]
    lines += [f"{row},hello,clip.avi,clip.avi" for row in rows]
    (folder / "utterances.csv").write_text("\n".join(lines) + "\n")
    corpus = {"type": "table", "root": str(folder), **more}
    return Plan({"corpora": {"clips": corpus}, "systems": {"baseline": None}}, ROOT, "mine.yaml")


TABLE = ["u1,A_1,s,joy", "u2,b_10,s,sad", "u3,b_2,s,very angry"]


def test_classes_and_sessions_of_a_table_are_its_own(plan: Plan, tmp_path: Path) -> None:
    assert plan.classes("toy") == ["angry", "happy", "neutral", "sad"]
    table = with_table(tmp_path, TABLE)
    assert table.classes("clips") == ["sad", "joy", "very angry"]
    assert table.sessions("clips") == ["A_1", "b_10", "b_2"]
    assert table.study("table2") == [f"clips/baseline/fold{session}/seed1" for session in ("A_1", "b_10", "b_2")]
    assert table.label_files("clips") == [str(tmp_path / "utterances.csv")]
    for session in table.sessions("clips"):
        assert re.fullmatch(table.constraints["session"], session)
        assert re.fullmatch(table.constraints["fold"], session)
    chosen = with_table(tmp_path, TABLE, classes=["very angry", "sad", "joy"], sessions=["b_2", "A_1"])
    assert chosen.classes("clips") == ["very angry", "sad", "joy"]
    assert chosen.sessions("clips") == ["b_2", "A_1"]


def test_rejecting_utterances_without_a_face_concerns_folds_alone(plan: Plan, tmp_path: Path) -> None:
    keep = with_table(tmp_path, TABLE)
    reject = with_table(tmp_path, TABLE, policy={"no_face": "reject"})
    assert keep.left_out("clips") == plan.left_out("toy") == []
    assert reject.left_out("clips") == ["results/features/clips/video.rejected.csv"]
    assert reject.corpus("clips") == keep.corpus("clips")
    assert json.loads(keep.corpus("clips"))["policy"] == {"empty_transcript": "reject", "shortest_seconds": 0.025}
    assert with_table(tmp_path, TABLE, policy={"shortest_seconds": 1}).corpus("clips") != keep.corpus("clips")


def test_a_table_that_gives_no_folds_is_refused_while_planning(tmp_path: Path) -> None:
    where = r"corpora\.clips\.root in mine\.yaml: "
    with pytest.raises(SystemExit, match=where + "folds need two sessions or more; there is A_1"):
        with_table(tmp_path, ["u1,A_1,s,joy", "u2,A_1,s,sad"]).sessions("clips")
    with pytest.raises(SystemExit, match=where + ".*utterances.csv"):
        with_table(tmp_path, []).classes("clips")


def test_a_folder_that_is_no_release_is_a_user_error(tmp_path: Path) -> None:
    plan = Plan({"corpora": {"toy": {"type": "iemocap", "root": str(tmp_path)}}}, ROOT, "mine.yaml")
    with pytest.raises(SystemExit, match=r"error: corpora\.toy\.root in mine\.yaml: .*Session"):
        plan.label_files("toy")


@pytest.mark.parametrize("sessions", [["1"], ["1", "9"], ["1", "2", "2"]])
def test_sessions_that_give_no_folds_are_refused_while_planning(tmp_path: Path, sessions: list[str]) -> None:
    labels = tmp_path / "Session1/dialog/EmoEvaluation"
    labels.mkdir(parents=True)
    (labels / "Ses01F_impro01.txt").touch()
    corpus = {"type": "iemocap", "root": str(tmp_path), "sessions": sessions}
    with pytest.raises(SystemExit, match=r"corpora\.toy\.sessions in mine\.yaml: name two or more of 1, 2, 3, 4, 5"):
        Plan({"corpora": {"toy": corpus}}, ROOT, "mine.yaml").sessions("toy")


def test_files_of_a_local_encoder_are_inputs(plan: Plan, tmp_path: Path) -> None:
    assert plan.encoder_files("video") == []
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / "encoder").mkdir(exist_ok=True)
        (tmp_path / "encoder" / name).touch()
    encoder = plan.config.encoders.text.model_copy(update={"model": str(tmp_path / "encoder")})
    encoders = plan.config.encoders.model_copy(update={"text": encoder})
    plan.config = plan.config.model_copy(update={"encoders": encoders})
    assert [Path(path).name for path in plan.encoder_files("text")] == ["config.json", "model.safetensors"]
