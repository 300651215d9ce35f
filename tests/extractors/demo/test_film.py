"""A short film of one actor: size, rates, sound track, and the emotion of the turn in the face."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.demo import film, msp_improv, plan, sound
from extractors.demo.face import HEIGHT, WIDTH, Actor, Pose, expression

SCREEN = film.Screen(height=300, width=360, top=10, lefts=(8,))


@pytest.mark.parametrize("rate", [film.FRAMES_PER_SECOND, Fraction(25)])
def test_film(tmp_path: Path, rate: Fraction) -> None:
    turn = replace(msp_improv.script(0, 1, 4)[0], face=plan.Cue("ang", 1.0))
    said = np.random.default_rng(0).uniform(-0.1, 0.1, 16000).astype(np.float32)
    actor = Actor("1F", 0)
    camera = film.Camera(actor, [sound.Line(turn, 0.0, 1.0, said)], np.random.default_rng(0))
    film.write_film(tmp_path / "film.avi", SCREEN, [camera], np.zeros(16700, np.int16), rate)
    with av.open(str(tmp_path / "film.avi")) as container:
        assert container.metadata["comment"] == "synthetic"
        assert container.streams.video[0].average_rate == rate
        assert container.streams.audio[0].rate == 16000
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    assert len(frames) == 16700 / 16000 * rate // 1
    assert frames[0].shape == (300, 360, 3)
    picture = frames[len(frames) // 2][10 : 10 + HEIGHT, 8 : 8 + WIDTH]
    faces = {emotion: expression(emotion, 1.0, np.random.default_rng([turn.seed, 2])) for emotion in plan.CLASSES}
    far = {
        emotion: np.abs(actor.frame(shown, Pose()).transpose(1, 2, 0) - picture).mean()
        for emotion, shown in faces.items()
    }
    assert min(far, key=lambda emotion: far[emotion]) == "ang"
    assert frames[0][10 + HEIGHT : -45].max() < 20
    assert frames[0][-45:].max() > 50
