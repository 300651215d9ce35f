from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmarr.config import parse, run_name, settings_of
from cmarr.variants import PART, base, overrides, variant
from extractors.files import UserError

KEYS = st.from_regex(r"[a-z_]{1,8}(\.[a-z_]{1,8})?", fullmatch=True)
VALUES = st.one_of(
    st.from_regex(r"[A-Za-z0-9_]{1,8}", fullmatch=True), st.booleans(), st.none(), st.integers(0),
    st.floats(0, allow_infinity=False),
)  # fmt: skip


def test_needs_neither_torch_nor_pydantic() -> None:
    code = "import sys, cmarr.variants; sys.exit(bool({'torch', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "cm_arr"),
        ({"ablation": "no_udcl"}, "cm_arr-ablation-no_udcl"),
        ({"x_source": "R", "ablation": "no_udcl"}, "cm_arr-ablation-no_udcl-x_source-R"),
        ({"alpha": 0, "beta": 0.0}, "cm_arr-alpha-0-beta-0"),
        ({"lambda_rec": 10.0}, "cm_arr-lambda_rec-10"),
        ({"training.learning_rate": 1e-5}, "cm_arr-training.learning_rate-0.00001"),
        ({"training.epochs": 1_000_000}, "cm_arr-training.epochs-1000000"),
        ({"training.epochs": 10**30 + 1}, f"cm_arr-training.epochs-1{'0' * 29}1"),
        ({"alpha": 0.12345678, "beta": 1234567.0}, "cm_arr-alpha-0.12345678-beta-1234567"),
        ({"tau_learned": False, "width": None}, "cm_arr-tau_learned-false-width-null"),
    ],
)
def test_names(changes: dict[str, object], name: str) -> None:
    assert variant("cm_arr", changes) == name
    assert base(name) == "cm_arr"
    assert set(overrides(name)) == set(changes)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_a_name_gives_back_its_keys_and_values_and_is_allowed_in_paths(changes: dict[str, object]) -> None:
    name = variant("if_mmin", changes)
    assert re.fullmatch(f"if_mmin({PART})*", name)
    for key, text in overrides(name).items():
        value = changes[key]
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert type(value)(text) == value
        else:
            assert text == {True: "true", False: "false", None: "null"}.get(value, value)
    assert variant("if_mmin", overrides(name)) == name


@pytest.mark.parametrize("name", ["a-alpha", "a-alpha-", "a--1", "a-lr-1e-05", "a-x-1-x-2", "a-alpha--1"])
def test_a_name_that_is_no_variant_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="write <system>-<key>-<value>"):
        overrides(name)


@pytest.mark.parametrize("word", ["inf", "nan", "Infinity", "1e999"])
def test_numbers_that_no_name_could_hold_are_refused_in_one_line(word: str) -> None:
    content = {"corpora": {"c": {"type": "iemocap", "root": "x"}}}
    with pytest.raises(UserError, match=r"^configuration: studies\.alpha\.1: [^\n]*finite number[^\n]*$"):
        parse(content | {"studies": {"alpha": [1, float(word)]}})
    with pytest.raises(UserError, match=r"^configuration: systems: cm_arr-alpha-\w+: [^\n]*finite number[^\n]*$"):
        settings_of(parse(content), f"cm_arr-alpha-{word}")


def test_a_variant_may_have_one_value_of_a_list() -> None:
    config = parse({"corpora": {"c": {"type": "iemocap", "root": "x"}}, "systems": {"linear": {"c": 2}}})
    assert settings_of(config, "linear", "c").model_dump()["c"] == (2.0,)
    assert settings_of(config, "linear-c-0.10", "c").model_dump()["c"] == (0.1,)
    assert run_name(config, "linear-c-0.10") == "linear-c-0.1"
    assert run_name(config, "linear-c-2.0") == "linear"
