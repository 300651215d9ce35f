"""One short film: who is in which half, and when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.demo import film, plan, sound
from extractors.demo.face import EXPRESSIONS, Actor, Pose


def lines(dialogue: str) -> list[sound.Line]:
    """Her turn with a happy face from 0.5 to 1.5 s, his from 2 to 3 s, out of the picture."""
    turn = plan.script(0, 1, 4)[0]
    hers = replace(turn, utterance=f"{dialogue}_F000", sex="F", face=plan.Cue("hap", 1.0), face_visible=True)
    his = replace(turn, utterance=f"{dialogue}_M000", sex="M", face_visible=False)
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, 16000).astype(np.float32)
    return [sound.Line(hers, 0.5, 1.5, noise), sound.Line(his, 2.0, 3.0, noise)]


@pytest.mark.parametrize(("dialogue", "order"), [("Ses01F_impro01", "FM"), ("Ses01M_impro05", "MF")])
def test_film(tmp_path: Path, dialogue: str, order: str) -> None:
    path = tmp_path / "film.avi"
    film.write_film(path, lines(dialogue), np.zeros((2, 56000), np.int16), 0, np.random.default_rng(0))
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert frames[0].shape == (480, 720, 3)
    assert len(frames) == pytest.approx(3.5 * film.FRAMES_PER_SECOND, abs=1)
    for left, sex in zip(film.LEFTS, order, strict=True):
        part = np.s_[film.TOP : film.TOP + 238, left : left + 348]
        assert difference(frames[0][part], sex, "neu") < 8
        assert difference(frames[0][part], sex, "neu") < difference(frames[0][part], "FM".replace(sex, ""), "neu")
    for number, second in ((12, 1.0), (31, 2.5)):
        speaking = order.index("F" if second == 1.0 else "M")
        left = film.LEFTS[speaking]
        picture = frames[number][film.TOP + 4 : film.TOP + 234, left + 4 : left + 344]
        assert (picture.std(axis=(0, 1)).max() < 6) == (second == 2.5)
    assert frames[0][:110].max() < 20


def difference(picture: NDArray[np.float64], sex: str, emotion: str) -> float:
    expected = Actor(f"1{sex}", 0).frame(EXPRESSIONS[emotion], Pose()).transpose(1, 2, 0)
    return float(np.abs(picture - expected).mean())
