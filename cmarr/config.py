"""The experiment as a typed object; unknown or wrong keys are named with their place and the nearest valid key."""

from __future__ import annotations

import difflib
import functools
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator

from cmarr.settings import Baseline, CmArr, Features, System
from cmarr.variants import base, overrides, variant
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


Weights = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]


class Studies(Settings):
    """What Table 3, Fig. 4 and Fig. 5 compare, on one corpus."""

    corpus: Name | None = Field(None, description="corpus of Table 3, Fig. 4 and Fig. 5; the first one if absent")
    ablations: tuple[str, ...] = Field(
        (
            "cm_arr-ablation-no_udcl",
            "cm_arr-ablation-no_udcl-x_source-R",
            "cm_arr-ablation-no_spcl",
            "cm_arr-ablation-no_attention",
            "cm_arr-ablation-no_umc_attention",
            "cm_arr-ablation-point",
        ),
        description="variants between baseline and cm_arr in Table 3, in this order",
    )
    alpha: Weights = Field((0.1, 0.5, 1.0, 2.0, 5.0), description="values of cm_arr's alpha in Fig. 4")
    lambda_rec: Weights = Field((1.0, 5.0, 10.0, 20.0, 50.0), description="values of its lambda_rec in Fig. 4")
    beta: Weights = Field((0.05, 0.1, 0.3, 0.5, 0.7, 1.0), description="values of its beta in Fig. 4")
    sweep_folds: tuple[str, ...] | None = Field(
        None, min_length=1, description="folds of Fig. 4, which has the first seed; all if absent"
    )
    tsne_fold: str | None = Field(None, description="fold of Fig. 5, which has the first seed; the last one if absent")


class Config(Settings):
    """All keys of config.yaml."""

    results: str = Field(
        "results", pattern=r"^[\w./-]*\w$", description="folder for everything that is made; no blanks in its path"
    )
    corpora: dict[Name, AnyCorpus] = Field(min_length=1, description="corpora by a name of your choice")
    encoders: Encoders = Encoders()
    denseface: DensefaceTraining = DensefaceTraining()
    features: Features = Features()
    protocol: Literal["clean", "clean_session", "paper_last", "paper_besttest", "mmin_clean", "mmin_script"] = Field(
        "clean",
        description="folds, validation set and choice of the epoch. One session is tested: a tenth of the training "
        "dialogues (`clean`) or the next session (`clean_session`) validates, or the last epoch (`paper_last`) or the "
        "best one on test data (`paper_besttest`) is taken. One speaker is tested: the other one of the session "
        "validates (`mmin_clean`), or is unused and the best epoch on test data is taken (`mmin_script`)",
    )
    seeds: tuple[int, ...] = Field((1,), min_length=1, description="one training per corpus, system, fold and seed")
    systems: Systems = Systems(cm_arr=CmArr(), baseline=Baseline())
    variants: tuple[str, ...] = Field(
        (), description="more columns of Table 2: <system>-<key>-<value>, such as cm_arr-beta-0.5"
    )
    studies: Studies = Studies()


def parse(content: Mapping[str, Any]) -> Config:
    """The typed configuration; UserError with one line per wrong key."""
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(f"configuration: {line}" for line in _lines(error))) from error
    if not config.systems.chosen():
        raise UserError("configuration: no system is chosen under `systems`; add `cm_arr: {}` or another one")
    if len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("configuration: seeds: each seed is 0 or more and comes once")
    if config.studies.corpus not in (None, *config.corpora):
        hint = _hint(str(config.studies.corpus), list(config.corpora))
        raise UserError(f"configuration: studies.corpus: no corpus is called `{config.studies.corpus}`; {hint}")
    for name in config.variants:
        settings_of(config, name, "variants")
    if config.systems.cm_arr:
        for name in config.studies.ablations:
            settings_of(config, name, "studies.ablations")
            if base(name) != "cm_arr":
                raise UserError(f"configuration: studies.ablations: {name} is no variant of cm_arr; leave it out")
    return config


def settings_of(config: Config, name: str, key: str = "systems") -> System:
    """Settings of a system or a variant of one; UserError tells what of the name is wrong, and the `key` it is from."""
    place, chosen = f"configuration: {key}: {name}: ", config.systems.chosen()
    try:
        system, changes = base(name), overrides(name)
    except ValueError as error:
        raise UserError(f"{place}{error}") from error
    if system not in chosen:
        raise UserError(f"{place}`{system}` is not configured under `systems`; {_hint(system, list(chosen))}")
    content = chosen[system].model_dump()
    for path, value in changes.items():
        *parents, last = path.split(".")
        inner = content
        for parent in parents:
            if not isinstance(inner.get(parent), dict):
                inner[parent] = {}
            inner = inner[parent]
        inner[last] = None if value == "null" else value
    try:
        return Systems.model_validate({system: content}).chosen()[system]
    except ValidationError as error:
        raise UserError(place + "; ".join(_lines(error, "systems"))) from error


def run_name(config: Config, name: str) -> str:
    """Name under which the runs of a variant lie: without the settings that are as configured, and written one way.

    UserError as in `settings_of`. The name of the system itself when nothing differs.
    """
    settings, configured = settings_of(config, name), settings_of(config, base(name))
    values = {key: (_at(settings, key), _at(configured, key)) for key in overrides(name)}
    return variant(base(name), {key: new for key, (new, old) in values.items() if new != old})


def _at(settings: System, path: str) -> Any:
    """Value of a setting, where dots reach nested ones."""
    return functools.reduce(getattr, path.split("."), settings)


def check_roots(config: Config, config_file: str) -> None:
    """UserError when the folder of a corpus is missing; the line names the folder, its key and the demo."""
    for name, corpus in config.corpora.items():
        if not Path(corpus.root).is_dir():
            raise UserError(
                f"folder {corpus.root} is missing: set corpora.{name}.root in {config_file} to your copy of the "
                f"release, delete {name} there if you have none, or run `make demo`, which needs no corpus"
            )


def _lines(error: ValidationError, *prefix: str) -> list[str]:
    """One line per problem, in which `prefix` stands before the place."""
    return [_explain({**problem, "loc": (*prefix, *problem["loc"])}) for problem in error.errors()]


def _hint(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean `{near[0]}`?" if near else f"valid keys are {', '.join(known)}"


def _explain(problem: dict[str, Any]) -> str:
    path = [part for part in problem["loc"] if part != "[key]"]
    shown = [*path[:2], *path[3:]] if path[0] == "corpora" else path  # the third part of a corpus is its type
    place = ".".join(map(str, shown))
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = f": `{problem['ctx']['tag']}` is unknown" if "tag" in problem["ctx"] else " is missing"
        return f"{place}.type{found}; valid ones are {', '.join(TYPES)}"
    if problem["type"] != "extra_forbidden":
        got = "" if isinstance(problem["input"], Mapping) else f" (got {problem['input']!r})"
        return f"{place}: {problem['msg']}{got}"
    *parents, key = shown
    known = _keys(path[:-1])
    where = f"under `{'.'.join(map(str, parents))}`" if parents else "at the top level"
    return f"unknown key `{key}` {where}: {_hint(str(key), known)}"


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
