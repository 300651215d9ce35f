"""Names and films of the IEMOCAP layout."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.demo import film, iemocap, plan, sound
from extractors.demo.face import EXPRESSIONS, Actor, Pose

DIALOGUE = r"Ses0[1-5][FM]_(impro0[1-8][ab]?|script0[1-3]_[1-3]b?)"


@pytest.fixture(scope="module")
def turns() -> list[plan.Turn]:
    return iemocap.script(seed=0, sessions=5, utterances_per_speaker=16)


def test_names_are_those_of_the_release(turns: list[plan.Turn]) -> None:
    assert all(re.fullmatch(rf"{DIALOGUE}_[FM]\d{{3}}", turn.utterance) for turn in turns)
    names = {iemocap.group(turn) for turn in turns}
    assert {"Ses03M_impro05a", "Ses03M_impro05b", "Ses05M_script01_1", "Ses05M_script01_1b"} <= names
    for session in "12345":
        for marker in "FM":
            for kind in ("impro", "script"):
                assert any(name.startswith(f"Ses0{session}{marker}_{kind}") for name in names)


def test_numbers_run_without_gaps_per_speaker_and_dialogue(turns: list[plan.Turn]) -> None:
    numbers: dict[str, list[int]] = {}
    for turn in turns:
        numbers.setdefault(turn.utterance[:-3], []).append(int(turn.utterance[-3:]))
    assert all(found == list(range(len(found))) for found in numbers.values())


def test_all_codes_occur_and_the_four_classes_are_kept(turns: list[plan.Turn]) -> None:
    codes = Counter(turn.code for turn in turns)
    assert set(codes) == {"ang", "hap", "exc", "neu", "sad", "fru", "xxx", "sur", "fea", "dis", "oth"}
    assert Counter(turn.code for turn in turns if turn.kept) == {"ang": 40, "hap": 20, "exc": 20, "neu": 40, "sad": 40}
    assert all(turn.kept == bool(turn.emotion4) for turn in turns)


def test_the_marked_actor_is_on_the_left(turns: list[plan.Turn]) -> None:
    halves = {(turn.utterance[5], turn.sex): iemocap.half(turn) for turn in turns}
    assert halves == {("F", "F"): "left", ("M", "M"): "left", ("F", "M"): "right", ("M", "F"): "right"}


def test_three_actors_leave_the_picture(turns: list[plan.Turn]) -> None:
    away = [turn for turn in turns if not turn.face_visible]
    assert len(away) == 3
    assert all(turn.kept for turn in away)


def lines(dialogue: str) -> list[sound.Line]:
    """Her turn with a happy face from 0.5 to 1.5 s, his from 2 to 3 s, out of the picture."""
    turn = iemocap.script(0, 1, 4)[0]
    hers = replace(turn, utterance=f"{dialogue}_F000", sex="F", face=plan.Cue("hap", 1.0), face_visible=True)
    his = replace(turn, utterance=f"{dialogue}_M000", sex="M", face_visible=False)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 16000).astype(np.float32)
    return [sound.Line(hers, 0.5, 1.5, noise), sound.Line(his, 2.0, 3.0, noise)]


@pytest.mark.parametrize(("dialogue", "order"), [("Ses01F_impro01", "FM"), ("Ses01M_impro05", "MF")])
def test_film(tmp_path: Path, dialogue: str, order: str) -> None:
    top, lefts = 122, (6, 366)
    path = tmp_path / f"{dialogue}.avi"
    iemocap.write_film(path, lines(dialogue), np.zeros((2, 56000), np.int16), 0, np.random.default_rng(0))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert frames[0].shape == (480, 720, 3)
    assert len(frames) == pytest.approx(3.5 * film.FRAMES_PER_SECOND, abs=1)
    for left, sex in zip(lefts, order, strict=True):
        part = np.s_[top : top + 238, left : left + 348]
        assert difference(frames[0][part], sex, "neu") < 8
        assert difference(frames[0][part], sex, "neu") < difference(frames[0][part], "FM".replace(sex, ""), "neu")
    for number, second in ((12, 1.0), (31, 2.5)):
        speaking = order.index("F" if second == 1.0 else "M")
        left = lefts[speaking]
        picture = frames[number][top + 4 : top + 234, left + 4 : left + 344]
        assert (picture.std(axis=(0, 1)).max() < 6) == (second == 2.5)
    assert frames[0][:110].max() < 20


def difference(picture: NDArray[np.float64], sex: str, emotion: str) -> float:
    expected = Actor(f"1{sex}", 0).frame(EXPRESSIONS[emotion], Pose()).transpose(1, 2, 0)
    return float(np.abs(picture - expected).mean())
