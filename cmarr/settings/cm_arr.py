"""Settings of CM-ARR and of its baseline."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from cmarr.settings.base import System
from cmarr.settings.space import Range, Space


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


FlowKind = Literal["reversed", "dicmor_literal", "glow"]
"""of `blocks.flow.Flow`"""
FusionKind = Literal["recovered_asks", "each_asks", "text_asks", "available_asks", "means"]
"""of `blocks.fusion`"""
Residual = Literal["normed", "plain", "none", "scaled"]
"""of `blocks.attention.AttentionBlock`"""


class Sized(System):
    """Projection and fusion, which CM-ARR and its baseline share. A size of null means: as `size` says."""

    SPACE: ClassVar[Space] = {
        "training.learning_rate": Range(1e-4, 1e-2, log=True),
        "training.weight_decay": Range(1e-4, 0.3, log=True),
        "dropout": Range(0.0, 0.5),
        "head_dropout": Range(0.0, 0.6),
    }
    size: Literal["paper", "lite", "tiny"] = Field("paper", description="values of all sizes that are null")
    width: int | None = Field(None, ge=2, description="common width d of X_n; even, a multiple of attention_heads")
    attention_heads: int | None = Field(None, ge=1, description="heads of the fusion's attention blocks")
    time_steps: int | None = Field(
        None, ge=1, description="T_c, steps every sequence is resampled to; 1 takes the mean over time"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="in the attention blocks")
    head_dropout: float = Field(0.3, ge=0, lt=1, description="before the classifier's last layer")
    kernel: int = Field(5, ge=1, description="steps that the convolution to X_n spans; odd; 1 with `time_steps: 1`")
    fusion: FusionKind = Field(
        "recovered_asks",
        description="who asks in cross-modal attention (docs/cm-arr.md, point 22); `means` over time do without it, "
        "`residual` and `fusion_pooling`",
    )
    residual: Residual = Field(
        "normed",
        description="what stands beside the attended frames in an attention block: the query after LayerNorm, and the "
        "attended frames brought to the same size; the query as it is; nothing; or sqrt(d) times the query plus "
        "positions",
    )
    third_block: Literal["none", "sv"] = Field(
        "none",
        description="`sv` adds a block in which speech attends to video to `text_asks` and `available_asks`; what "
        "follows gets 3 d wide, as it is with the other kinds of fusion",
    )
    fusion_pooling: Literal["mean", "last"] = Field("mean", description="step over time before the classifier")

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
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel {self.kernel} must be odd")
        if self.third_block != "none" and self.fusion not in ("text_asks", "available_asks"):
            raise ValueError(f"third_block {self.third_block} needs `fusion: text_asks` or `fusion: available_asks`")
        return self


class CmArr(Sized):
    """CM-ARR: cross-modal alignment, reconstruction and refinement (docs/cm-arr.md)."""

    SPACE: ClassVar[Space] = {
        **Sized.SPACE,
        "alpha": Range(0.03, 3.0, log=True),
        "beta": Range(0.03, 1.0, log=True),
        "lambda_rec": Range(0.3, 30.0, log=True),
    }
    umc_width: int | None = Field(None, ge=2, description="D_u, width of the uncertainty components")
    umc_heads: int | None = Field(None, ge=1, description="heads of the uncertainty components")
    flow_steps: int | None = Field(None, ge=1, description="coupling steps of each flow")
    flow_hidden: int | None = Field(None, ge=1, description="hidden width inside a coupling step")
    rcab_blocks: int | None = Field(None, ge=1, description="residual channel attention blocks of each reconstruction")
    rcab_widening: int = Field(2, ge=1, description="width of the residual channel attention blocks, in multiples of d")
    rcab_reduction: int = Field(16, ge=1, description="channels per hidden unit of the channel attention")
    umc_dropout: float = Field(0.1, ge=0, lt=1, description="in the uncertainty components")
    log_sigma_limit: float | None = Field(
        5.0, gt=0, description="log sigma is clamped to plus and minus this; null: not at all, like MAP"
    )
    instance: Literal["mean", "first"] = Field(
        "mean", description="an utterance's Gaussian: mean over its frames' Gaussians, or that of its first frame"
    )
    sigma: Literal["deviation", "variance"] = Field("deviation", description="Sigma of the distance D_2W")
    distance_scale: float | None = Field(
        None, lt=0, description="a of eq. 5; null: -tau_start / umc_width; MAP: -1/200 at width 768"
    )
    distance_shift: float = Field(4.0, description="b of eq. 5; it cancels")
    tau_start: float = Field(0.07, gt=0, description="temperature of L_udcl at the start")
    tau_least: float = Field(0.01, gt=0, description="least temperature")
    tau_most: float = Field(1.0, gt=0, description="greatest temperature")
    tau_learned: bool = Field(True, description="whether the temperature is learned")
    alpha: float = Field(1.0, ge=0, description="weight of the distribution contrast L_udcl; 0 switches it off")
    udcl_on: Literal["all", "available"] = Field(
        "all", description="utterances in L_udcl: all, or for each pair of modalities those that have both available"
    )
    udcl_pairs: Literal["mean", "sum"] = Field("mean", description="L_udcl over the three pairs of modalities")
    x_source: Literal["mu", "R"] = Field(
        "mu", description="what X_n is projected from: the means of the uncertainty component, or the features"
    )
    sampling: bool = Field(
        False, description="training projects X_n from mu + sigma x noise instead of mu; needs `x_source: mu`"
    )
    shared_weights: bool = Field(False, description="one uncertainty component and one flow for all modalities")
    flow: FlowKind = Field(
        "reversed",
        description="`dicmor_literal` leaves the first half of the channels as they are, like DiCMoR's code; `glow` "
        "scales, shifts and mixes the channels before every coupling",
    )
    flow_logit_limit: float | None = Field(
        3.0, gt=0, description="logits of the coupling's scale are clamped to plus and minus this; null: not at all"
    )
    flow_nll: float = Field(
        0.0, ge=0, description="weight of the flows' negative log likelihood, in bits per dimension; DiCMoR: 0.1"
    )
    flow_prior: Literal["single", "class"] = Field(
        "single", description="density of latents in it: one standard normal, or a learned normal per class"
    )
    inverse_gradient: bool = Field(True, description="false: recovered X_n pass no gradient back to flows and latents")
    lambda_rec: float = Field(10.0, ge=0, description="weight of the reconstruction loss L_rec")
    target_gradient: bool = Field(False, description="whether the true X_n in L_rec is moved towards its recovery")
    rec_reduction: Literal["mean", "sum"] = Field(
        "mean", description="squared errors of one recovery; the mean over recoveries follows"
    )
    beta: float = Field(
        0.1, ge=0, description="weight of the supervised contrast L_spcl; section 4.5 of the paper says 0.5"
    )
    spcl_features: Literal["Y", "X"] = Field(
        "Y", description="points of L_spcl: X_n where available and its recovery elsewhere, or the true X_n of all"
    )
    spcl_positives: Literal["all", "cross_modal"] = Field(
        "all", description="positives of L_spcl: other utterances of the label, in all or only in other modalities"
    )
    spcl_tau: float = Field(0.07, gt=0, description="temperature of L_spcl")
    training_patterns: Literal["missing_and_full", "missing_only"] = Field(
        "missing_and_full", description="availability drawn in training: six missing patterns, with or without full"
    )
    patterns_per: Literal["sample", "batch"] = Field("sample", description="what training draws a pattern for")
    ablation: Literal["none", "no_udcl", "no_spcl", "no_attention", "no_umc_attention", "point"] = Field(
        "none", description="column of Table 3; `no_udcl` and `no_spcl` override alpha and beta with 0"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.tau_least <= self.tau_start <= self.tau_most:
            raise ValueError(
                f"tau_start {self.tau_start} must lie between tau_least {self.tau_least} and tau_most {self.tau_most}"
            )
        if self.sampling and (self.x_source == "R" or self.ablation == "point"):
            raise ValueError("sampling needs `x_source: mu` and a deviation, which `ablation: point` has not")
        return self

    def weights(self) -> dict[str, float]:
        """Weights of eq. 14 by loss part, after the ablation, without parts that are switched off."""
        weights = {
            "cls": 1.0,
            "udcl": 0.0 if self.ablation == "no_udcl" else self.alpha,
            "spcl": 0.0 if self.ablation == "no_spcl" else self.beta,
            "rec": self.lambda_rec,
            "nll": self.flow_nll,
        }
        return {name: weight for name, weight in weights.items() if weight}


class Baseline(Sized):
    """Table 3's baseline: projection, fusion and cross-entropy, trained on full triples only."""
