"""A writer of small trees in the layout of IEMOCAP, and corpora put together from real media."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
APPLE_DOUBLE = bytes.fromhex("0005160700020000") + bytes(64)
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


@dataclass
class Line:
    """A turn to be written: `F000`, times in seconds, label code, text."""

    number: str
    start: float
    end: float
    code: str
    text: str = "Hello  there."


def label_block(name: str, line: Line) -> str:
    """One turn of a label file with votes, free comments, a missing `dom` and values outside the scale."""
    return (
        f"[{line.start:.4f} - {line.end:.4f}]\t{name}_{line.number}\t{line.code}\t[5.5000, 3.0000, 0.5000]\n"
        "C-E2:\tNeutral;\t()\nC-E3:\tFrustration; Anger;\t(maybe; [6.0 - 7.0] acted)\nC-F1:\tSadness;\t()\n"
        "A-E3:\tval 3; act 2; dom  ;\t()\n\n"
    )


def picture_file(path: Path) -> None:
    """Small MPEG-4 pictures in an AVI container, one a second for 16 seconds."""
    with av.open(str(path), "w", format="avi") as out:
        stream = out.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(16):
            picture = np.full((48, 64, 3), 15 * shade, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


class Tree:
    """A corpus folder that grows dialogue by dialogue, with the junk that real copies have."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir(parents=True)

    def labels(self, name: str) -> Path:
        return self.root / f"Session{name[4]}" / "dialog" / "EmoEvaluation" / f"{name}.txt"

    def transcript(self, name: str) -> Path:
        return self.root / f"Session{name[4]}" / "dialog" / "transcriptions" / f"{name}.txt"

    def avi(self, name: str) -> Path:
        return self.root / f"Session{name[4]}" / "dialog" / "avi" / "DivX" / f"{name}.avi"

    def wav(self, utterance: str) -> Path:
        return self.root / f"Session{utterance[4]}/sentences/wav/{utterance.rsplit('_', 1)[0]}/{utterance}.wav"

    def dialogue(self, name: str, lines: Sequence[Line], media: bool = True) -> None:
        """Label file, transcript, sentence wavs of 0.1 s and the video of one dialogue."""
        for path in (self.labels(name), self.transcript(name), self.avi(name), self.wav(f"{name}_F000")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f"._{path.name}").write_bytes(APPLE_DOUBLE)
            (path.parent / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
        by_speaker = sorted(lines, key=lambda line: (line.number[0], line.start))
        self.labels(name).write_text(HEADER + "".join(label_block(name, line) for line in by_speaker))
        for kind in ("Attribute", "Categorical", "Self-evaluation"):
            extra = self.labels(name).parent / kind / f"{name}_e2.txt"
            extra.parent.mkdir(exist_ok=True)
            extra.write_text(f"{name}_F000 :Anger; ()\n")
        said = [
            f"{name}_{line.number} [{line.start:08.4f}-{line.end:08.4f}]: {line.text}\nM: Okay.\n"
            for line in sorted(lines, key=lambda line: line.start)
        ]
        unlabelled = [f"{name}_FXX0 [001.0000-001.5000]: Mm.\n"] * 2 + [f"{name}_MXX1 [002.0000-002.5000]: \n"]
        self.transcript(name).write_text("".join(said + unlabelled))
        if media:
            picture_file(self.avi(name))
            for line in lines:
                soundfile.write(self.wav(f"{name}_{line.number}"), np.zeros(1600), 16_000, "PCM_16")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """An empty tree."""
    return Tree(tmp_path / "corpus")


@pytest.fixture
def line() -> type[Line]:
    """The class of the turns that a tree takes."""
    return Line


@pytest.fixture(scope="session")
def composite(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Builds a corpus out of real media, each once; skips where there are none."""
    tool = SHARED / "tools" / "make_composite.py"
    if not tool.is_file():
        pytest.skip("no test data beside the checkout")

    @cache
    def build(*options: str) -> Path:
        root = tmp_path_factory.mktemp("composite") / "corpus"
        size = ["--utterances-per-speaker", "4", "--jobs", "2"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(tool), *size, "--out", str(root), *options]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return root

    return build
