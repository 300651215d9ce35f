from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from extractors.hashing import RECIPE, WORD, Hashing


def rows(text: str, max_tokens: int = 512) -> NDArray[np.float32]:
    [(_, values)] = Hashing(max_tokens).encode([text])
    return values


def test_one_row_for_the_text_and_one_for_each_word_or_sign() -> None:
    assert rows("I don't know, Über 3 $!").shape == (9, 256)
    assert rows("I am.").dtype == np.float32
    assert rows("").shape == rows(" \n").shape == (1, 256)
    assert not rows("").any()
    assert rows("a b c d", max_tokens=3).shape == (3, 256)


def test_equal_words_have_equal_rows_whatever_their_case_and_neighbours() -> None:
    values = rows("Angry angry hungry table")
    np.testing.assert_array_equal(values[1], values[2])
    np.testing.assert_array_equal(values[1], rows("angry")[1])
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, rtol=1e-5)
    assert values[1] @ values[3] > values[1] @ values[4] + 0.1


def test_texts_come_with_their_index_in_any_script() -> None:
    found = dict(Hashing(512).encode(["ja", "да, 是", "\U0001f600"]))
    assert [len(found[index]) for index in range(3)] == [2, 4, 2]


def test_the_recipe_has_a_hash_and_a_name() -> None:
    assert Hashing.name == "hashing 256"
    assert len(Hashing.weights_sha256) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("नमस्ते दुनिया", 2),
        ("शक्\u200dति क्षेत्र", 2),
        ("สวัสดี ครับ", 2),
        ("தமிழ் மொழி", 2),
        ("مَرْحَبًا بِكَ", 2),
        ("می\u200cخواهم برو", 2),
        ("שָׁלוֹם עוֹלָם", 2),
        ("한국어 말", 2),
        ("Tiếng Việt", 2),
        ("don't say ’tis", 3),
        ("mother-in-law", 5),
        ("co\u00adoperate \ufeffnow\u200bthen", 3),
        ("\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \u2764\ufe0f", 3),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7 1\ufe0f\u20e3!", 4),
    ],
)
def test_marks_stay_with_their_words_and_emoji_whole(text: str, words: int) -> None:
    for form in ("NFC", "NFD"):
        assert len(rows(unicodedata.normalize(form, text))) == words + 1


@pytest.mark.parametrize(
    "text", ["Ça va", "Tiếng Việt", "한국어", "\ufb2aלום", "\u0958लम", "İstanbul Ångström", "がぎ"]
)
def test_composed_and_decomposed_text_have_the_same_features(text: str) -> None:
    """The Hebrew and the Hindi text have letters that Unicode composes no more."""
    forms = {text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text)}
    assert len(forms) == 2
    first, second = (rows(form) for form in forms)
    np.testing.assert_array_equal(first, second)


def test_signs_that_are_only_alike_stay_apart() -> None:
    assert not np.array_equal(rows("x²"), rows("x2"))
    assert not np.array_equal(rows("नमस्ते"), rows("नमसत"))


@given(st.text(st.characters(max_codepoint=127) | st.sampled_from("éßЖ是’…½"), max_size=30))
def test_what_needs_no_marks_has_the_rows_of_the_plain_rule(text: str) -> None:
    plain = [text, *re.findall(r"[\w'’]+|[^\w\s]", text)]
    expected = HashingVectorizer(**RECIPE, dtype=np.float32).transform(plain).toarray()
    np.testing.assert_array_equal(rows(text), expected)


@given(st.text(max_size=20))
def test_no_visible_character_is_lost(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    assert "".join(re.findall(WORD, text)) == re.sub(r"\s", "", text)
