import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from extractors.console import counter, progress, run
from extractors.errors import UserError

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


PERMISSION = PermissionError(13, "Permission denied", "results/table1.csv")
FULL = RuntimeError("Can't decrement id ref count (errno = 28, error message = 'No space left on device')")


@pytest.mark.parametrize("package", ["extractors", "cmarr"])
@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (PERMISSION, 1, "results/table1.csv: Permission denied; let this user read and write there, and run again"),
        (FULL, 1, "No space left on device; make space there, or write to another disk, and run again"),
        (KeyboardInterrupt(), 130, "interrupted; run it again to go on"),
        (UserError("one\ntwo"), 1, "one\nerror: two"),
    ],
)
def test_errors_of_the_system_and_interruptions_are_one_line(
    package: str,
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = {"extractors": "extractors.fsck", "cmarr": "cmarr.recall"}[package]
    words = {"extractors": ["fsck", "a.h5"], "cmarr": ["recall", "--confusions", "a", "--out", "b"]}[package]

    def fail(_: object) -> None:
        for _ in progress(range(3), "bar", "step"):
            raise error

    monkeypatch.setattr(import_module(module), "main", fail)
    assert run(package, import_module(f"{package}.__main__").VERBS, words) == code
    last = capsys.readouterr().err.splitlines()
    assert "\n".join(last[-1 - line.count("\n") :]) == f"error: {line}"


def test_an_error_of_the_code_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(import_module("extractors.fsck"), "main", fail)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        run("extractors", import_module("extractors.__main__").VERBS, ["fsck", "a.h5"])


def test_nothing_is_said_when_nobody_reads_on(small: Any) -> None:
    small.add("a", text="words")
    store = small.run(import_module("extractors.text"), "text.h5", "--settings", '{"model": "hashing"}')
    command = f"{sys.executable} -m extractors fsck {' '.join([str(store)] * 500)} | head -1"
    job = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert job.stdout.count("\n") == 1
    assert "Traceback" not in job.stderr
    assert "Exception ignored" not in job.stderr


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5", ""])
@pytest.mark.parametrize("words", [["extractors", "text"], ["extractors", "denseface", "train"], ["cmarr", "train"]])
def test_threads_are_counted_from_one(words: list[str], threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(words[0], import_module(f"{words[0]}.__main__").VERBS, [*words[1:], f"--threads={threads}"])
    assert capsys.readouterr().err.endswith(f"--threads: {threads} is no number of threads; give 1 or more\n")


def test_a_wrong_verb_is_a_usage_error() -> None:
    job = call("cmarr", "trian")
    assert job.returncode == 2
    assert "invalid choice" in job.stderr
