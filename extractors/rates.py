"""How fast this machine makes features: the verbs themselves on a small generated corpus, its sessions few and many."""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from extractors.corpora import COLUMNS
from extractors.files import write_csv
from extractors.store import FeatureStore

SECONDS = 4.55
"""Length of an utterance: the mean of the 5,531 of IEMOCAP (computed from their public list)."""
SENTENCE = "I do not know what you want me to say about it, do you?"
FEW, MANY = "few", "many"


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


@dataclass(frozen=True)
class Rate:
    """Units a second and bytes a unit; units are word pieces of text, seconds of speech or of film looked at."""

    per_second: float
    bytes_per_unit: float
    about: str


def pieces(text: str) -> int:
    """Words and punctuation marks, and two more for [CLS] and [SEP]: about as many as BERT's word pieces."""
    return len(re.findall(r"\w+|[^\w\s]", text)) + 2


def measure(
    modality: str, settings: str, film: Film, args: argparse.Namespace, sizes: tuple[int, int], about: str
) -> Rate:
    """Rate of a modality with encoder settings (JSON), from the difference of two runs with `sizes` utterances.

    So start-up and loading of the encoder do not count. `args` has device, threads and encoders.
    """
    verb = import_module(f"extractors.{modality}")
    seconds, sizes_in_store = [], []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        manifest = _corpus(root, modality, film, sizes)
        for session in (FEW, FEW, MANY):  # the first run warms up
            out = root / f"{session}.h5"
            words = ["--manifest", str(manifest), "--root", name, "--session", session, "--settings", settings]
            words += ["--origin", "synthetic", "--device", args.device, "--threads", str(args.threads)]
            words += ["--encoders", str(args.encoders), "--out", str(out)]
            parser = argparse.ArgumentParser()
            verb.add_arguments(parser)
            begin = time.perf_counter()
            verb.main(parser.parse_args(words))
            seconds.append(time.perf_counter() - begin)
            with FeatureStore(out) as store:
                sizes_in_store.append(int(store.offsets[-1]) * store.dim * store.dtype.itemsize)
    unit = pieces(SENTENCE) if modality == "text" else SECONDS
    units = (sizes[1] - sizes[0]) * unit
    return Rate(units / max(seconds[2] - seconds[1], 1e-9), (sizes_in_store[2] - sizes_in_store[1]) / units, about)


def stand_in(modality: str, folder: Path) -> Path:
    """A checkpoint of BERT-base or wav2vec2-base with random weights, and a vocabulary of the sentence's words."""
    import transformers

    if modality == "text":
        words = sorted(set(re.findall(r"\w+|[^\w\s]", SENTENCE.lower())))
        vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
        transformers.BertTokenizer(vocab={word: place for place, word in enumerate(vocabulary)}).save_pretrained(folder)
        transformers.BertModel(transformers.BertConfig()).save_pretrained(folder)
    else:
        extractor: Any = transformers.Wav2Vec2FeatureExtractor
        extractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
        transformers.Wav2Vec2Model(transformers.Wav2Vec2Config()).save_pretrained(folder)
    return folder


def _corpus(root: Path, modality: str, film: Film, sizes: Sequence[int]) -> Path:
    rows = []
    for session, size in zip((FEW, MANY), sizes, strict=True):
        if modality == "video":
            _write_film(root / f"{session}.avi", film, size)
        for number in range(size):
            values = dict.fromkeys(COLUMNS, "") | {"utterance": f"{session}_{number:05}", "session": session}
            values |= {"text": SENTENCE, "crop": film.crop, "video": f"{session}.avi", "origin": "synthetic"}
            values |= {"video_start": str(number * SECONDS), "video_end": str((number + 1) * SECONDS)}
            if modality == "speech":
                values["audio"] = _write_wave(root, session, number)
            rows.append(values)
    write_csv(root / "manifest.csv", [*COLUMNS, "origin"], rows)
    return root / "manifest.csv"


def _write_wave(root: Path, session: str, number: int) -> str:
    import soundfile

    name = f"{session}{number}.wav"
    noise = np.random.default_rng(number).normal(0, 0.1, round(SECONDS * 16_000))
    soundfile.write(root / name, noise, 16_000, subtype="PCM_16")
    return name


def _write_film(path: Path, film: Film, utterances: int) -> None:
    """A drawn face before black, moving."""
    from extractors.demo.face import HEIGHT, WIDTH, Actor
    from extractors.demo.film import Camera, Screen, write_film

    rate = Fraction(film.rate)
    width = film.width // 2 if film.crop != "full" else film.width
    screen = Screen(film.height, film.width, (film.height - HEIGHT) // 2, ((width - WIDTH) // 2,))
    camera = Camera(Actor("1F", 0), (), np.random.default_rng(0))
    write_film(path, screen, [camera], np.zeros(round(utterances * SECONDS * 16_000), np.int16), rate)
