from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora import Listing, Rejected, Utterance, judge
from extractors.corpora.films import Film
from extractors.corpora.sounds import Sound
from extractors.settings import Policy

ROW = Utterance("u", "d", "1", "1F", "angry", "words", "a.wav", None, None, "v.avi", None, None, "full")


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


@pytest.fixture
def media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the two files are found to be."""
    found: dict[str, Any] = {"sound": Sound(seconds=3.0), "film": Film(seconds=3.0), "opened": 0}
    for name in ("a.wav", "v.avi"):
        (tmp_path / name).touch()

    def film(path: Path) -> Film:
        found["opened"] += 1
        return found["film"]  # type: ignore[no-any-return]

    monkeypatch.setattr(judge, "sound", lambda path: found["sound"])
    monkeypatch.setattr(judge, "film", film)
    return found


def verdict(root: Path, row: Utterance, **policy: Any) -> tuple[str, str] | list[str]:
    """Stage and reason of a rejection, or the remarks."""
    found = judge.judge(Listing([row], [], {}), root, Policy(**policy), silent)
    if found.rejected:
        assert found.rows == []
        return found.rejected[0].stage, found.rejected[0].reason
    assert found.rows == [row]
    return [remark.remark for remark in found.remarks]


@pytest.mark.usefixtures("media")
def test_words_and_the_policy_for_them(tmp_path: Path) -> None:
    empty = replace(ROW, text="")
    assert verdict(tmp_path, ROW) == []
    assert verdict(tmp_path, empty) == ("transcript", "transcript is empty")
    assert verdict(tmp_path, empty, empty_transcript="keep") == ["transcript is empty; kept by policy.empty_transcript"]
    assert verdict(tmp_path, replace(ROW, text="a" * 10_001))[0] == "transcript"
    listing = Listing([empty], [], {}, wordless={"u": "no transcript file"})
    (rejected,) = judge.judge(listing, tmp_path, Policy(), silent).rejected
    assert rejected.reason == "no transcript file"
    (tmp_path / "v.avi").unlink()
    found = judge.judge(listing, tmp_path, Policy(), silent)
    assert [row.reason for row in found.rejected] == ["no transcript file"]
    assert [row.remark for row in found.remarks] == ["avi: missing: v.avi"]


def test_length_and_the_policy_for_it(tmp_path: Path, media: dict[str, Any]) -> None:
    media["sound"], media["film"] = Sound(seconds=0.3), Film()
    assert verdict(tmp_path, ROW) == ["0.300 s long"]
    assert verdict(tmp_path, ROW, shortest_seconds=0.31) == ("audio", "300.0 ms long, at least 310 are needed")
    media["sound"] = Sound(seconds=25.0)
    assert verdict(tmp_path, ROW) == ["25.000 s long"]
    assert verdict(tmp_path, replace(ROW, audio_start=1.0, audio_end=3.0)) == []
    assert verdict(tmp_path, replace(ROW, audio_start=24.99, audio_end=30.0)) == (
        "audio",
        "10.0 ms long, at least 25 are needed",
    )
    assert verdict(tmp_path, replace(ROW, audio_start=24.0, audio_end=30.0)) == [
        "wav: 25.000 s long, the utterance ends at 30.000 s"
    ]
    assert verdict(tmp_path, replace(ROW, audio_start=30.0, audio_end=32.0)) == (
        "audio",
        "wav: 25.000 s long, the utterance begins at 30.000 s",
    )
    media["sound"] = Sound(seconds=3.0, odd="9 bytes behind")
    assert verdict(tmp_path, ROW) == ["wav: 9 bytes behind"]
    assert verdict(tmp_path, replace(ROW, audio="")) == ("audio", "wav: missing: no u.wav below the folder")


def test_sound_and_picture_of_one_clip_differ_in_length(tmp_path: Path, media: dict[str, Any]) -> None:
    media["film"] = Film(seconds=3.4)
    assert verdict(tmp_path, ROW) == []
    media["film"] = Film(seconds=3.6)
    assert verdict(tmp_path, ROW) == ["3.000 s of sound, 3.600 s of picture"]


def test_films_that_break_off(tmp_path: Path, media: dict[str, Any]) -> None:
    media["film"] = Film(breaks_off=1.5, seconds=3.0)
    assert verdict(tmp_path, ROW) == (
        "video",
        "avi: cut off, the last picture is at 1.500 s, the utterance ends at 3.000 s",
    )
    timed = replace(ROW, audio_start=0.5, audio_end=1.5, video_start=0.5)
    assert verdict(tmp_path, replace(timed, video_end=1.5)) == ["avi: cut off, the last picture is at 1.500 s"]
    assert verdict(tmp_path, replace(timed, video_end=1.6))[0] == "video"
    media["film"] = Film(breaks_off=1.5, how="ends here:", odd="not heard of")
    assert verdict(tmp_path, ROW) == ("video", "avi: ends here: 1.500 s")
    media["film"] = Film(seconds=3.0, odd="2 of its pictures are damaged")
    assert verdict(tmp_path, ROW) == ["avi: 2 of its pictures are damaged"]
    media["film"] = Film(seconds=3.0)
    assert verdict(tmp_path, replace(timed, video_end=3.05)) == []
    assert verdict(tmp_path, replace(timed, video_end=3.2)) == ["avi: 3.000 s long, the utterance ends at 3.200 s"]
    media["film"] = Film(seconds=3.0, silent=True)
    assert verdict(tmp_path, ROW) == ["avi has no sound track"]
    assert verdict(tmp_path, replace(ROW, video_start=3.0, video_end=6.0)) == (
        "video",
        "avi: 3.000 s long, the utterance begins at 3.000 s",
    )


def test_a_length_unlike_that_of_the_labels(tmp_path: Path, media: dict[str, Any]) -> None:
    assert verdict(tmp_path, replace(ROW, video_start=1.0, video_end=2.5)) == ["3.000 s long, by the labels 1.500 s"]
    assert verdict(tmp_path, replace(ROW, video_start=0.0, video_end=2.95)) == []


def test_files_are_opened_once_and_others_are_only_remarked_on(tmp_path: Path, media: dict[str, Any]) -> None:
    media["film"] = Film("no video stream")
    rows = [replace(ROW, utterance=name) for name in "abc"]
    listing = Listing(rows[:2], [Rejected("c", "label", "why")], {}, passed_over=rows[2:])
    found = judge.judge(listing, tmp_path, Policy(), silent)
    assert media["opened"] == 1
    assert [(row.utterance, row.stage) for row in found.rejected] == [("a", "video"), ("b", "video"), ("c", "label")]
    assert [(remark.utterance, remark.remark) for remark in found.remarks] == [("c", "avi: no video stream")]


HOSTILE = st.lists(st.sampled_from(["..", ".", "a", "/", "\x00", "~", "link", "b" * 300]), max_size=6).map("/".join)


@given(HOSTILE)
def test_no_path_leads_out_of_the_root(tmp_path_factory: pytest.TempPathFactory, relative: str) -> None:
    root = tmp_path_factory.mktemp("root") / "corpus"
    root.mkdir()
    (root / "a").touch()
    (root.parent / "a").touch()
    (root / "link").symlink_to(root.parent)
    opened: list[Path] = []

    def watch(path: Path) -> Sound:
        opened.append(path.resolve())
        return Sound()

    judge.look(root, [relative], watch, Sound, silent, "reading")
    assert all(path.is_relative_to(root.resolve()) for path in opened)
