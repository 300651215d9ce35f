"""Typed settings of stage 1. Unknown keys are errors; nothing here imports more than pydantic."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

LABEL = r"[^\W_][\w .+/'-]{0,39}"
Label = Annotated[str, Field(pattern=f"^{LABEL}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Settings(BaseModel):
    """Base of every settings object: immutable, and a key that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Policy(Settings):
    """What becomes of utterances that lack something."""

    empty_transcript: Literal["reject", "keep"] = Field(
        "reject", description="utterances without words: the transcript is missing, empty or blank"
    )
    no_face: Literal["keep", "reject"] = Field(
        "keep", description="utterances with no face in any frame; a kept one has zeros for its video, as in MMIN"
    )
    shortest_seconds: float = Field(
        0.025, ge=0.025, description="shorter utterances are rejected; 25 ms is one frame of wav2vec2"
    )


class Corpus(Settings):
    """What the settings of every type of corpus share; each type adds its own below."""

    root: str = Field(description="folder of the unpacked release")
    origin: Literal["release", "composite", "synthetic"] = Field(
        "release", description="kind of data; written into every file made from this corpus"
    )
    sessions: tuple[str, ...] | None = Field(None, description="sessions to use; all of the release if absent")
    policy: Policy = Policy()


class Iemocap(Corpus):
    """IEMOCAP, full release."""

    type: Literal["iemocap"] = Field(description="layout of the folder")


class MspImprov(Corpus):
    """MSP-IMPROV, with `Audio/` and `Video/` or with both side by side."""

    type: Literal["msp_improv"] = Field(description="layout of the folder")
    subset: Literal["mmin", "all"] = Field(
        "mmin", description="`mmin`: scenario S without 121 listed clips (3,819); `all`: every four-class clip (7,798)"
    )


class Table(Corpus):
    """Any data set, described by one CSV below its folder."""

    type: Literal["table"] = Field(description="layout of the folder")
    file: str = Field("utterances.csv", description="the CSV, one row per utterance; relative to root")
    classes: tuple[Label, ...] | None = Field(
        None, min_length=2, description="labels to use, in the order of the outputs; all of the table if absent"
    )

    @field_validator("classes")
    @classmethod
    def _once_each(cls, value: tuple[Label, ...] | None) -> tuple[Label, ...] | None:
        if value and len(set(value)) < len(value):
            raise ValueError("each class comes once")
        return value


AnyCorpus = Annotated[Iemocap | MspImprov | Table, Field(discriminator="type")]
TYPES: dict[str, type[Corpus]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(AnyCorpus)[0])
}
"""Settings of a corpus by its `type`."""


class TextEncoder(Settings):
    """A BERT-family encoder of Hugging Face, frozen; the features are its last hidden state."""

    model: str = Field("google-bert/bert-base-uncased", description="name on the Hugging Face hub, or a folder")
    revision: str | None = Field(None, description="branch, tag or commit on the hub")
    max_tokens: int = Field(512, ge=3, description="longer texts are cut here, [CLS] and [SEP] included")


class SpeechEncoder(Settings):
    """A wav2vec2-family encoder of Hugging Face, frozen; the features are its last hidden state, 50 a second."""

    model: str = Field("facebook/wav2vec2-base", description="name on the Hugging Face hub, or a folder")
    revision: str | None = Field(None, description="branch, tag or commit on the hub")


class VideoEncoder(Settings):
    """Face detection by MTCNN and 342-d features by Denseface (DenseNet-BC-100-12)."""

    weights: Literal["random"] = Field("random", description="Denseface weights; `random` is a seeded stand-in")
    seed: int = Field(0, ge=0, description="seed of the random weights")
    frames_per_second: float = Field(10.0, gt=0, le=120, description="frames looked at, by time stamp")
    min_face: int = Field(40, ge=12, description="smallest face in pixels")
    threshold: float = Field(0.9, gt=0, lt=1, description="least probability of a face")
    margin: float = Field(0.0, ge=0, le=1, description="added around the face box, as a share of its side")
    mean: float = Field(129.0, description="mean grey value taken off (FER+)")
    std: float = Field(63.58, gt=0, description="deviation of grey values divided by (FER+)")


class Encoders(Settings):
    """The three frozen encoders."""

    text: TextEncoder = TextEncoder()
    speech: SpeechEncoder = SpeechEncoder()
    video: VideoEncoder = VideoEncoder()
