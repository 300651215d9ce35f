from __future__ import annotations

import pytest

from extractors.files import UserError
from extractors.settings import Greys, TextEncoder, parse


def test_settings_out_of_json() -> None:
    assert parse("encoders.text", '{"model": "x"}', TextEncoder) == TextEncoder(model="x")
    for text, key in (
        ('{"modle": "x"}', r"encoders\.text\.modle"),
        ('{"max_tokens": 2}', r"encoders\.text\.max_tokens"),
        ("{", r"encoders\.text: "),
    ):
        with pytest.raises(UserError, match=key):
            parse("encoders.text", text, TextEncoder)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", '"inf"', '"nan"', "1e999"])
def test_numbers_are_finite(word: str) -> None:
    with pytest.raises(UserError, match=r"^greys\.std: Input should be a finite number; correct [^\n]*$"):
        parse("greys", f'{{"mean": 1.0, "std": {word}}}', Greys)
