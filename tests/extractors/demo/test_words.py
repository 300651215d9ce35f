"""Sentences: every word is in the vocabulary, and strength decides how telling they are."""

from __future__ import annotations

import re

import numpy as np
import pytest

from extractors.demo.words import ADJECTIVES, NOUNS, OPENERS, sentence, vocabulary


def telling(text: str) -> set[str]:
    """Emotions of which a word occurs."""
    found = set()
    for group in (OPENERS, ADJECTIVES, NOUNS):
        for emotion, words in group.items():
            found |= {emotion for word in words if re.search(rf"(^|[ ]){re.escape(word)}", text)}
    return found


@pytest.mark.parametrize("emotion", ["ang", "hap", "neu", "sad"])
def test_strong_sentences_tell_and_weak_ones_do_not(emotion: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        assert telling(sentence(emotion, 1.0, random)) == {emotion}
        assert telling(sentence(emotion, 0.4, random)) == {emotion}
        assert telling(sentence(emotion, 0.1, random)) == set()


def test_vocabulary_covers_all_sentences() -> None:
    random = np.random.default_rng(1)
    known = set(vocabulary())
    for count in range(300):
        text = sentence(("ang", "hap", "neu", "sad")[count % 4], (count % 13) / 12, random)
        assert set(re.findall(r"[a-z]+|[^a-z ]", text.lower())) <= known
