"""Settings of tuning, and what it chose."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from extractors.settings import Settings

PROTOCOLS = ("clean", "clean_session", "mmin_clean")
"""protocols with validation utterances, which tuning needs"""
ONE_FOLD = ("clean_session", "mmin_clean")
"""those whose folds together validate on every test utterance: tuning may see a single fold"""


class Tuning(Settings):
    """What `tune` does; the same for every system (docs/tuning.md)."""

    trials: int = Field(20, ge=1, description="settings tried per system and corpus, the configured ones first")
    steps: int = Field(2000, ge=1, description="steps of the optimiser per trial, all stages of a training together")
    batch_size: int | None = Field(
        None,
        ge=2,
        description="of every stage of every system, while tuning and in what it chooses: equal steps are equal "
        "utterances then; null: as configured, with equal steps alone",
    )
    folds: tuple[str, ...] | None = Field(
        None, min_length=1, description="folds whose validation utterances are scored; all if absent"
    )
    seed: int = Field(1, ge=0, description="of the settings that are tried, and of their trainings")


class Tuned(Settings):
    """What tuning chose for a system on a corpus."""

    trials: int = Field(ge=1, description="settings that were tried")
    steps: int = Field(ge=1, description="steps of the optimiser per trial")
    folds: tuple[str, ...] = Field((), description="folds whose validation utterances were scored; empty: not known")
    settings: dict[str, Any] = Field(description="those of the best trial, nested as under `systems`")
