"""Every documented command line is one that its program understands; Snakemake plans it, nothing is run."""

from __future__ import annotations

import argparse
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from extractors.console import run
from tests.workflow.commands import COMMENTED, DOTS, PAGES, ROOT, Command, collected, split, text_of
from tests.workflow.project import Project, copy_project, small_config

COMMANDS = collected()
EXPERIMENTS = ("mine.yaml", "rehearsals.yaml", "acted.yaml", "results/tuned.yaml")
"""configurations that the reader or tuning writes; here a small one stands for each"""
CORPORA = {"corpora/rehearsals/": "corpora/iemocap/", "corpora/acted/": "corpora/iemocap/"}
"""files of the corpora in them"""
LEFT_OUT = {"benchmarks/extraction.py": ("--out", "DIR", "--manifest", "..", "--root", "..")}
"""arguments that docs/performance.md says it leaves out"""
UNLOCKED = {"benchmarks/fuzz.py": "atheris"}
"""scripts whose package is not in the lock (docs/dependencies.md)"""


def of(*programs: str) -> list[object]:
    found = [command for command in COMMANDS if " ".join(command.words).startswith(programs)]
    return [pytest.param(command, id=" ".join(command.words)) for command in found]


def test_the_collection_overlooks_nothing() -> None:
    """Each line with an option of a program, or a verb of ours, gave a command."""
    kinds = {command.words[0] for command in COMMANDS}
    assert kinds == {"python", "snakemake", "make"}
    places = {command.place for path in (*PAGES, *COMMENTED) for command in everything(path)}
    for path in (*PAGES, *COMMENTED):
        name = path.name if path in PAGES else str(path.relative_to(ROOT))
        for number, line in enumerate(text_of(path).splitlines(), 1):
            text = line if path in PAGES else line.partition("#")[2]
            if re.search(r"snakemake (-|results/)|python -m (cmarr|extractors) ", text):
                assert f"{name}:{number}" in places, line


def everything(path: Path) -> Iterator[Command]:
    from tests.workflow import commands

    yield from (commands._of_page if path in PAGES else commands._of_comments)(path)


class ParsedError(Exception):
    pass


@pytest.fixture
def only_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs end as soon as they have read their command line."""
    parse = argparse.ArgumentParser.parse_args

    def once(self: argparse.ArgumentParser, *words: object, **more: object) -> None:
        parse(self, *words, **more)  # type: ignore[arg-type]
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", once)


@pytest.mark.parametrize("command", of("python -m cmarr ", "python -m extractors "))
def test_verbs_of_ours(command: Command, only_parse: None) -> None:
    package, words = command.words[2], [word for word in command.words[3:] if word not in DOTS]
    verbs = import_module(f"{package}.__main__").VERBS
    if not command.mention:
        with pytest.raises(ParsedError):
            run(package, verbs, words)
    elif words != ["<verb>"]:
        assert words[0] in verbs, command.place
        assert not words[2:], f"{command.place}: more than a verb before the dots"


@pytest.mark.parametrize("command", of("python benchmarks/"))
def test_benchmarks(command: Command, only_parse: None, monkeypatch: pytest.MonkeyPatch) -> None:
    script = command.words[1]
    if script in UNLOCKED:
        pytest.importorskip(UNLOCKED[script])
    monkeypatch.setattr(sys, "argv", [*command.words[1:], *LEFT_OUT.get(script, ())])
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    with pytest.raises(ParsedError):
        runpy.run_path(str(ROOT / script), run_name="__main__")


def test_other_programs_of_python() -> None:
    """pytest: its paths are there; compileall: a folder of the environment."""
    for command in COMMANDS:
        text = " ".join(command.words)
        if command.words[0] == "python" and not re.match(r"python (-m (cmarr|extractors) |benchmarks/)", text):
            assert command.words[1:3] in (("-m", "pytest"), ("-m", "compileall")), command
            for word in command.words[3:]:
                assert not word.startswith("tests/") or (ROOT / word).exists(), command


@pytest.mark.parametrize("command", of("make "))
def test_make(command: Command) -> None:
    """Dry as well, and what it would run is understood in turn."""
    job = subprocess.run(["make", "-n", *command.words[1:]], cwd=ROOT, capture_output=True, text=True)
    assert job.returncode == 0, f"{command.place}: {job.stderr}"
    for inner in (inner for line in job.stdout.splitlines() for inner in split("Makefile", line.replace("\\", ""))):
        assert inner.words[0] != "snakemake" or planned_words(inner.words) in PLANNED, inner


@pytest.fixture(scope="module")
def project(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project as it is, the synthetic corpora in place of the releases, and local encoders for those of the hub."""
    project = copy_project(tmp_path_factory.mktemp("documented") / "project")
    folder = project.folder
    (folder / "data/ferplus").mkdir(parents=True)
    for name in ("fer2013.csv", "fer2013new.csv"):
        (folder / "data/ferplus" / name).touch()
    (folder / "data/IEMOCAP_full_release").symlink_to(raw / "iemocap")
    (folder / "data/MSP-IMPROV").symlink_to(raw / "msp_improv")
    (folder / "results/demo").mkdir(parents=True)
    (folder / "results/demo/raw").symlink_to(raw)
    local = {"text": {"model": str(raw / "bert")}, "speech": {"model": str(raw / "wav2vec2")}}
    few = {"cm_arr": {"size": "tiny"}, "baseline": {"size": "tiny"}}
    for name in ("config.yaml", "workflow/mmin_features.yaml"):
        content = yaml.safe_load((folder / name).read_text())
        (folder / name).write_text(
            yaml.safe_dump(content | {"encoders": content["encoders"] | local, "systems": few, "seeds": [1]})
        )
    for name in EXPERIMENTS:
        (folder / name).write_text(yaml.safe_dump(small_config(raw, ("baseline",))))
    return project


def planned_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words for Snakemake, `--cores` aside."""
    line = " ".join(words[1:])
    for before, after in CORPORA.items():
        line = line.replace(before, after)
    return tuple(re.sub(r"--cores \d+", "", line).split())


MADE = (("--configfile", "workflow/demo.yaml"), ("--configfile", "workflow/demo.yaml", "--unlock"))
"""what the Makefile runs"""
PLANNED = {planned_words(command.words) for command in COMMANDS if command.words[0] == "snakemake"} | set(MADE)


def together() -> list[tuple[str, ...]]:
    """What is planned: commands of targets alone in one go for each configuration, all others one by one."""
    targets: dict[tuple[str, ...], set[str]] = {}
    alone = set()
    for words in PLANNED:
        place = words.index("--configfile") if "--configfile" in words else len(words)
        files, config = words[:place], words[place:]
        if len(config) in (0, 2) and not any(word.startswith("-") for word in files):
            targets.setdefault(config, set()).update(files or ("all",))
        else:
            alone.add(words)
    return sorted(alone | {(*sorted(files), *config) for config, files in targets.items()})


@pytest.mark.parametrize("command", of("snakemake "))
def test_snakemake_would_start(command: Command) -> None:
    """It wants a number of cores, unless it only unlocks or a profile has one."""
    assert {"--cores", "--unlock", "--workflow-profile"} & set(command.words), f"{command.place}: no --cores"


@pytest.mark.parametrize("words", together(), ids=" ".join)
def test_snakemake_plans_it(project: Project, words: tuple[str, ...]) -> None:
    dry = () if "--unlock" in words else ("--dry-run", "--quiet", "all")
    job = project.snakemake(*words, *dry, configfile=None)
    assert job.returncode == 0, job.stdout
