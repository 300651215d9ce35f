from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.corpora import COLUMNS, Utterance
from extractors.files import write_csv

LETTERS = "abcdefghijklmnopqrstuvwxyz"
Picture = NDArray[np.uint8]


@dataclass
class Small:
    """A small corpus: put media under `root`, add rows, run verbs as the command line does."""

    root: Path
    rows: list[Utterance] = field(default_factory=list)

    def add(self, name: str, session: str = "1", **values: object) -> None:
        columns = dict.fromkeys(COLUMNS, "") | dict.fromkeys(
            ("audio_start", "audio_end", "video_start", "video_end"), None
        )
        known = {"utterance": name, "dialogue": "d", "session": session, "label": "sad", "crop": "full"}
        self.rows.append(Utterance(**{**columns, **known, **values}))  # type: ignore[arg-type]

    def manifest(self) -> Path:
        path = self.root / "manifest.csv"
        rows = [{**asdict(row), "origin": "synthetic"} for row in sorted(self.rows, key=lambda row: row.utterance)]
        write_csv(path, [*COLUMNS, "origin"], rows)
        return path

    def run(self, verb: ModuleType, out: str, *extra: str) -> Path:
        parser = argparse.ArgumentParser()
        verb.add_arguments(parser)
        common = ["--manifest", str(self.manifest()), "--root", str(self.root), "--origin", "synthetic"]
        path = self.root / out
        verb.main(parser.parse_args([*common, "--device", "cpu", "--out", str(path), *extra]))
        return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: many small operations on several threads crawl on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def save_model(folder: Path, kind: str, sizes: dict[str, Any]) -> None:
    """A model of random weights, biases and running statistics."""
    import torch
    from transformers import AutoConfig, AutoModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(AutoConfig.for_model(kind, **sizes))
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                if tensor.is_floating_point() and tensor.ndim == 1:
                    tensor += 0.2 * torch.rand_like(tensor)
        model.save_pretrained(folder)


@pytest.fixture(scope="session")
def text_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Maker of small text encoders in Hugging Face format, with a letter-by-letter WordPiece vocabulary."""

    @cache
    def make(kind: str, **sizes: Any) -> Path:
        from transformers import BertTokenizer

        folder = tmp_path_factory.mktemp(kind)
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), "."]
        BertTokenizer(vocab={word: index for index, word in enumerate(words)}).save_pretrained(folder)
        known = {"vocab_size": len(words), "max_position_embeddings": 64, "pad_token_id": 0}
        save_model(folder, kind, {**SIZES, **known, **sizes})
        return folder

    return make


@pytest.fixture(scope="session")
def speech_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Maker of narrow speech encoders in Hugging Face format, with the usual convolutions."""

    @cache
    def make(kind: str, **sizes: Any) -> Path:
        from transformers import Wav2Vec2FeatureExtractor

        folder = tmp_path_factory.mktemp(kind)
        extractor: Any = Wav2Vec2FeatureExtractor
        extractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
        known = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
        save_model(folder, kind, {**SIZES, **known, **sizes})
        return folder

    return make


@pytest.fixture(scope="session")
def bert_folder(text_folder: Callable[..., Path]) -> Path:
    """A small BERT."""
    return text_folder("bert")


@pytest.fixture(scope="session")
def wav2vec2_folder(speech_folder: Callable[..., Path]) -> Path:
    """A narrow wav2vec2 with group norm."""
    return speech_folder("wav2vec2", feat_extract_norm="group")


@pytest.fixture(scope="session")
def denseface_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of Denseface."""
    import torch
    from safetensors.torch import save_file

    from extractors.denseface.network import Denseface

    path = tmp_path_factory.mktemp("denseface") / "weights.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        save_file(Denseface().state_dict(), path)
    return path


@pytest.fixture(scope="session")
def face() -> Picture:
    """A portrait of 240 x 240 pixels that MTCNN finds."""
    from skimage import data

    astronaut: Any = data.astronaut
    portrait: Picture = astronaut()[0:240, 110:350]
    return portrait


@pytest.fixture(scope="session")
def write_avi() -> Callable[[Path, Sequence[Picture], str], None]:
    """Writer of MPEG-4 in AVI; the rate is text such as 30000/1001."""

    def write(path: Path, pictures: Sequence[Picture], rate: str) -> None:
        from fractions import Fraction

        import av

        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=Fraction(rate))
            stream.height, stream.width = pictures[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 8_000_000
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))

    return write
