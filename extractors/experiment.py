"""The sections of a configuration file that stage 1 reads by itself; the Snakefile reads and checks the whole of it."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ConfigDict, Field

from extractors.files import UserError
from extractors.settings import AnyCorpus, Encoders, Settings, parse


class Experiment(Settings):
    """Corpora, encoders and the folder of results; other sections are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    results: str = "results"
    corpora: dict[str, AnyCorpus] = Field(default_factory=dict)
    encoders: Encoders = Encoders()


def read(config: Path) -> Experiment:
    """UserError when the file is missing, is no YAML, or has a wrong key in one of these sections."""
    import yaml

    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
        text = json.dumps(dict(content))
    except OSError as error:
        raise UserError(f"{config}: {error.strerror}; name your configuration") from error
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{config}: not a configuration ({str(error).splitlines()[0]}); correct it") from error
    try:
        return parse("", text, Experiment)
    except UserError as error:
        raise UserError(f"{config}: {error}") from error
