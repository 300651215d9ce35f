"""Every command line that the README, the pages of docs and comments tell the reader to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMENTED = [
    ROOT / "Snakefile", ROOT / "Makefile", ROOT / "config.yaml", *sorted((ROOT / "workflow").glob("*.yaml")),
    *sorted((ROOT / "profiles").glob("*/*.yaml")), *sorted((ROOT / "workflow/rules").glob("*.smk")),
]  # fmt: skip
PROGRAM = re.compile(r"(python|snakemake|make) ")


@dataclass(frozen=True)
class Command:
    place: str
    """file and line"""
    words: tuple[str, ...]
    mention: bool = False
    """named in a sentence without its arguments, which are left out or end in dots"""


def collected() -> list[Command]:
    """All commands, the same words once."""
    found = [command for path in PAGES for command in _of_page(path)]
    found += [command for path in COMMENTED for command in _of_comments(path)]
    return list({command.words: command for command in found}.values())


def split(place: str, line: str, sentence: bool = False) -> Iterator[Command]:
    """The commands of one line of a shell, without those of the shell itself."""
    for part in re.split(r"&&|;", line):
        words = tuple(shlex.split(part, comments=True))
        if words and PROGRAM.match(f"{words[0]} "):
            verb = words[0] == "python" and words[-1] in (*DOTS, "<verb>")
            bare = words[:2] == ("python", "-m") and words[2] in ("cmarr", "extractors") and len(words) <= 4
            yield Command(place, words, mention=verb or (sentence and bare))


DOTS = ("...", "..")


def text_of(path: Path) -> str:
    """A file, each command that goes on in the next line in one."""
    return re.sub(r"\\\n\s*|(?<=[^`]`python)\n", " ", path.read_text(encoding="utf-8"))


def _of_page(path: Path) -> Iterator[Command]:
    fence = ""
    for number, line in enumerate(text_of(path).splitlines(), 1):
        if mark := re.match(r"```(\w*)", line):
            fence = "" if fence else (mark[1] or "sh")
        elif fence == "sh":
            yield from split(f"{path.name}:{number}", line)
        else:
            yield from _spans(f"{path.name}:{number}", line)


def _of_comments(path: Path) -> Iterator[Command]:
    for number, line in enumerate(text_of(path).splitlines(), 1):
        place, comment = f"{path.relative_to(ROOT)}:{number}", line.partition("#")[2].strip()
        if PROGRAM.match(comment) and "`" not in comment:
            yield from split(place, comment)
        else:
            yield from _spans(place, comment)


def _spans(place: str, text: str) -> Iterator[Command]:
    for span in re.findall(r"`(?:time )?([^`]+)`", text):
        if PROGRAM.match(span):
            yield from split(place, span, sentence=True)
