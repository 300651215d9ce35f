"""Breaks one line of the project at a time, in a copy, and shows which test notices.

python benchmarks/mutations.py            # all of mutations.toml
python benchmarks/mutations.py cra eq.    # those with one of these words in their name or module

Exit code 1 when a fault goes unnoticed, a line is gone from the code, or a test that notices fails without the fault.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(ROOT := Path(__file__).resolve().parents[1]))
LIST = Path(__file__).with_suffix(".toml")
LOADED_ONCE = [
    "torch", "pytest", "hypothesis", "scipy.stats", "sklearn.metrics", "h5py", "pydantic", "safetensors.torch",
]  # fmt: skip
"""packages that no test process has to import again"""


@dataclass(frozen=True)
class Mutation:
    module: str
    """below cmarr"""
    name: str
    old: str
    new: str
    times: int = 1
    """how often `old` stands there; all of them are replaced"""
    tests: tuple[str, ...] = ()
    """files below tests/cmarr that have to notice; the mirror of the module if empty"""

    def __str__(self) -> str:
        return f"{self.module}: {self.name}"

    @property
    def source(self) -> Path:
        return Path(f"cmarr/{self.module}.py")

    @property
    def files(self) -> list[Path]:
        mirror = Path(self.module)
        return [Path("tests/cmarr") / test for test in self.tests or [mirror.with_name(f"test_{mirror.name}.py")]]

    def broken(self, text: str) -> str:
        """The source with the fault; ValueError unless the line is there as often as is meant."""
        if (count := text.count(self.old)) != self.times:
            raise ValueError(f"`{self.old}` is there {count} times in {self.source}, not {self.times}")
        return text.replace(self.old, self.new)


def mutations() -> list[Mutation]:
    """All of the list, in its order."""
    modules = tomllib.loads(LIST.read_text())
    return [
        Mutation(module, **entry | {"tests": tuple(entry.get("tests", ()))})
        for module, entries in modules.items() for entry in entries
    ]  # fmt: skip


def run_pytest(copy: Path, words: list[str]) -> None:
    """Leave the process with pytest's exit code; what it prints goes to `copy`/log."""
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    os.environ["PYTHONPATH"] = str(copy)
    sys.dont_write_bytecode = True  # two versions of a module within a second look alike to Python
    with Path("log").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    sys.exit(import_module("pytest").main(words))


def failed(copy: Path, tests: Iterable[Path | str], stop: bool = True) -> list[str]:
    """Tests that fail in the copy, the first alone if `stop`; RuntimeError when they cannot run."""
    words = ["-p", "no:cacheprovider", *["-x"] * stop, *map(str, tests)]
    log = copy / "log"
    log.write_text("")
    job = get_context("forkserver").Process(target=run_pytest, args=(copy, words))
    job.start()
    job.join()
    *_, last = lines = ["", *log.read_text().splitlines()]
    found = [line.split(" ", 1)[1].split(" - ")[0] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    if job.exitcode != bool(found):
        raise RuntimeError(f"pytest ended with code {job.exitcode}: {last}")
    return found


def noticed(copy: Path, mutation: Mutation) -> str:
    """The first test that fails; RuntimeError when none does or none can run."""
    source = copy / mutation.source
    text = source.read_text()
    source.write_text(mutation.broken(text))
    try:
        found = failed(copy, mutation.files)
    finally:
        source.write_text(text)
    if not found:
        raise RuntimeError("NOT NOTICED")
    return found[0]


def copied(folder: str) -> Path:
    """A copy of the code and its tests."""
    for name in ("cmarr", "extractors", "benchmarks", "tests"):
        shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return Path(folder)


def main() -> None:
    from extractors.console import counter  # not above: test processes have that of the copy

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only mutations with one of these words in their name or module")
    parser.add_argument("--list", action="store_true", help="print modules and names, break nothing")
    args = parser.parse_args()
    chosen = [one for one in mutations() if any(word in str(one) for word in args.words or [""])]
    if not chosen:
        parser.error("no mutation has one of these words")
    if args.list:
        print(*chosen, sep="\n")
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    get_context("forkserver").set_forkserver_preload(LOADED_ONCE)
    begin, failures, tests = time.monotonic(), [], {}
    with TemporaryDirectory() as folder:
        copy = copied(folder)
        with counter("mutations", "mutation", len(chosen)) as bar:
            for mutation in chosen:
                try:
                    said = tests[mutation] = noticed(copy, mutation)
                except (ValueError, RuntimeError, OSError) as error:
                    said = str(error)
                    failures.append(f"{mutation}: {said}")
                bar.write(f"{mutation!s:70} {said.removeprefix('tests/cmarr/')}", file=sys.stdout)
                sys.stdout.flush()
                bar.update()
        whole = failed(copy, dict.fromkeys(tests.values()), stop=False) if tests else []
    fail_anyway = {mutation: test for mutation, test in tests.items() if test in whole}
    failures += [f"{mutation}: {test} fails without the fault, too" for mutation, test in fail_anyway.items()]
    minutes = (time.monotonic() - begin) / 60
    count = len(chosen) - len(failures)
    print(f"{len(chosen)} lines, {count} broken and noticed; {minutes:.1f} minutes", *failures, sep="\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
