"""Typed settings of stage 2: features as a system reads them, training, and one class per system."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from extractors.settings import Settings


class Features(Settings):
    """How stored sequences reach a system."""

    max_tokens: int = Field(64, ge=1, description="text is cut after so many word pieces")
    max_speech_frames: int = Field(499, ge=1, description="speech is cut here; 499 frames of wav2vec2 are 10 s")
    max_video_frames: int = Field(50, ge=1, description="video is cut after so many frames with a face")
    standardize: bool = Field(
        True, description="zero mean, unit deviation per dimension over the fold's training frames"
    )


class Training(Settings):
    """Optimiser and schedule (docs/cm-arr.md, point 26)."""

    epochs: int = Field(100, ge=1, description="passes over the training set")
    batch_size: int = Field(16, ge=2, description="utterances per step")
    learning_rate: float = Field(1e-4, gt=0, description="highest rate of AdamW; the paper has a constant 1e-5")
    schedule: Literal["linear_decay", "constant"] = Field(
        "linear_decay", description="of the learning rate; the paper's is `constant`, without warm-up"
    )
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of all steps with a rising rate; then linear decay to 0")
    weight_decay: float = Field(0.01, ge=0, description="decoupled, of AdamW")
    clip_norm: float = Field(1.0, gt=0, description="largest gradient norm")


@dataclass(frozen=True)
class Sizes:
    """Every size of a system, as whole numbers."""

    umc_width: int
    umc_heads: int
    width: int
    attention_heads: int
    flow_steps: int
    flow_hidden: int
    rcab_blocks: int
    time_steps: int


PRESETS = {
    "paper": Sizes(768, 12, 64, 8, 32, 64, 20, 50),
    "lite": Sizes(256, 8, 64, 8, 32, 64, 4, 50),
    "tiny": Sizes(32, 4, 32, 4, 4, 16, 1, 8),
}
"""`paper` has the values of MAP's and DiCMoR's code, `lite` is for a CPU, `tiny` for the demo and tests."""


class System(Settings):
    """What every system has."""

    training: Training = Training()


class Sized(System):
    """Projection and fusion, which CM-ARR and its baseline share. A size of null means: as `size` says."""

    size: Literal["paper", "lite", "tiny"] = Field("paper", description="values of all sizes that are null")
    width: int | None = Field(None, ge=2, description="common width d of X_n; even, a multiple of attention_heads")
    attention_heads: int | None = Field(None, ge=1, description="heads of the fusion's attention blocks")
    time_steps: int | None = Field(
        None, ge=1, description="T_c, steps every sequence is resampled to; 1 takes the mean over time"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="in the attention blocks")
    head_dropout: float = Field(0.3, ge=0, lt=1, description="before the classifier's last layer")

    def sizes(self) -> Sizes:
        """The preset of `size`, with every size that is set here in its place."""
        preset = asdict(PRESETS[self.size])
        return Sizes(**{name: getattr(self, name, None) or value for name, value in preset.items()})

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        sizes = self.sizes()
        if sizes.width % 2 or sizes.width % sizes.attention_heads:
            raise ValueError(
                f"width {sizes.width} must be even and a multiple of attention_heads {sizes.attention_heads}"
            )
        if sizes.umc_heads % 2 or sizes.umc_width % sizes.umc_heads:
            raise ValueError(
                f"umc_width {sizes.umc_width} must be a multiple of umc_heads {sizes.umc_heads}, which are even"
            )
        return self


class CmArr(Sized):
    """CM-ARR: cross-modal alignment, reconstruction and refinement (docs/cm-arr.md)."""

    umc_width: int | None = Field(None, ge=2, description="D_u, width of the uncertainty components")
    umc_heads: int | None = Field(None, ge=1, description="heads of the uncertainty components")
    flow_steps: int | None = Field(None, ge=1, description="coupling steps of each flow")
    flow_hidden: int | None = Field(None, ge=1, description="hidden width inside a coupling step")
    rcab_blocks: int | None = Field(None, ge=1, description="residual channel attention blocks of each reconstruction")
    alpha: float = Field(1.0, ge=0, description="weight of the distribution contrast L_udcl; 0 switches it off")
    beta: float = Field(
        0.1, ge=0, description="weight of the supervised contrast L_spcl; section 4.5 of the paper says 0.5"
    )
    lambda_rec: float = Field(10.0, ge=0, description="weight of the reconstruction loss L_rec")
    flow: Literal["reversed", "dicmor_literal"] = Field(
        "reversed", description="`dicmor_literal` leaves the first half of the channels as they are, like DiCMoR's code"
    )
    x_source: Literal["mu", "R"] = Field(
        "mu", description="what X_n is projected from: the means of the uncertainty component, or the features"
    )
    ablation: Literal["none", "no_udcl", "no_spcl", "no_attention", "point"] = Field(
        "none", description="column of Table 3; `no_udcl` and `no_spcl` override alpha and beta with 0"
    )
    training_patterns: Literal["missing_and_full", "missing_only"] = Field(
        "missing_and_full",
        description="availability drawn per training sample: six missing patterns, with or without full",
    )

    def weights(self) -> dict[str, float]:
        """Weights of eq. 14 by loss part, after the ablation."""
        return {
            "cls": 1.0,
            "udcl": 0.0 if self.ablation == "no_udcl" else self.alpha,
            "spcl": 0.0 if self.ablation == "no_spcl" else self.beta,
            "rec": self.lambda_rec,
        }


class Baseline(Sized):
    """Table 3's baseline: projection, fusion and cross-entropy, trained on full triples only."""
