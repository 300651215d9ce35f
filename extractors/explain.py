"""What is wrong with a value of the configuration, in a sentence with an example instead of pydantic's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

NAME = r"^[a-z][a-z0-9_]*$"
LABEL = r"[^\W_][\w .+/'-]{0,39}"
SHA256 = "^[0-9a-f]{64}$"
FOLDER = r"^[\w./-]*\w$"
_PATTERNS = {
    NAME: "a name has small letters, digits and underscores and begins with a letter, such as `iemocap_2`",
    f"^{LABEL}$": "a class begins with a letter or digit and has 40 characters at most, such as `angry`",
    SHA256: "a SHA-256 has 64 digits, 0 to 9 and a to f, as `sha256sum` prints them",
    FOLDER: "a folder has letters, digits and . / - _ but no blanks, such as `results/first`",
}
_CORPUS = "`iemocap: {type: iemocap, root: /data/IEMOCAP_full_release}`"
_WORDS = {True: "yes, on and true", False: "no, off and false"}


def problems(error: ValidationError) -> list[Mapping[str, Any]]:
    """What is wrong, without a list being too short because of what is wrong in it."""
    found = error.errors()
    within = {problem["loc"][:-1] for problem in found}
    return [problem for problem in found if problem["type"] != "too_short" or problem["loc"] not in within]


def sentence(problem: Mapping[str, Any]) -> str:
    """One of `problems` as a sentence without its place; rare kinds stay as they are."""
    kind, context, got = problem["type"], problem.get("ctx", {}), problem.get("input")
    place = [part for part in problem["loc"] if part != "[key]"]
    if kind == "missing":
        example = f"; give one or more, such as {_CORPUS}" if place == ["corpora"] else ""
        return f"is missing{example}"
    if kind == "extra_forbidden":
        return "unknown key"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        valid = context.get("expected_tags") or "iemocap, msp_improv, table"
        found = f"{context['tag']!r} is no type" if "tag" in context else "the type is missing"
        return f"{found}; valid ones are {valid}"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        example = _CORPUS if place == ["corpora"] else "`type: table`" if place[0] == "corpora" else "`key: value`"
        return f"needs keys with values below it, such as {example}"
    if kind == "too_short":
        if place == ["corpora"]:
            return f"none is given; give one or more, such as {_CORPUS}"
        least = context["min_length"]
        return f"needs at least {least} item{'s' * (least > 1)}, has {context['actual_length']}"
    if kind in ("tuple_type", "list_type"):
        return f"write a list, such as [{got if isinstance(got, str | int | float) else 1}]"
    if kind == "string_type":
        return _no_text(got)
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(context["pattern"], str(problem["msg"]))
    if kind == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    return str(problem["msg"])


def _no_text(got: Any) -> str:
    if isinstance(got, bool):
        word = "yes" if got else "no"
        return f'YAML reads {_WORDS[got]} as {str(got).lower()}; put the word in quotation marks, such as "{word}"'
    if got is None:
        return "is empty; write a word"
    if isinstance(got, list | tuple | Mapping):
        return "write one word instead of a list or keys"
    return f'write it in quotation marks, "{got}"'


def leading_zeros(unknown: Iterable[str], known: Iterable[str]) -> str:
    """A hint when names may be unknown because YAML reads 01 as 1, and 010 as 8; else an empty string."""
    meant = [name for name in known if name[:1] == "0" and {name.lstrip("0"), _octal(name)} & set(unknown)]
    return f'; put those with a leading zero in quotation marks, such as "{meant[0]}"' if meant else ""


def _octal(name: str) -> str:
    try:
        return str(int(name, 8))
    except ValueError:
        return name
