"""Targets of the command line that no rule makes: one line with the nearest ones, before anything is planned."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

from extractors.files import UserError

FROM_TARGET = {"fold": "1", "session": "1", "seed": "1"}
"""wildcards that take what a mistyped target has for them, else this"""


class Rule(Protocol):
    """What is asked of a rule of Snakemake."""

    @property
    def name(self) -> str: ...

    @property
    def output(self) -> Iterable[object]: ...

    def is_producer(self, requested_output: str) -> bool: ...


def asked(command: Sequence[str]) -> list[str]:
    """Targets of a command line of Snakemake, and what it is told to run again, until or without; else nothing."""
    program = Path(command[0])
    if "snakemake" not in (program.name, program.parent.name):
        return []
    from snakemake.cli import get_argument_parser

    args, _ = get_argument_parser().parse_known_args(command[1:])
    return [*args.targets, *sorted(args.forcerun or ()), *sorted(args.until or ()), *sorted(args.omit_from or ())]


def check(targets: Iterable[str], rules: Sequence[Rule], known: Mapping[str, Sequence[str]], about: str) -> None:
    """UserError for the first target that is neither a rule, nor made by one, nor there.

    `known` are the values of wildcards, `about` tells which configuration the rules are of.
    """
    names = [rule.name for rule in rules]
    for target in targets:
        if target in names or Path(target).exists() or any(rule.is_producer(str(Path(target))) for rule in rules):
            continue
        if Path(target).name in ("rejected.csv", "remarks.csv"):
            raise UserError(f"{target} is made together with manifest.csv: ask for {Path(target).parent}/manifest.csv")
        near = difflib.get_close_matches(target, [*names, *_files(rules, known, target)], 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "README.md lists the files that can be asked for"
        raise UserError(f"no rule makes {target} ({about}): {hint}")


def _files(rules: Iterable[Rule], known: Mapping[str, Sequence[str]], target: str) -> list[str]:
    """Every file that the rules make, for one fold, session and seed."""
    found = {}
    for key, usual in FROM_TARGET.items():
        told = re.search(rf"{key}([A-Za-z0-9_]+)", target)
        found[key] = [told[1] if told else usual]
    values = {**known, **found}
    files = []
    for pattern in (str(file) for rule in rules for file in rule.output):
        parts = re.split(r"\{(\w+)(?:,[^}]*)?\}", pattern)
        choices = [values.get(part, [part]) if place % 2 else [part] for place, part in enumerate(parts)]
        files += ["".join(choice) for choice in product(*choices)]
    return files
