"""What every rule and profile has to have."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    match[1]: match[2]
    for path in sorted((ROOT / "workflow/rules").glob("*.smk"))
    for match in re.finditer(r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.MULTILINE)
}


def test_rules_were_found() -> None:
    assert {"manifest", "extract", "pack", "folds", "train", "predict", "scores", "table1", "fig5"} <= set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_a_sentence(name: str) -> None:
    order = re.findall(r"^    (\w+):", RULES[name], re.MULTILINE)
    wanted = ["message", "input", "output", "params", "log", "benchmark", "threads", "resources", "conda", "shell"]
    assert order == [part for part in wanted if part in order]
    assert set(wanted) - set(order) <= {"threads"}
    assert "code=" in RULES[name]
    command = RULES[name].split("shell:")[1]
    assert len(re.findall(r"python -m (?:cmarr|extractors) ", command)) == 1
    assert re.search(r"> \{log\} 2>&1", command)


def test_the_snakefile_is_a_table_of_contents() -> None:
    text = (ROOT / "Snakefile").read_text()
    assert len(text.splitlines()) <= 40
    assert "rule all:" in text
    assert not re.search(r"^\s*(def |run:)", text, re.MULTILINE)


def test_the_default_profile_lets_one_job_use_the_gpu() -> None:
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    assert "gpu=1" in profile["resources"]
    for name in ("denseface", "denseface_evaluate", "extract", "train", "tune", "predict", "represent"):
        assert "gpu=plan.gpus" in RULES[name]


def test_the_conda_environment_changes_with_the_lock() -> None:
    lock = hashlib.sha256((ROOT / "envs/requirements.lock").read_bytes()).hexdigest()
    assert f"requirements.lock sha256 {lock}" in (ROOT / "envs/cmarr.yaml").read_text(), "run `make lock`"
