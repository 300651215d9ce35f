from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import console, manifest
from extractors.corpora import COLUMNS, Listing, Rating, Rejected, Remark, Utterance, iemocap
from extractors.files import UserError, read_csv, read_json, write_csv
from extractors.settings import Iemocap, Policy

ROW = Utterance("u1", "d1", "1", "1F", "angry", 'Well,  "so"', "a.wav", None, None, "v.avi", 0.1, 2.3456, "left")
CHECK = {"status": "differs", "differences": [f"line {i}" for i in range(12)]}


def run(out: Path, **corpus: Any) -> int:
    given = {"type": "iemocap", "root": "somewhere", "origin": "synthetic", "sessions": ["1", "2"], **corpus}
    settings = json.dumps({key: value for key, value in given.items() if value is not None})
    argv = ["manifest", "--name", "small", "--corpus", settings, "--out-dir", str(out)]
    return console.run("extractors", {"manifest": "lists the corpus"}, argv)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the corpus module will hand over, and what it was asked for."""
    state: dict[str, Any] = {"kept": [], "rejected": []}

    def read(corpus: Iemocap, sessions: tuple[str, ...]) -> Listing:
        state["asked"] = (corpus.root, sessions)
        ratings = [Rating("u1", 2.5, 5.5, None, None, "1 calm, 5 active")]
        return Listing(state["kept"], state["rejected"], CHECK, [Remark("u1", "label", "odd")], ratings)

    def judge(listing: Listing, root: Path, policy: Policy, progress: Any) -> Listing:
        return listing

    monkeypatch.setattr(iemocap, "read", read)
    monkeypatch.setattr(manifest, "judge", judge)
    return state


def test_files_are_sorted_and_carry_the_origin(reading: dict[str, Any], tmp_path: Path) -> None:
    second = replace(ROW, utterance="u2", session="2", label="sad", audio_start=1.0, audio_end=2.0, video_start=None)
    reading["kept"] = [second, ROW]
    reading["rejected"] = [Rejected("u9", "video", "why, indeed"), Rejected("u3", "label", "because")]
    assert run(tmp_path) == 0
    assert reading["asked"] == ("somewhere", ("1", "2"))
    with (tmp_path / "manifest.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert ",".join(header) == (
        "utterance,dialogue,session,speaker,label,text,audio,audio_start,audio_end,"
        "video,video_start,video_end,crop,origin"
    )
    assert [(row[0], row[-1]) for row in rows] == [("u1", "synthetic"), ("u2", "synthetic")]
    assert rows[0][7:9] == ["", ""]
    assert (tmp_path / "rejected.csv").read_text() == (
        'utterance,stage,reason,origin\nu3,label,because,synthetic\nu9,video,"why, indeed",synthetic\n'
    )
    assert (tmp_path / "remarks.csv").read_text() == "utterance,stage,remark,origin\nu1,label,odd,synthetic\n"
    assert (tmp_path / "ratings.csv").read_text() == (
        "utterance,valence,activation,dominance,naturalness,activation_scale,origin\n"
        'u1,2.5,5.5,,,"1 calm, 5 active",synthetic\n'
    )
    check = read_json(tmp_path / "check.json")
    assert check["classes"] == ["angry", "happy", "neutral", "sad"]
    assert check["kept"] == {"class": {"angry": 1, "sad": 1}, "speaker": {"1F": 2}, "session": {"1": 1, "2": 1}}
    assert (check["origin"], check["status"]) == ("synthetic", "differs")
    assert manifest.read_manifest(tmp_path / "manifest.csv") == [ROW, second]
    assert manifest.read_manifest(tmp_path / "manifest.csv", "2") == [second]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("check.json", "manifest.csv", "ratings.csv", "rejected.csv", "remarks.csv")
    ]


def test_summary_is_short(reading: dict[str, Any]) -> None:
    lines = manifest.summary("small", Listing([ROW], [Rejected("u", "audio", "x 1.25 ms long, UTF-8")], CHECK, size=2))
    assert lines[:10] == [
        "small: 1 utterances kept, 1 rejected, 0 remarks; 2 listed",
        "  kept per class: angry: 1",
        "  kept per speaker: 1F: 1",
        "  kept per session: 1: 1",
        "  rejected for: audio: 1",
        "    1 x audio: x # ms long, UTF-8",
        "  remarks on: nothing",
        "  media: missing: 0, unreadable: 0, cut off: 0, too short: 1, without a sound track: 0",
        "  labels: 12 differences from the reference list",
        "    line 0",
    ]
    assert lines[-1] == "    and 2 more in check.json"
    assert len(lines) == 20


def test_media_are_counted_for_utterances_only() -> None:
    remarks = [
        Remark("u1", "audio", "wav: missing"),
        Remark("", "audio", "a.wav: missing"),
        Remark("u2", "label", "x: missing"),
    ]
    rejected = [Rejected("u3", "video", "avi: no file but a folder, a device or a broken link")]
    assert manifest.media_counts(Listing([], rejected, CHECK, remarks))["missing"] == 2


def test_errors_name_the_key(reading: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(**corpus: Any) -> str:
        assert run(tmp_path, **corpus) == 1
        return capsys.readouterr().err.splitlines()[-1]

    reading["rejected"] = [Rejected(f"u{i}", "audio", f"wav: missing: {i}/a.wav", "4") for i in range(3, 6)]
    message = refused()
    assert "audio: wav: missing (3 times), such as u3, wav: missing: 3/a.wav" in message
    assert "; text, audio and video are all three needed, and no utterance has usable audio" in message
    assert f"{tmp_path}/rejected.csv has all unused utterances" in message
    reading["kept"] = [ROW]
    assert "corpora.small.sessions: no usable utterance of session 4 in somewhere" in refused(sessions=["1", "4"])
    message = refused(sessions=None)
    assert "session 2, 3, 4, 5 in somewhere; audio: wav: missing (3 times), such as u3" in message
    assert "name only those that are there (1)" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("manifest.csv", "ratings.csv", "rejected.csv", "remarks.csv")
    ]
    assert len(read_csv(tmp_path / "rejected.csv")) == 3
    assert "corpora.small.sessions: no session 7 in somewhere; there are 1, 2, 3, 4, 5" in refused(sessions=["7", "1"])
    assert "corpora.small.speakers: unknown key; correct the configuration" in refused(speakers=["1F"])
    assert "corpora.small.sessions.0: YAML reads no, off and false as false" in refused(sessions=[False])


def test_numbers_are_sessions(reading: dict[str, Any], tmp_path: Path) -> None:
    reading["kept"] = [ROW]
    assert run(tmp_path, sessions=[1]) == 0
    assert reading["asked"] == ("somewhere", ("1",))


@pytest.mark.parametrize(
    ("kept", "rejected", "size", "message"),
    [
        ([ROW], [], 2, "2 utterances listed, but 1 kept and 0 rejected"),
        ([ROW], ["u2", "u3"], 2, "2 utterances listed, but 1 kept and 2 rejected"),
        ([ROW], ["u1"], 2, "u1 is kept and rejected, or kept twice"),
        ([ROW, ROW], [], 2, "u1 is kept and rejected, or kept twice"),
    ],
)
def test_a_module_that_loses_an_utterance_is_found_out(
    monkeypatch: pytest.MonkeyPatch, kept: list[Utterance], rejected: list[str], size: int, message: str
) -> None:
    listing = Listing(kept, [Rejected(name, "label", "why") for name in rejected], CHECK, size=size)
    monkeypatch.setattr(iemocap, "read", lambda *_: listing)
    monkeypatch.setattr(manifest, "judge", lambda listing, *_: listing)
    with pytest.raises(UserError, match=f"corpora.small: {message}; this is a mistake in .*/iemocap.py"):
        manifest.read("small", Iemocap(type="iemocap", root="somewhere"))


def test_an_utterance_lost_by_the_judge_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iemocap, "read", lambda *_: Listing([ROW], [Rejected("u2", "label", "why")], CHECK))
    monkeypatch.setattr(manifest, "judge", lambda listing, *_: replace(listing, rows=[]))
    with pytest.raises(UserError, match="2 utterances listed, but 0 kept and 1 rejected"):
        manifest.read("small", Iemocap(type="iemocap", root="somewhere"))


def test_root_errors_name_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", root=str(tmp_path / "absent")) == 1
    assert capsys.readouterr().err.startswith(f"error: corpora.small.root: {tmp_path / 'absent'}: no such folder")


@pytest.mark.parametrize(
    "content", ["", "utterance,label\nu1,sad\n", "{row}x,", "{row}", "{fine}u2,d,1", "{fine}u2" + "," * 20]
)
def test_damaged_manifests(tmp_path: Path, content: str) -> None:
    path = tmp_path / "manifest.csv"
    fine = ",".join([*COLUMNS, "origin"]) + "\nu1,d,1,1F,sad,text,a.wav,,,v.avi,0,1,left,release\n"
    path.write_text(fine)
    assert len(manifest.read_manifest(path)) == 1
    path.write_text(content.format(fine=fine, row=fine.replace(",,,", ",,soon,")))
    with pytest.raises(UserError, match="not a manifest" if content else "empty"):
        manifest.read_manifest(path)
    with pytest.raises(UserError, match="run the rule"):
        manifest.read_manifest(tmp_path / "absent.csv")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30), st.floats(0, 1e5))
def test_text_and_times_survive(tmp_path_factory: pytest.TempPathFactory, text: str, seconds: float) -> None:
    path = tmp_path_factory.mktemp("manifest") / "manifest.csv"
    row = replace(ROW, text=text, video_end=seconds)
    write_csv(path, COLUMNS, [vars(row)])
    assert manifest.read_manifest(path) == [row]
