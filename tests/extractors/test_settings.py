from __future__ import annotations

import pytest

from extractors.files import UserError
from extractors.settings import TextEncoder, parse


def test_settings_out_of_json() -> None:
    assert parse("encoders.text", '{"model": "x"}', TextEncoder) == TextEncoder(model="x")
    for text, key in (
        ('{"modle": "x"}', r"encoders\.text\.modle"),
        ('{"max_tokens": 2}', r"encoders\.text\.max_tokens"),
        ("{", r"encoders\.text: "),
    ):
        with pytest.raises(UserError, match=key):
            parse("encoders.text", text, TextEncoder)
