"""Hashed character n-grams of words: a text encoder without weights."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECIPE: dict[str, Any] = {
    "analyzer": "char_wb",
    "ngram_range": (1, 4),
    "n_features": 256,
    "norm": "l2",
    "alternate_sign": True,
    "lowercase": True,
}
"""What scikit-learn's HashingVectorizer is given: n-grams of one to four characters inside a word and at its ends."""
WORD = r"[\w'’]+|[^\w\s]"
"""A word, or one sign of punctuation."""


class Hashing:
    """One row of length 1 for the whole text, as for [CLS], and one for each word or sign: (words + 1, 256).

    The first row of a text without words is zero.
    """

    name = f"hashing {RECIPE['n_features']}"
    dim = 256
    packages = ("scikit-learn", "numpy")
    weights_sha256 = hashlib.sha256(json.dumps([RECIPE, WORD]).encode()).hexdigest()
    """of the recipe, as there are no weights"""

    def __init__(self, max_tokens: int) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self._max_tokens = max_tokens
        self._vectorizer = HashingVectorizer(**RECIPE, dtype=np.float32)

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Pairs of an index into `texts` and its features."""
        for index, text in enumerate(texts):
            rows = [text, *re.findall(WORD, text)][: self._max_tokens]
            values: NDArray[np.float32] = self._vectorizer.transform(rows).toarray()
            yield index, values
