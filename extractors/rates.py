"""How fast this machine makes features: the verbs themselves on small generated corpora, one of few, one of many."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from extractors.corpora import COLUMNS
from extractors.files import UserError, write_csv
from extractors.settings import Settings
from extractors.store import FeatureStore

SECONDS = 4.55
"""Length of an utterance: the mean of the 5,531 of IEMOCAP (computed from their public list)."""
SENTENCE = "I do not know what you want me to say about it, do you?"
WORD = re.compile(r"\w+|[^\w\s]")
LEAST_SECONDS = 1.0
"""By so much at least, the run with many utterances is to take longer than the one with few."""
DOUBLINGS = 8


@dataclass(frozen=True)
class Film:
    """Pixels and frames a second of a film, and the part of its frame that is looked at."""

    width: int
    height: int
    rate: str
    crop: str

    @property
    def name(self) -> str:
        return f"{self.width} x {self.height} at {float(Fraction(self.rate)):.2f}/s, {self.crop}"


class Rate(Settings):
    """Units a second and bytes a unit; units are word pieces of text, seconds of speech or of film looked at."""

    per_second: float = Field(gt=0, allow_inf_nan=False)
    bytes_per_unit: float = Field(ge=0, allow_inf_nan=False)
    about: str


def pieces(text: str) -> int:
    """Words and punctuation marks, and two more for [CLS] and [SEP]: about as many as BERT's word pieces."""
    return len(WORD.findall(text)) + 2


def measure(
    modality: str, settings: str, film: Film, args: argparse.Namespace, sizes: tuple[int, int], about: str
) -> Rate:
    """Rate of a modality with encoder settings (JSON), from the difference of two runs with `sizes` utterances.

    So start-up and loading of the encoder do not count. The larger size is doubled until the difference is
    `LEAST_SECONDS`; UserError when it never is. `args` has device, threads, encoders and jobs: the rate of one job is
    taken that many times.
    """
    few, many = sizes
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "few"
        few_units = write_corpus(root, modality, film, few)
        run(modality, settings, root, args)  # warms up
        few_seconds, few_bytes = run(modality, settings, root, args)
        for doubling in range(DOUBLINGS + 1):
            root = Path(scratch) / f"many{doubling}"
            units = write_corpus(root, modality, film, many << doubling) - few_units
            seconds, size = run(modality, settings, root, args)
            if (longer := seconds - few_seconds) >= LEAST_SECONDS:
                return Rate(
                    per_second=args.jobs * units / longer, bytes_per_unit=(size - few_bytes) / units, about=about
                )
    raise UserError(
        f"{modality}: {many << DOUBLINGS} utterances took {longer:.2g} s longer than {few}, too little to tell a rate; "
        "run it again when nothing else is running here"
    )


def run(modality: str, settings: str, root: Path, args: argparse.Namespace) -> tuple[float, int]:
    """Seconds that the verb takes for the corpus in `root`, and bytes of its features."""
    verb = import_module(f"extractors.{modality}")
    out = root / "out.h5"
    words = ["--manifest", str(root / "manifest.csv"), "--root", str(root), "--settings", settings]
    words += ["--origin", "synthetic", "--device", args.device, "--threads", str(args.threads)]
    words += ["--encoders", str(args.encoders), "--out", str(out)]
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    begin = time.perf_counter()
    verb.main(parser.parse_args(words))
    seconds = time.perf_counter() - begin
    with FeatureStore(out) as store:
        return seconds, int(store.offsets[-1]) * store.dim * store.dtype.itemsize


def stand_in(modality: str, folder: Path) -> Path:
    """A checkpoint of BERT-base or wav2vec2-base with random weights, and a vocabulary of the sentence's words."""
    import transformers

    if modality == "text":
        words = sorted(set(WORD.findall(SENTENCE.lower())))
        config = transformers.BertConfig()
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
        vocabulary += [f"[unused{place}]" for place in range(len(vocabulary), config.vocab_size)]
        transformers.BertTokenizer(vocab={word: place for place, word in enumerate(vocabulary)}).save_pretrained(folder)
        transformers.BertModel(config).save_pretrained(folder)
    else:
        extractor: Any = transformers.Wav2Vec2FeatureExtractor
        extractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
        transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(folder)
    return folder


def spread(count: int) -> NDArray[np.float64]:
    """`count` factors of the mean length, about 0.5 to 2 and the shorter the more frequent; their mean is 1.

    They are quantiles of the triangular distribution that falls from 0.5 to 2, in a mixed order, always the same one.
    """
    factors = 2 - 1.5 * np.sqrt(1 - (np.arange(count) + 0.5) / count)
    return np.random.default_rng(0).permutation(factors / factors.mean())


def write_corpus(root: Path, modality: str, film: Film, size: int) -> float:
    """Write `size` utterances of different lengths with what the modality reads; the units in them."""
    root.mkdir()
    lengths = SECONDS * spread(size)
    ends = np.cumsum(lengths)
    texts = list(_texts(size))
    if modality == "video":
        _write_film(root / "film.avi", film, ends[-1])
    rows = []
    for number, (length, end, text) in enumerate(zip(lengths, ends, texts, strict=True)):
        values = dict.fromkeys(COLUMNS, "") | {"utterance": f"u{number:06}", "session": "1", "text": text}
        values |= {"crop": film.crop, "video": "film.avi", "origin": "synthetic"}
        values |= {"video_start": str(end - length), "video_end": str(end)}
        if modality == "speech":
            values["audio"] = _write_wave(root, number, length)
        rows.append(values)
    write_csv(root / "manifest.csv", [*COLUMNS, "origin"], rows)
    return sum(map(pieces, texts)) if modality == "text" else float(ends[-1])


def _texts(count: int) -> Iterator[str]:
    """The sentence, cut or said again."""
    words = WORD.findall(SENTENCE)
    for factor in spread(count):
        yield " ".join(islice(cycle(words), round(factor * pieces(SENTENCE)) - 2))


def _write_wave(root: Path, number: int, seconds: float) -> str:
    import soundfile

    name = f"{number}.wav"
    noise = np.random.default_rng(number).normal(0, 0.1, round(seconds * 16_000))
    soundfile.write(root / name, noise, 16_000, subtype="PCM_16")
    return name


def _write_film(path: Path, film: Film, seconds: float) -> None:
    """A drawn face before black, moving."""
    from extractors.demo.face import HEIGHT, WIDTH, Actor
    from extractors.demo.film import Camera, Screen, write_film

    rate = Fraction(film.rate)
    width = film.width // 2 if film.crop != "full" else film.width
    screen = Screen(film.height, film.width, (film.height - HEIGHT) // 2, ((width - WIDTH) // 2,))
    camera = Camera(Actor("1F", 0), (), np.random.default_rng(0))
    write_film(path, screen, [camera], np.zeros(round(seconds * 16_000), np.int16), rate)
