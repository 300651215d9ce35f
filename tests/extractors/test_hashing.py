from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from extractors.hashing import Hashing


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
