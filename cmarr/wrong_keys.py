"""Wrong keys and values of a configuration in words: one line each, with the place and the nearest valid key."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from extractors.explain import problems, sentence
from extractors.settings import TYPES


def lines(root: type[BaseModel], error: ValidationError, *prefix: str) -> list[str]:
    """One line per problem, in which `prefix` stands before the place below `root`."""
    return [_explain(root, {**problem, "loc": (*prefix, *problem["loc"])}) for problem in problems(error)]


def hint(word: str, known: list[str]) -> str:
    if not known:
        return "there are none here; leave it out"
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else f"valid keys are {', '.join(known)}"


def _explain(root: type[BaseModel], problem: dict[str, Any]) -> str:
    path = [part for part in problem["loc"] if part != "[key]"]
    shown = [*path[:2], *path[3:]] if path[0] == "corpora" else path  # the third part of a corpus is its type
    place = ".".join(map(str, shown))
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = f": `{problem['ctx']['tag']}` is unknown" if "tag" in problem["ctx"] else " is missing"
        return f"{place}.type{found}; valid ones are {', '.join(TYPES)}"
    if problem["type"] != "extra_forbidden":
        got = "" if isinstance(problem["input"], Mapping) else f" (got {problem['input']!r})"
        return f"{place}: {sentence(problem)}{got}"
    *parents, key = shown
    known = _keys(root, path[:-1])
    where = f"under `{'.'.join(map(str, parents))}`" if parents else "at the top level"
    return f"unknown key `{key}` {where}: {hint(str(key), known)}"


def _keys(root: type[BaseModel], path: list[str | int]) -> list[str]:
    """Valid keys of the object at `path` below `root`, in which the name of a corpus is followed by its type."""
    current: Any = root
    for part in path:
        if get_origin(current) is Annotated:
            current = TYPES[str(part)]
        else:
            current = current.model_fields[str(part)].annotation if _is_model(current) else get_args(current)[1]
        if get_origin(current) in (Union, types.UnionType):
            current = next(option for option in get_args(current) if option is not type(None))
    return list(current.model_fields)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
