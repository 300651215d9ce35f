import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["extractors", "cmarr"])
def test_help_lists_every_verb(package: str) -> None:
    verbs = {"extractors": ("manifest", "text", "pack"), "cmarr": ("train", "predict", "table2")}
    shown = call(package, "--help")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in verbs[package])


def test_every_verb_has_help() -> None:
    from cmarr.__main__ import VERBS as SECOND
    from extractors.__main__ import VERBS as FIRST

    for package, verbs in (("extractors", FIRST), ("cmarr", SECOND)):
        for verb in verbs:
            shown = call(package, verb, "--help")
            assert shown.returncode == 0, shown.stderr
            assert "usage:" in shown.stdout


def test_a_user_error_is_one_line_without_a_trace() -> None:
    words = "folds --corpus x --manifest none.csv --classes a b --protocol clean --out o.json"
    job = call("cmarr", *words.split())
    assert job.returncode == 1
    command, message = job.stderr.splitlines()
    assert command.endswith(f"python -m cmarr {words}")
    assert message == "error: none.csv: No such file or directory; run the rule that makes it"


def test_a_wrong_verb_is_a_usage_error() -> None:
    job = call("cmarr", "trian")
    assert job.returncode == 2
    assert "invalid choice" in job.stderr
