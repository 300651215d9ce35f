"""The experiment as a typed object; unknown or wrong keys are named with their place and the nearest valid key."""

from __future__ import annotations

import difflib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator

from cmarr.settings import Baseline, CmArr, Features, System
from extractors.files import UserError
from extractors.settings import TYPES, AnyCorpus, DensefaceTraining, Encoders, Name, Settings


class Systems(Settings):
    """Systems to train and compare, each with its settings; leave one out to skip it."""

    cm_arr: CmArr | None = None
    baseline: Baseline | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _named_means_chosen(cls, value: Any) -> Any:
        """A name without settings, as in `baseline:`, stands for the defaults."""
        return {} if value is None else value

    def chosen(self) -> dict[str, System]:
        """The systems that are configured, by name, in the order of this class."""
        return {name: value for name, value in self if value is not None}


class Config(Settings):
    """All keys of config.yaml."""

    results: str = Field(
        "results", pattern=r"^[\w./-]*\w$", description="folder for everything that is made; no blanks in its path"
    )
    corpora: dict[Name, AnyCorpus] = Field(min_length=1, description="corpora by a name of your choice")
    encoders: Encoders = Encoders()
    denseface: DensefaceTraining = DensefaceTraining()
    features: Features = Features()
    protocol: Literal["clean"] = Field("clean", description="folds, validation set and choice of the epoch")
    seeds: tuple[int, ...] = Field((1,), min_length=1, description="one training per corpus, system, fold and seed")
    systems: Systems = Systems(cm_arr=CmArr(), baseline=Baseline())


def parse(content: Mapping[str, Any]) -> Config:
    """The typed configuration; UserError with one line per wrong key."""
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(_explain(dict(problem)) for problem in error.errors())) from error
    if not config.systems.chosen():
        raise UserError("configuration: no system is chosen under `systems`; add `cm_arr: {}` or another one")
    if len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("configuration: seeds: each seed is 0 or more and comes once")
    return config


def check_roots(config: Config, config_file: str) -> None:
    """UserError when the folder of a corpus is missing; the line names the folder, its key and the demo."""
    for name, corpus in config.corpora.items():
        if not Path(corpus.root).is_dir():
            raise UserError(
                f"folder {corpus.root} is missing: set corpora.{name}.root in {config_file} to your copy of the "
                f"release, delete {name} there if you have none, or run `make demo`, which needs no corpus"
            )


def _explain(problem: dict[str, Any]) -> str:
    path = [part for part in problem["loc"] if part != "[key]"]
    shown = [*path[:2], *path[3:]] if path[0] == "corpora" else path  # the third part of a corpus is its type
    place = ".".join(map(str, shown))
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = f": `{problem['ctx']['tag']}` is unknown" if "tag" in problem["ctx"] else " is missing"
        return f"configuration: {place}.type{found}; valid ones are {', '.join(TYPES)}"
    if problem["type"] != "extra_forbidden":
        return f"configuration: {place}: {problem['msg']} (got {problem['input']!r})"
    *parents, key = shown
    known = _keys(path[:-1])
    where = f"under `{'.'.join(map(str, parents))}`" if parents else "at the top level"
    near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"valid keys are {', '.join(known)}"
    return f"configuration: unknown key `{key}` {where}: {hint}"


def _keys(path: list[str | int]) -> list[str]:
    """Valid keys of the object at `path`, in which the name of a corpus is followed by its type."""
    current: Any = Config
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
