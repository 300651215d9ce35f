"""Typed settings that all systems share: features as a system reads them, training, published values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from extractors.settings import Settings


class Features(Settings):
    """How stored sequences reach a system."""

    max_tokens: int = Field(64, ge=1, description="text is cut after so many word pieces")
    max_speech_frames: int = Field(499, ge=1, description="speech is cut here; 499 frames of wav2vec2 are 10 s")
    max_video_frames: int = Field(50, ge=1, description="video is cut after so many frames with a face")
    standardize: tuple[Literal["text", "speech", "video"], ...] = Field(
        ("text", "speech", "video"),
        description="modalities with zero mean and unit deviation per dimension over the fold's training frames; "
        "the MMIN family standardises speech alone",
    )


class Training(Settings):
    """Optimiser and schedule of one stage of a training (docs/cm-arr.md, point 26)."""

    epochs: int = Field(100, ge=1, description="passes over the training set")
    batch_size: int = Field(16, ge=2, description="utterances per step")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="variant of Adam")
    learning_rate: float = Field(1e-4, gt=0, description="highest rate")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    schedule: Literal["linear_decay", "constant", "late_decay"] = Field(
        "linear_decay",
        description="of the learning rate; `late_decay`: constant, then linear over the last epochs, epoch by epoch, "
        "without warm-up",
    )
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of all steps with a rising rate; then linear decay to 0")
    decay_share: float = Field(0.5, ge=0, le=1, description="share of the epochs in which `late_decay` falls")
    weight_decay: float = Field(
        0.01,
        ge=0,
        description="decoupled, of AdamW, for matrices and kernels alone, not norms, biases and scales; `adam` adds it "
        "to the gradient of all weights",
    )
    clip_norm: float | None = Field(1.0, gt=0, description="largest gradient norm of each part that is trained")
    clip_value: float | None = Field(None, gt=0, description="largest absolute value in a gradient")
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="of training; flows and distances stay in float32 under `bf16`, predictions are always fp32"
    )


class AnySystem(Settings):
    """What the settings of every system can do.

    `PUBLISHED` holds nested values that stand wherever none is given, in place of the defaults of the fields: those of
    every corpus under "", and above them those of one type of corpus (`extractors.settings.TYPES`).
    """

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    _given: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _published_stands_below(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(given, Mapping):
            return handler(given)
        made = handler(merged(cls.PUBLISHED.get("", {}), given))
        made._given = dict(given)
        return made

    def given(self) -> dict[str, Any]:
        """What was set, nested as it was given."""
        return dict(self._given)

    def resolved(self, corpus_type: str) -> Self:
        """The settings for a type of corpus, whose published values stand where none was given."""
        return type(self).model_validate(merged(self.PUBLISHED.get(corpus_type, {}), self._given))


class System(AnySystem):
    """Settings of a system that is trained in epochs."""

    training: Training = Training()


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Both nested mappings in one; where they disagree, `above` counts."""
    both = {key: value for key, value in below.items() if key not in above}
    for key, value in above.items():
        nested = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        both[key] = merged(below[key], value) if nested else value
    return both
