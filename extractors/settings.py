"""Typed settings of stage 1. Unknown keys are errors; nothing here imports more than pydantic."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from extractors.explain import LABEL, NAME, SHA256, problems, sentence
from extractors.files import UserError

Label = Annotated[str, Field(pattern=f"^{LABEL}$", coerce_numbers_to_str=True)]
Name = Annotated[str, Field(pattern=NAME)]
Session = Annotated[str, Field(coerce_numbers_to_str=True)]


@lru_cache(maxsize=1024)
def same_label(label: str) -> str:
    """What counts of a label: neither case nor blanks nor the Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", label).casefold().split())


class Settings(BaseModel):
    """Base of every settings object: immutable, and a key that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Kind = TypeVar("Kind", bound=Settings)


def parse(key: str, text: str, kind: type[Kind]) -> Kind:
    """Settings out of their JSON; UserError names the configuration key, below `key` if given, that is wrong."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise _wrong(key, error, 0) from error


def _wrong(key: str, error: ValidationError, above: int) -> UserError:
    """The first of the problems; `above` is how many parts of its place are no keys."""
    first = problems(error)[0]
    place = ".".join(filter(None, (key, *map(str, first["loc"][above:]))))
    return UserError(f"{place}: {sentence(first)}; correct the configuration")


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


class IemocapPolicy(Policy):
    """Of IEMOCAP, half of whose utterances are lines of plays."""

    scripted: Literal["keep", "reject"] = Field(
        "keep", description="utterances of the scripted plays, whose words are the same in every session"
    )


class Greys(Settings):
    """Grey values of face crops, 0 to 255, by which they are standardised."""

    mean: float = Field(ge=0, le=255, description="mean grey value of this corpus' faces, instead of encoders.video's")
    std: float = Field(gt=0, description="deviation of their grey values, likewise")


class Corpus(Settings):
    """What the settings of every type of corpus share; each type adds its own below."""

    root: str = Field(description="folder of the unpacked release")
    origin: Literal["release", "composite", "synthetic"] = Field(
        "release", description="kind of data; written into every file made from this corpus"
    )
    sessions: tuple[Session, ...] | None = Field(
        None, min_length=1, description="sessions to use; all of the release if absent"
    )
    policy: Policy = Policy()
    greys: Greys | None = Field(None, description="of this corpus' face crops; those of encoders.video if absent")


class Iemocap(Corpus):
    """IEMOCAP, full release."""

    type: Literal["iemocap"] = Field(description="layout of the folder")
    policy: IemocapPolicy = IemocapPolicy()


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
        if value and len(set(map(same_label, value))) < len(value):
            raise ValueError("each class comes once; case and blanks make no difference")
        return value


AnyCorpus = Annotated[Iemocap | MspImprov | Table, Field(discriminator="type")]
TYPES: dict[str, type[Corpus]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(AnyCorpus)[0])
}
"""Settings of a corpus by its `type`."""


def parse_corpus(key: str, text: str) -> AnyCorpus:
    """Settings of a corpus out of their JSON; UserError names the key, below `key`, that is wrong."""
    try:
        corpus: AnyCorpus = TypeAdapter(AnyCorpus).validate_json(text)
    except ValidationError as error:
        raise _wrong(key, error, 1) from error
    return corpus


class FrozenEncoder(Settings):
    """What the settings of every encoder share."""

    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32", description="arithmetic of the networks; tf32 makes a difference on a GPU only"
    )
    stored_as: Literal["float32", "float16"] = Field(
        "float32", description="numbers in the feature store; float16 takes half the space"
    )


class Pretrained(FrozenEncoder):
    """An encoder of Hugging Face, frozen."""

    model: str
    revision: str | None = Field(None, description="branch, tag or commit on the hub; a commit pins it")
    sha256: Annotated[str, Field(pattern=SHA256)] | None = Field(
        None, description="of the file of weights on the hub; any other is refused"
    )
    layer: Literal["last", "mean_of_last_4"] | int = Field(
        "last", description="hidden state to keep, or its number: 0 goes into the first layer, -1 is the last one"
    )
    average: int = Field(1, ge=1, description="neighbouring rows averaged to one; the last of them may be fewer")


class TextEncoder(Pretrained):
    """A BERT-family encoder: one row per word piece, [CLS] and [SEP] included."""

    model: str = Field(
        "google-bert/bert-base-uncased",
        description="name on the Hugging Face hub, a folder, or `hashing`, which needs no weights",
    )
    max_tokens: int = Field(512, ge=3, description="longer texts are cut here, [CLS] and [SEP] included")
    batch_tokens: int = Field(2048, ge=1, description="most word pieces in a batch, padding included; 512 on a CPU")


class SpeechEncoder(Pretrained):
    """A wav2vec2-family encoder: 50 rows a second for the usual convolutions."""

    model: str = Field(
        "facebook/wav2vec2-base",
        description="name on the Hugging Face hub, a folder, or `logmel`, which needs no weights",
    )
    batch_seconds: float = Field(64.0, gt=0, description="most seconds in a batch, padding included; 4 on a CPU")


class VideoEncoder(FrozenEncoder):
    """Face detection by MTCNN and 342-d features by Denseface (DenseNet-BC-100-12)."""

    weights: str | None = Field(
        None, description="Denseface weights: a file of `denseface train`; those shipped with cmarr if absent"
    )
    frames_per_second: float = Field(10.0, gt=0, le=120, description="frames looked at, by time stamp")
    min_face: int = Field(40, ge=12, description="smallest face in pixels")
    threshold: float = Field(0.9, gt=0, lt=1, description="least probability of a face")
    margin: float = Field(
        -0.05,
        ge=-0.4,
        le=1,
        description="added on each side of the face box, as a share of its side; less than 0 cuts into it. The default "
        "frames faces like the pictures of FER+, as benchmarks/framing.py measures it",
    )
    mean: float = Field(129.0, description="mean grey value taken off (FER+); the log tells that of your faces")
    std: float = Field(63.58, gt=0, description="deviation of grey values divided by (FER+); the log tells yours")


class DensefaceRecipe(Settings):
    """How Denseface is trained on FER+: stochastic gradient descent, one rise and one fall of the learning rate.

    Ranges of the augmentation: microsoft/FERPlus. Momentum, mean and std: docs/denseface.md.
    """

    targets: Literal["majority", "probability", "cross_entropy"] = Field(
        "cross_entropy",
        description="targets from the votes: the winner, one drawn anew for each picture and batch, or all shares",
    )
    epochs: float = Field(14.0, gt=0, le=1000, description="passes over the training rows")
    batch: int = Field(64, ge=2, description="pictures per step; an incomplete last batch is left out")
    sides: tuple[int, ...] = Field(
        (32, 40, 48, 64), min_length=1, description="picture sides in pixels, one after another for equal shares"
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd with Nesterov momentum 0.9, or adamw")
    learning_rate: float = Field(0.1, gt=0, description="at its highest")
    warm_up: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    decay: Literal["cosine", "linear", "constant"] = Field("cosine", description="fall of the learning rate to zero")
    weight_decay: float = Field(5e-4, ge=0, description="of convolutions and the linear layer; none for batch norms")
    class_balance: float = Field(
        0.25, ge=0, le=1, description="rows weigh their classes' frequency to the power of minus this; 0 is off"
    )
    average: float = Field(0.998, ge=0, lt=1, description="decay per step of the average of weights that is kept")
    shift: float = Field(0.08, ge=0, lt=1, description="farthest shift, as a share of the side")
    scale: float = Field(1.05, ge=1, description="strongest stretch of each axis, or its inverse")
    rotation: float = Field(20.0, ge=0, le=180, description="widest angle in degrees")
    skew: float = Field(0.05, ge=0, lt=1, description="strongest skew")
    flip: bool = Field(True, description="mirror half of the pictures")
    mean: float = Field(129.0, description="mean grey value taken off")
    std: float = Field(63.58, gt=0, description="deviation of grey values divided by")
    precision: Literal["bf16", "fp32"] = Field("bf16", description="arithmetic of the network in training")
    seed: int = Field(1, ge=0, description="of weights, order and distortions")

    @field_validator("sides")
    @classmethod
    def _two_poolings(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(side < 16 or side % 8 for side in value):
            raise ValueError("each side is 16 or more and a multiple of 8")
        return value


class DensefaceTraining(Settings):
    """Training of Denseface with `snakemake results/denseface/weights.safetensors`; nothing else needs FER+."""

    images: str = Field("data/ferplus/fer2013.csv", description="pictures of FER2013, plain or gzipped")
    votes: str = Field("data/ferplus/fer2013new.csv", description="FER+ votes of the same rows")
    recipe: DensefaceRecipe = DensefaceRecipe()


class Encoders(Settings):
    """The three frozen encoders."""

    folder: str = Field("data/encoders", description="where `fetch` puts encoders of the hub")
    text: TextEncoder = TextEncoder()
    speech: SpeechEncoder = SpeechEncoder()
    video: VideoEncoder = VideoEncoder()
