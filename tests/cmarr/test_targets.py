from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from cmarr.targets import asked, check
from extractors.files import UserError


@dataclass(frozen=True)
class Made:
    """A rule that makes files; wildcards are letters, digits and underscores."""

    name: str
    output: tuple[str, ...]

    def is_producer(self, requested_output: str) -> bool:
        return any(re.fullmatch(re.sub(r"\{\w+\}", r"\\w+", file), requested_output) for file in self.output)


RULES = [
    Made("table2", ("r/table2.csv", "r/table2.md")),
    Made("pack", ("r/features/{corpus}/{modality}.h5",)),
    Made("train", ("r/models/{corpus}/{system}/fold{fold}/seed{seed}/model.safetensors",)),
]
KNOWN = {"corpus": ["iemocap", "msp_improv"], "modality": ["text", "speech"], "system": ["cm_arr", "mmin"]}


@pytest.mark.parametrize(
    "target", ["table2", "r/table2.csv", "./r/table2.md", "r/features/any/thing.h5", "pyproject.toml"]
)
def test_what_is_made_or_there_is_accepted(target: str) -> None:
    check([target], RULES, KNOWN, "x")


@pytest.mark.parametrize(
    ("target", "nearest"),
    [
        ("r/tabel2.csv", "r/table2.csv"),
        ("tabel2", "table2"),
        ("results/table2.csv", "r/table2.csv"),
        ("r/feature/msp_improv/txt.h5", "r/features/msp_improv/text.h5"),
        (
            "r/models/iemocap/cmarr/fold4/seed7/model.safetensor",
            "r/models/iemocap/cm_arr/fold4/seed7/model.safetensors",
        ),
    ],
)
def test_the_nearest_is_suggested(target: str, nearest: str) -> None:
    with pytest.raises(UserError) as told:
        check(["table2", target], RULES, KNOWN, "mine.yaml, results in r")
    assert str(told.value).startswith(f"no rule makes {target} (mine.yaml, results in r): did you mean {nearest}")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["rejected.csv", "remarks.csv"])
def test_what_comes_with_the_manifest_is_told(name: str) -> None:
    with pytest.raises(UserError, match=rf"{name} is made together with manifest\.csv: ask for r/corpora/a/man"):
        check([f"r/corpora/a/{name}"], RULES, KNOWN, "x")


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    with pytest.raises(UserError, match=r"no rule makes xyz \(a\): README\.md lists"):
        check(["xyz"], RULES, KNOWN, "a")


def test_what_a_command_line_asks_for() -> None:
    words = ["--cores", "2", "-n", "a.csv", "b.csv", "-R", "train", "c.csv", "--until", "pack", "--configfile=x"]
    assert asked(["/bin/snakemake", *words]) == ["a.csv", "b.csv", "c.csv", "train", "pack"]
    assert asked(["/lib/snakemake/__main__.py", "a.csv", "--cores", "1"]) == ["a.csv"]
    assert asked(["/bin/snakemake", "--cores", "1"]) == []
    assert asked(["-c", "a.csv"]) == []
