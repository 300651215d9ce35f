"""Spoken sentences: repeatable, and the emotions sound different in the way they should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.demo import iemocap, msp_improv, plan
from extractors.demo.voice import RATE_HZ, VARIANTS, _resized, _tilted, say_all


@pytest.fixture(scope="module")
def turns() -> list[plan.Turn]:
    """The same sentence of the same speaker with each emotion in the voice."""
    turn = iemocap.script(0, 1, 4)[0]
    same = replace(turn, text="[LAUGHTER] The letter was here.")
    return [replace(same, voice=plan.Cue(emotion, 1.0)) for emotion in plan.CLASSES]


@pytest.fixture(scope="module")
def sounds(turns: list[plan.Turn]) -> dict[str, NDArray[np.float32]]:
    return dict(zip(plan.CLASSES, say_all(turns, 0), strict=True))


def brightness(sound: NDArray[np.float32]) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float((power * np.fft.rfftfreq(len(sound), 1 / RATE_HZ)).sum() / power.sum())


def test_same_turns_give_same_samples(turns: list[plan.Turn], sounds: dict[str, NDArray[np.float32]]) -> None:
    for again, emotion in zip(say_all(turns, 0), plan.CLASSES, strict=True):
        np.testing.assert_array_equal(again, sounds[emotion])


def test_prosody(sounds: dict[str, NDArray[np.float32]]) -> None:
    length = {emotion: len(sound) for emotion, sound in sounds.items()}
    assert length["ang"] < length["neu"] < length["sad"]
    loudest = {emotion: np.abs(sound).max() for emotion, sound in sounds.items()}
    assert loudest["ang"] > loudest["neu"] > loudest["sad"]
    assert brightness(sounds["ang"]) > brightness(sounds["neu"]) > brightness(sounds["sad"])


def test_every_speaker_has_a_voice_of_their_own() -> None:
    assert {turn.speaker for turn in msp_improv.script(0, 6, 4)} == set(VARIANTS)
    assert len({variant for variant, _ in VARIANTS.values()}) == len(VARIANTS)


def test_tags_are_not_spoken(turns: list[plan.Turn], sounds: dict[str, NDArray[np.float32]]) -> None:
    plain = say_all([replace(turns[0], text="The letter was here.")], 0)[0]
    np.testing.assert_array_equal(plain, sounds["ang"])


def test_tilt_is_in_decibels_an_octave() -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    for hertz, factor in ((1000, 1.0), (2000, 10 ** (6 / 20)), (500, 10 ** (-6 / 20))):
        tone = np.sin(2 * np.pi * hertz * time)
        np.testing.assert_allclose(_tilted(tone, 6.0), factor * tone, atol=1e-6)


def test_size_multiplies_frequencies() -> None:
    tone = np.sin(2 * np.pi * 500 * np.arange(RATE_HZ) / RATE_HZ)
    spectrum = np.abs(np.fft.rfft(_resized(tone, 1.25)))
    assert np.fft.rfftfreq(round(RATE_HZ / 1.25), 1 / RATE_HZ)[spectrum.argmax()] == pytest.approx(625, abs=2)
