"""Features of utterances whose text, speech and video share an instance beside the class, with known signal.

An utterance has affect (a vector around the centre of its class), a topic and a speaker. Every modality shows a mixture
of all three and a part of its own that says nothing. It shows topic and speaker well and affect in doubt: `doubt` is
the deviation of the error that a modality makes in the affect that it shows. So one modality of an utterance tells
something about another that the class does not, which recovery and alignment can use. With `link` 0 the modalities of
an utterance share the class alone, at the same signal. Lengths are those of utterances of 1.5 to 12 s, in word pieces
and in frames at 5 a second. Speakers of training, validation and test are others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CLASSES = ("angry", "happy", "neutral", "sad")
AFFECT, TOPIC, SPEAKER = 6, 5, 3
"""dimensions of what an utterance is made of"""


@dataclass(frozen=True)
class Signal:
    """What one modality shows."""

    dim: int
    per_second: float
    doubt: float
    """deviation of the error in the affect that it shows; affect itself has 0.5 within a class. Infinite: it shows
    nothing but its own part"""
    own: int = 4
    """dimensions of the part that says nothing; many are easily learned by heart"""


SIGNALS = {"text": Signal(384, 2.7, 1.3), "speech": Signal(80, 5, 1.5), "video": Signal(342, 5, 0.9)}


@dataclass(frozen=True)
class Linked:
    """A corpus; rows of training come first, then validation, then test."""

    labels: NDArray[np.int64]
    """(utterances,)"""
    speakers: NDArray[np.int64]
    values: dict[str, NDArray[np.float32]]
    """(sum of lengths, dim) per modality"""
    lengths: dict[str, NDArray[np.int64]]
    """(utterances,) per modality"""
    parts: dict[str, range]
    """rows of `train`, `validation` and `test`"""


def linked(
    train: int = 288,
    validation: int = 96,
    test: int = 600,
    seed: int = 0,
    link: float = 1.0,
    separation: float = 1.6,
    signals: dict[str, Signal] = SIGNALS,
) -> Linked:
    """A corpus with equal classes; `separation` is the distance of a class's affect from the middle of all."""
    rng = np.random.default_rng(seed)
    sizes = {"train": train, "validation": validation, "test": test}
    count = sum(sizes.values())
    labels = np.concatenate([np.arange(size) % len(CLASSES) for size in sizes.values()])
    part = np.repeat(np.arange(3), list(sizes.values()))
    speakers = 10 * part + rng.integers(np.array([8, 4, 10])[part])
    centres = rng.normal(size=(len(CLASSES), AFFECT))
    centres -= centres.mean(0)
    centres *= separation / np.linalg.norm(centres, axis=1, keepdims=True)

    def instance() -> NDArray[np.float64]:
        voices = rng.normal(size=(30, SPEAKER))
        affect = centres[labels] + 0.5 * rng.normal(size=(count, AFFECT))
        return np.concatenate([affect, 1.5 * rng.normal(size=(count, TOPIC)), 1.5 * voices[speakers]], axis=1)

    shared = instance()
    seconds = np.clip(rng.lognormal(np.log(3.8), 0.5, size=count), 1.5, 12)
    values, lengths = {}, {}
    for modality, signal in signals.items():
        is_linked = rng.random(count) < link
        shown = np.where(is_linked[:, None], shared, instance())
        if np.isinf(signal.doubt):
            shown = rng.normal(size=shown.shape)
        else:
            shown = shown + np.repeat([signal.doubt, 0.4], [AFFECT, TOPIC + SPEAKER]) * rng.normal(size=shown.shape)
        latent = np.concatenate([shown, rng.normal(size=(count, signal.own))], axis=1)
        mixing = rng.normal(size=(latent.shape[1], signal.dim)) / np.sqrt(latent.shape[1])
        lengths[modality] = np.maximum(2, np.round(seconds * signal.per_second)).astype(np.int64)
        values[modality] = np.concatenate(
            [_frames(row, length, rng) @ mixing for row, length in zip(latent, lengths[modality], strict=True)]
        )
        values[modality] += 0.5 * rng.normal(size=values[modality].shape)
    ends = np.cumsum([0, *sizes.values()])
    parts = {name: range(ends[number], ends[number + 1]) for number, name in enumerate(sizes)}
    return Linked(labels, speakers, {name: value.astype(np.float32) for name, value in values.items()}, lengths, parts)


def _frames(latent: NDArray[np.float64], length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(length, dim): a slow walk around what the utterance shows."""
    steps = 0.6 * rng.normal(size=(length, len(latent)))
    walk = np.empty_like(steps)
    walk[0] = steps[0]
    for step in range(1, length):
        walk[step] = 0.8 * walk[step - 1] + 0.6 * steps[step]
    return latent + walk
