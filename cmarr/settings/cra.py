"""Settings of CRA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from cmarr.settings.base import Training, merged
from cmarr.settings.mmin import PUBLISHED_TEACHER, PUBLISHED_TRAINING, Family
from cmarr.settings.space import Options, Range, Space


class Cra(Family):
    """CRA: cascaded residual autoencoder (docs/mmin.md).

    `training`, `joint_*` and `reconstruction_weight` are of `joint`; `teacher`, `imputation`, the cascade and the
    encoders' settings of `impute`.
    """

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {
            "training": merged(
                PUBLISHED_TRAINING,
                {"epochs": 100, "batch_size": 256, "learning_rate": 1e-3, "decay_share": 0.8, "clip_norm": 5.0},
            ),
            "imputation": merged(PUBLISHED_TRAINING, {"learning_rate": 1e-3, "schedule": "constant", "beta1": 0.9}),
            "teacher": PUBLISHED_TEACHER,
        },
        "msp_improv": {"teacher": {"learning_rate": 5e-4, "batch_size": 64}},
    }
    SPACE: ClassVar[Space] = {
        "training.learning_rate": Range(1e-4, 1e-2, log=True),
        "training.schedule": Options(("late_decay", "linear_decay", "constant")),
        "head_dropout": Range(0.0, 0.6),
        "embedding": Options((64, 128, 256)),
        "joint_blocks": Options((1, 2, 4)),
        "reconstruction_weight": Range(0.002, 0.2, log=True),
    }
    IMPUTE_SPACE: ClassVar[Space] = {
        "teacher.learning_rate": Range(1e-4, 1e-2, log=True),
        "imputation.learning_rate": Range(1e-4, 1e-2, log=True),
        "text_dropout": Range(0.0, 0.6),
        "teacher_dropout": Range(0.0, 0.6),
        "embedding": Options((64, 128, 256)),
        "cascade_blocks": Options((1, 2, 5)),
    }
    kind: Literal["joint", "impute"] = Field(
        "joint",
        description="`joint`: encoders, cascade and classifier are trained at once on means over time; `impute`: a "
        "cascade fills the embeddings of MMIN's frozen teacher",
    )
    imputation: Training = Field(Training(), description="training of the cascade of `impute`, after its `teacher`")
    joint_layers: tuple[PositiveInt, ...] = Field((256, 128), min_length=1, description="`cascade_layers` of `joint`")
    joint_blocks: int = Field(2, ge=1, description="`cascade_blocks` of `joint`")
    reconstruction_weight: float = Field(0.02, ge=0, description="weight of the missing features' squared error")

    def space(self) -> Space:
        """That of the kind."""
        return self.SPACE if self.kind == "joint" else self.IMPUTE_SPACE
