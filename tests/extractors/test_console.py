import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from extractors.console import counter, run

ROOT = Path(__file__).resolve().parents[2]


def call(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("package", ["extractors", "cmarr"])
def test_help_lists_every_verb(package: str) -> None:
    verbs = {"extractors": ("manifest", "text", "pack"), "cmarr": ("train", "predict", "table2")}
    shown = call(package, "--help")
    assert shown.returncode == 0
    assert all(verb in shown.stdout for verb in verbs[package])


@pytest.mark.parametrize("package", ["extractors", "cmarr"])
def test_every_verb_has_help(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    verbs = import_module(f"{package}.__main__").VERBS
    for verb in verbs:
        with pytest.raises(SystemExit, match="0"):
            run(package, verbs, [verb, "--help"])
        assert f"usage: python -m {package} {verb}" in capsys.readouterr().out


def test_a_counter_knows_what_was_there_before(capsys: pytest.CaptureFixture[str]) -> None:
    with counter("text", "utterance", total=8, done=6) as count:
        count.update()
        count.update()
    assert "text: 100%" in (shown := capsys.readouterr().err)
    assert "6/8" in shown
    assert "8/8" in shown


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
