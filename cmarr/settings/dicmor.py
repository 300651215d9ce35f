"""Settings of DiCMoR+."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from cmarr.settings.base import System, Training, merged
from cmarr.settings.space import Range, Space

PUBLISHED_TRAINING = {
    "epochs": 100, "batch_size": 16, "optimizer": "adam", "learning_rate": 1e-4, "schedule": "constant", "warm_up": 0.0,
    "weight_decay": 0.0, "clip_norm": None, "clip_value": 0.6,
}  # fmt: skip
"""of the public code on MOSEI; its weight decay never reaches the optimiser, its rate halves on a plateau of the
validation loss, which not every protocol has"""


@dataclass(frozen=True)
class DicmorSizes:
    """Every size of DiCMoR+, as whole numbers."""

    width: int
    attention_heads: int
    cross_layers: int
    memory_layers: int
    flow_steps: int
    flow_hidden: int
    rcab_blocks: int
    time_steps: int


DICMOR_PRESETS = {
    "paper": DicmorSizes(64, 8, 4, 4, 32, 64, 20, 50),
    "lite": DicmorSizes(64, 8, 4, 4, 32, 64, 4, 50),
    "tiny": DicmorSizes(32, 4, 1, 1, 4, 16, 1, 8),
}
"""`paper` has the values of the public code, with width and heads of MOSEI and layers of MOSI; `lite` is for a CPU,
`tiny` for the demo and tests."""


class Dicmor(System):
    """DiCMoR+: distribution-consistent recovery of missing modalities (docs/dicmor.md).

    A size of null means: as `size` says.
    """

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {"training": PUBLISHED_TRAINING, "complete": merged(PUBLISHED_TRAINING, {"epochs": 20})},
    }
    SPACE: ClassVar[Space] = {
        "complete.learning_rate": Range(1e-4, 1e-2, log=True),
        "training.learning_rate": Range(1e-4, 1e-2, log=True),
        "text_dropout": Range(0.0, 0.5),
        "text_attention_dropout": Range(0.0, 0.5),
        "output_dropout": Range(0.0, 0.6),
        "nll_weight": Range(0.01, 1.0, log=True),
        "reconstruction_weight": Range(0.01, 1.0, log=True),
    }
    complete: Training = Field(Training(), description="training of the first stage, on complete utterances")
    size: Literal["paper", "lite", "tiny"] = Field("paper", description="values of all sizes that are null")
    width: int | None = Field(None, ge=4, description="common width d; even, a multiple of attention_heads")
    attention_heads: int | None = Field(None, ge=1, description="heads of the transformers")
    cross_layers: int | None = Field(None, ge=1, description="layers of each cross-modal transformer")
    memory_layers: int | None = Field(None, ge=1, description="layers of each transformer over what was attended to")
    flow_steps: int | None = Field(None, ge=1, description="coupling steps of each flow")
    flow_hidden: int | None = Field(None, ge=1, description="hidden width inside a coupling step")
    rcab_blocks: int | None = Field(None, ge=1, description="residual channel attention blocks of each reconstruction")
    time_steps: int | None = Field(None, ge=1, description="steps that every sequence is resampled to")
    kernel: int = Field(
        5, ge=1, description="steps that the projection's convolution spans; odd; 1 with `time_steps: 1`"
    )
    text_attention_dropout: float = Field(0.2, ge=0, lt=1, description="of attention weights on text and in the memory")
    speech_attention_dropout: float = Field(0.0, ge=0, lt=1, description="of attention weights on speech")
    video_attention_dropout: float = Field(0.0, ge=0, lt=1, description="of attention weights on video")
    text_dropout: float = Field(0.2, ge=0, lt=1, description="of the text features")
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="of what enters a transformer")
    relu_dropout: float = Field(0.0, ge=0, lt=1, description="inside the feed-forward nets of the transformers")
    residual_dropout: float = Field(0.0, ge=0, lt=1, description="of what a layer of the transformers adds")
    output_dropout: float = Field(0.2, ge=0, lt=1, description="inside the residual block before the last layer")
    flow: Literal["code", "reversed", "glow"] = Field(
        "code",
        description="`code`: couplings alone, as the public code runs, which leave the first half of the channels as "
        "they are; `reversed` reverses the channels between them, `glow` scales, shifts and mixes them before each",
    )
    flow_logit_limit: float | None = Field(
        None, gt=0, description="logits of the coupling's scale are clamped to plus and minus this; null: not at all"
    )
    combine: Literal["code", "mean"] = Field(
        "code",
        description="two available modalities: `code` inverts each latent and joins both by a 1x1 convolution, as the "
        "public code does; `mean` inverts the mean of the latents, as the paper of CM-ARR writes",
    )
    inverse_gradient: bool = Field(False, description="true: recoveries pass a gradient back to flows and latents")
    nll_weight: float = Field(0.1, ge=0, description="weight of each flow's negative log likelihood")
    reconstruction_weight: float = Field(0.1, ge=0, description="weight of the reconstruction loss")
    training_patterns: Literal["missing_and_full", "missing_only"] = Field(
        "missing_and_full", description="availability drawn in training: six missing patterns, with or without full"
    )
    patterns_per: Literal["sample", "batch"] = Field("sample", description="what training draws a pattern for")
    frozen_projection: bool = Field(
        False, description="the second stage does not train the projections, like the public code"
    )
    legacy_positions: bool = Field(
        False, description="a frame whose first channel is exactly 0 gets no position, like in the public code"
    )

    def sizes(self) -> DicmorSizes:
        """The preset of `size`, with every size that is set here in its place."""
        preset = asdict(DICMOR_PRESETS[self.size])
        return DicmorSizes(**{name: getattr(self, name) or value for name, value in preset.items()})

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        sizes = self.sizes()
        if sizes.width % 2 or sizes.width % sizes.attention_heads:
            raise ValueError(
                f"width {sizes.width} must be even and a multiple of attention_heads {sizes.attention_heads}"
            )
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd")
        return self
