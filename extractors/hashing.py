"""Hashed character n-grams of words: a text encoder without weights."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import unicodedata
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
MARKS = "".join(sign for sign in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(sign).startswith("M"))
"""Every combining mark of Unicode; `\\w` of Python has none of them."""
JOINERS = r"\u200c\u200d"
"""Without a width and with a meaning: in words of Persian and Hindi, and between the parts of an emoji."""
EMOJI = rf"[{MARKS}\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
"""What changes the emoji before it: variation selectors, skin tones, letters of a flag."""
WORD = (
    rf"[\w'’][\w'’{MARKS}{JOINERS}]*"
    r"|[\U0001f1e6-\U0001f1ff]{2}"
    rf"|[^\w\s]{EMOJI}*(?:\u200d[^\w\s]{EMOJI}*)*"
)
"""A word with its combining marks, the two letters of a flag, or one sign, such as an emoji with all its parts."""
INVISIBLE = r"[\u00ad\u061c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
"""Soft hyphens, directions of writing and the like."""


class Hashing:
    """One row of length 1 for the whole text, as for [CLS], and one for each word or sign: (words + 1, 256).

    The first row of a text without words is zero. Composed and decomposed text have the same rows, since both are
    composed first (NFC). Not NFKC: that would make other words of "x²", "½" or "ﬁn".
    """

    name = f"hashing {RECIPE['n_features']}"
    dim = 256
    packages = ("scikit-learn", "numpy")
    weights_sha256 = hashlib.sha256(json.dumps([RECIPE, WORD, INVISIBLE]).encode()).hexdigest()
    """of the recipe, as there are no weights"""

    def __init__(self, max_tokens: int) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        self._max_tokens = max_tokens
        self._vectorizer = HashingVectorizer(**RECIPE, dtype=np.float32)

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Pairs of an index into `texts` and its features."""
        for index, text in enumerate(texts):
            text = unicodedata.normalize("NFC", re.sub(INVISIBLE, "", text)).replace("\u200b", " ")
            rows = [text, *re.findall(WORD, text)][: self._max_tokens]
            values: NDArray[np.float32] = self._vectorizer.transform(rows).toarray()
            yield index, values
