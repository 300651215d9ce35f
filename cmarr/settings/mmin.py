"""Settings of MMIN and its successors IF-MMIN and CIF-MMIN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from cmarr.settings.base import System, Training, merged
from cmarr.settings.space import Range, Space

PUBLISHED_TRAINING = {
    "epochs": 60, "batch_size": 128, "optimizer": "adam", "learning_rate": 2e-4, "beta1": 0.5,
    "schedule": "late_decay", "weight_decay": 0.0, "clip_norm": 1.0,
}  # fmt: skip
"""of MMIN's second stage on IEMOCAP; its scripts ask for a weight decay that never reaches the optimiser"""
PUBLISHED_TEACHER = merged(PUBLISHED_TRAINING, {"epochs": 20, "beta1": 0.9, "clip_norm": 0.5})


class Family(System):
    """What the MMIN family shares: encoders of one vector per modality, a cascade of autoencoders, a teacher."""

    SPACE: ClassVar[Space] = {
        "teacher.learning_rate": Range(1e-4, 1e-2, log=True),
        "training.learning_rate": Range(1e-4, 1e-2, log=True),
        "text_dropout": Range(0.0, 0.6),
        "teacher_dropout": Range(0.0, 0.6),
        "head_dropout": Range(0.0, 0.6),
    }
    teacher: Training = Field(Training(), description="training of the first stage, on complete utterances")
    embedding: int = Field(128, ge=1, description="width of a modality's embedding")
    speech_pool: int = Field(
        5, ge=1, description="speech frames that are averaged before the encoder; 5 of wav2vec2 are MMIN's 100 ms"
    )
    text_dropout: float = Field(0.5, ge=0, lt=1, description="inside the text encoder")
    teacher_dropout: float = Field(0.3, ge=0, lt=1, description="in the classifier of the first stage")
    head_dropout: float = Field(0.5, ge=0, lt=1, description="in the classifier")
    cascade_layers: tuple[PositiveInt, ...] = Field(
        (256, 128, 64), min_length=1, description="widths of an autoencoder"
    )
    cascade_blocks: int = Field(5, ge=1, description="autoencoders of a cascade")
    legacy_padding: bool = Field(
        False, description="encoders read the padding of a batch, like the published code: the company then counts"
    )


class Imagining(Family):
    """A family member whose cascade imagines what a teacher says."""

    regressed: Literal["all", "missing"] = Field(
        "all",
        description="embeddings in the imagination's squared error: those of available modalities too, whose target is "
        "the teacher's of silence, as in the published code; or `missing` ones alone",
    )


class Mmin(Imagining):
    """MMIN: missing modality imagination network (docs/mmin.md)."""

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {"training": PUBLISHED_TRAINING, "teacher": PUBLISHED_TEACHER},
        "msp_improv": {
            "training": {"learning_rate": 5e-4},
            "teacher": {"learning_rate": 5e-4, "batch_size": 64},
            "imagination_weight": 2.0,
            "cycle_weight": 0.5,
            "shared_cascade": True,
        },
    }
    SPACE: ClassVar[Space] = {
        **Family.SPACE,
        "imagination_weight": Range(0.1, 10.0, log=True),
        "cycle_weight": Range(0.1, 10.0, log=True),
    }
    imagination_weight: float = Field(4.0, ge=0, description="weight of the imagined embeddings' squared error")
    cycle_weight: float = Field(2.0, ge=0, description="weight of the backward imagination's squared error")
    shared_cascade: bool = Field(False, description="one cascade imagines forward and backward")


class IfMmin(Imagining):
    """IF-MMIN: MMIN with an invariance encoder and without the backward imagination (docs/mmin.md)."""

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {
            "training": merged(PUBLISHED_TRAINING, {"epochs": 40}),
            "teacher": merged(PUBLISHED_TEACHER, {"batch_size": 64}),
        },
        "msp_improv": {"training": {"learning_rate": 5e-4}, "teacher": {"learning_rate": 5e-4}},
    }
    SPACE: ClassVar[Space] = {
        **Family.SPACE,
        "imagination_weight": Range(0.1, 10.0, log=True),
        "invariance_weight": Range(1.0, 300.0, log=True),
    }
    cmd_weight: float = Field(1.0, ge=0, description="weight of the central moment discrepancy in the first stage")
    imagination_weight: float = Field(1.0, ge=0, description="weight of the imagined embeddings' squared error")
    invariance_weight: float = Field(100.0, ge=0, description="weight of the invariant features' squared error")


class CifMmin(Imagining):
    """CIF-MMIN: invariant features by contrast between modalities (docs/mmin.md)."""

    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {
            "training": merged(PUBLISHED_TRAINING, {"epochs": 40, "batch_size": 64}),
            "teacher": merged(PUBLISHED_TEACHER, {"epochs": 40, "batch_size": 64, "decay_share": 0.25}),
        },
        "msp_improv": {"training": {"learning_rate": 5e-4}, "teacher": {"learning_rate": 5e-4}},
    }
    SPACE: ClassVar[Space] = {
        **Family.SPACE,
        "imagination_weight": Range(0.1, 10.0, log=True),
        "invariance_weight": Range(1.0, 300.0, log=True),
    }
    contrast_weights: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = Field(
        (0.25, 0.25, 0.5), description="of the contrast of text and video, text and speech, video and speech"
    )
    imagination_weight: float = Field(8.0, ge=0, description="weight of the imagined embeddings' squared error")
    invariance_weight: float = Field(100.0, ge=0, description="weight of the invariant features' squared error")
    legacy_conl_last: bool = Field(
        False, description="the second stage takes the last step of the invariant text encoder, like the published code"
    )
