"""The experiment as a typed object; unknown or wrong keys are named with their place and the nearest valid key."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import ConfigDict, Field, ValidationError, create_model, field_validator

from cmarr.settings import (
    AnySystem,
    Baseline,
    CifMmin,
    CmArr,
    Cra,
    Dicmor,
    Features,
    IfMmin,
    Linear,
    Majority,
    Mmin,
    Tuned,
    Tuning,
    merged,
)
from cmarr.settings.space import at, nested
from cmarr.variants import NAME, base, overrides, variant
from cmarr.wrong_keys import hint, lines
from extractors.explain import FOLDER
from extractors.files import UserError
from extractors.settings import AnyCorpus, DensefaceTraining, Encoders, Name, Settings

Protocol = Literal["clean", "clean_session", "paper_last", "paper_besttest", "mmin_clean", "mmin_script"]


class Systems(Settings):
    """Systems to train and compare, each with its settings; leave one out to skip it.

    Any other name is that of a module in cmarr/systems with settings of its own (docs/add-a-system.md).
    """

    model_config = ConfigDict(json_schema_extra={"additionalProperties": {"type": ["object", "null"]}})

    majority: Majority | None = None
    linear: Linear | None = None
    cra: Cra | None = None
    mmin: Mmin | None = None
    if_mmin: IfMmin | None = None
    cif_mmin: CifMmin | None = None
    dicmor: Dicmor | None = None
    cm_arr: CmArr | None = None
    baseline: Baseline | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _named_means_chosen(cls, value: Any) -> Any:
        """A name without settings, as in `baseline:`, stands for the defaults."""
        return {} if value is None else value

    def chosen(self) -> dict[str, AnySystem]:
        """The systems that are configured, by name, in the order of this class."""
        return {name: value for name, value in self if value is not None}


def kind_of(system: str) -> type[AnySystem]:
    """Settings class of a system; KeyError when there is no such system.

    That of a module of your own is its `SETTINGS`; only then is the module, and torch with it, imported. UserError when
    the module cannot be imported or has none.
    """
    if system in Systems.model_fields:
        kind: type[AnySystem] = get_args(Systems.model_fields[system].annotation)[0]
        return kind
    own = Path(__file__).parent / f"systems/{system}.py"
    if not re.fullmatch(NAME, system) or system == "base" or not own.is_file():
        raise KeyError(system)
    try:
        kind = import_module(f"cmarr.systems.{system}").SETTINGS
    except (ImportError, SyntaxError, AttributeError) as error:
        raise UserError(f"cmarr/systems/{system}.py: {error}; docs/add-a-system.md has a whole one") from error
    return kind


def _with_own_systems(content: Mapping[str, Any]) -> type[Config]:
    """`Config`, with a field for every configured system that is a module of your own."""
    systems = content.get("systems")
    own: dict[str, Any] = {}
    for name in systems if isinstance(systems, Mapping) else ():
        if name not in Systems.model_fields:
            with contextlib.suppress(KeyError):
                own[str(name)] = (kind_of(str(name)) | None, None)
    if not own:
        return Config
    extended = create_model("Systems", __base__=Systems, **own)
    return create_model("Config", __base__=Config, systems=(extended, ...))


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
    protocols: tuple[Protocol, ...] = Field(
        ("paper_last", "paper_besttest"),
        description="protocols that are compared with the experiment's in protocols.csv, which has the first seed",
    )
    tsne_fold: str | None = Field(None, description="fold of Fig. 5, which has the first seed; the last one if absent")


class Statistics(Settings):
    """The bootstrap that compares cm_arr with the other systems (docs/statistics.md)."""

    unit: Literal["dialogue", "speaker", "utterance"] = Field(
        "dialogue", description="what a resample draws as a whole; utterances of a dialogue are not independent"
    )
    draws: int = Field(100_000, ge=1000, description="resamples; no p-value is less than 2 / (draws + 1)")
    seed: int = Field(1, ge=0, description="of the resamples")


class Config(Settings):
    """All keys of config.yaml."""

    results: str = Field(
        "results", pattern=FOLDER, description="folder for everything that is made; no blanks in its path"
    )
    corpora: dict[Name, AnyCorpus] = Field(min_length=1, description="corpora by a name of your choice")
    encoders: Encoders = Encoders()
    denseface: DensefaceTraining = DensefaceTraining()
    features: Features = Features()
    protocol: Protocol = Field(
        "clean",
        description="folds, validation set and choice of the epoch. One session is tested: a tenth of the training "
        "dialogues (`clean`: known speakers) or the next session (`clean_session`: new ones) validates, or the last "
        "epoch (`paper_last`) or the best one on test data (`paper_besttest`) is taken. One speaker is tested: the "
        "other one of the session validates (`mmin_clean`), or is unused and the best epoch on test data is taken "
        "(`mmin_script`)",
    )
    released_targets: bool = Field(
        False, description="under `mmin_clean` and `mmin_script`, fold 8 repeats fold 7, as in MMIN's released targets"
    )
    seeds: tuple[int, ...] = Field((1,), min_length=1, description="one training per corpus, system, fold and seed")
    systems: Systems = Systems.model_validate({name: {} for name in Systems.model_fields})
    tensorboard: bool = Field(
        False,
        description="trainings also write TensorBoard's events, below `<results>/tensorboard`; needs "
        "`pip install tensorboard`, and repeats no training when it is changed",
    )
    variants: tuple[str, ...] = Field(
        (), description="more columns of Table 2: <system>-<key>-<value>, such as cm_arr-beta-0.5"
    )
    studies: Studies = Studies()
    tuning: Tuning = Tuning()
    tuned: dict[Name, dict[str, Tuned]] = Field(
        default_factory=dict,
        description="what tuning chose, by corpus and system; it stands above `systems` for that corpus",
    )
    statistics: Statistics = Statistics()


def parse(content: Mapping[str, Any]) -> Config:
    """The typed configuration; UserError with one line per wrong key."""
    kind = _with_own_systems(content)
    try:
        config = kind.model_validate(content)
    except ValidationError as error:
        raise UserError("\n".join(f"configuration: {line}" for line in lines(kind, error))) from error
    if not config.systems.chosen():
        raise UserError("configuration: no system is chosen under `systems`; add `cm_arr: {}` or another one")
    if len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise UserError("configuration: seeds: each seed is 0 or more and comes once")
    if config.studies.corpus not in (None, *config.corpora):
        near = hint(str(config.studies.corpus), list(config.corpora))
        raise UserError(f"configuration: studies.corpus: no corpus is called `{config.studies.corpus}`; {near}")
    for corpus, of_corpus in config.tuned.items():
        if corpus not in config.corpora:
            near = hint(corpus, list(config.corpora))
            raise UserError(f"configuration: tuned: no corpus is called `{corpus}`; {near}")
        for name in of_corpus:
            settings_of(config, name, corpus, key=f"tuned.{corpus}")
            if name != base(name):
                raise UserError(f"configuration: tuned.{corpus}: {name} is a variant; name the system, {base(name)}")
    for name in config.variants:
        settings_of(config, name, key="variants")
        if "protocol" in overrides(name):
            raise UserError(
                f"configuration: variants: {name} has a protocol of its own; list it under studies.protocols"
            )
    if config.systems.cm_arr:
        for name in config.studies.ablations:
            settings_of(config, name, key="studies.ablations")
            if base(name) != "cm_arr":
                raise UserError(f"configuration: studies.ablations: {name} is no variant of cm_arr; leave it out")
    return config


def settings_of(config: Config, name: str, corpus: str = "", key: str = "systems") -> AnySystem:
    """Settings of a system or a variant of one for a corpus, by its name; without one, those that hold for all.

    Those that were published for the type of corpus stand below those under `systems`, then what was tuned for the
    corpus, and the variant's on top. UserError tells what of the name is wrong, and the `key` it is from; or which
    settings need scores that the protocol does not have. A `protocol` in the name is no setting.
    """
    place, chosen = f"configuration: {key}: {name}: ", config.systems.chosen()
    try:
        system, changes = base(name), overrides(name)
    except ValueError as error:
        raise UserError(f"{place}{error}") from error
    if system not in chosen:
        raise UserError(f"{place}`{system}` is not configured under `systems`; {hint(system, list(chosen))}")
    if (protocol := changes.pop("protocol", config.protocol)) not in get_args(Protocol):
        raise UserError(f"{place}no protocol is called `{protocol}`; {hint(str(protocol), list(get_args(Protocol)))}")
    tuned = config.tuned.get(corpus, {}).get(system)
    content = merged(chosen[system].given(), tuned.settings if tuned else {})
    for path, value in changes.items():
        content = merged(content, nested({path: None if value == "null" else value}))
    try:
        settings = type(chosen[system]).model_validate(content)
        if corpus:
            settings = settings.resolved(config.corpora[corpus].type)
    except ValidationError as error:
        raise UserError(place + "; ".join(lines(type(config), error, "systems", system))) from error
    if protocol == "paper_last" and (waiting := settings.needing_scores()):
        raise UserError(
            f"{place}under the protocol `paper_last` no epoch has a score, which {' and '.join(waiting)} would need; "
            "leave that out, or the protocol"
        )
    return settings


def run_name(config: Config, name: str, key: str = "systems") -> str:
    """Name under which the runs of a variant lie: without the settings that are as configured, and written one way.

    UserError as in `settings_of`. The name of the system itself when nothing differs on any corpus.
    """
    pairs = [
        (settings_of(config, name, corpus, key), settings_of(config, base(name), corpus)) for corpus in config.corpora
    ]
    changes: dict[str, object] = {}
    for setting, text in overrides(name).items():
        if setting == "protocol":
            values: list[tuple[object, object]] = [(text, config.protocol)]
        else:
            values = [(at(settings, setting), at(configured, setting)) for settings, configured in pairs]
        if any(new != old for new, old in values):
            changes[setting] = values[0][0]
    return variant(base(name), changes)


def check_roots(config: Config, config_file: str) -> None:
    """UserError when the folder of a corpus is missing; the line names the folder, its key and the demo."""
    for name, corpus in config.corpora.items():
        if not Path(corpus.root).is_dir():
            raise UserError(
                f"folder {corpus.root} is missing: set corpora.{name}.root in {config_file} to your copy of the "
                f"release, delete {name} there if you have none, or run `make demo`, which needs no corpus"
            )
