from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cmarr.config import Systems, kind_of
from cmarr.settings import CmArr, Cra, System
from cmarr.settings.space import Options, Range, around, nested


def configured(name: str) -> list[System]:
    return [kind_of(name)().resolved(corpus) for corpus in ("iemocap", "msp_improv")]


@pytest.mark.parametrize("name", list(Systems.model_fields))
def test_a_space_of_4_to_7_settings_has_what_was_published(name: str) -> None:
    if not issubclass(kind_of(name), System) or not kind_of(name).SPACE:
        pytest.skip("not tuned")
    for settings in [*configured(name), *([Cra(kind="impute")] if name == "cra" else [])]:
        assert 4 <= len(settings.space()) <= 7
        assert around(settings.space(), settings) == settings.space()
        assert any(path.endswith("learning_rate") for path in settings.space())
        for path, each in settings.space().items():
            ends = (each.low, each.high) if isinstance(each, Range) else each.values
            for value in ends:
                type(settings).model_validate(merge(settings, {path: value}))


def merge(settings: System, values: dict[str, Any]) -> dict[str, Any]:
    from cmarr.settings import merged

    return merged(settings.model_dump(), nested(values))


def test_a_space_is_widened_by_what_is_configured_and_leaves_out_what_is_off() -> None:
    settings = CmArr.model_validate({"alpha": 50, "beta": 0, "training": {"learning_rate": 1e-7}})
    found = around(settings.space(), settings)
    assert found["alpha"] == Range(0.03, 50, log=True)
    assert found["training.learning_rate"] == Range(1e-7, 1e-2, log=True)
    assert "beta" not in found
    assert around({"width": Options((32, 64)), "clip": Range(0, 1)}, Some()) == {"width": Options((32, 64, None))}


class Some:
    width, clip = None, None


def test_values_by_dotted_setting_are_nested() -> None:
    values = {"training.learning_rate": 0.1, "alpha": 1, "training.epochs": 3}
    assert nested(values) == {"training": {"learning_rate": 0.1, "epochs": 3}, "alpha": 1}


def test_needs_neither_torch_nor_optuna() -> None:
    code = "import sys, cmarr.settings; sys.exit(bool({'torch', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
