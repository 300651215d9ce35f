"""How FER+ faces are framed in terms of MTCNN's boxes, and what framing of film faces suits Denseface best.

    python benchmarks/framing.py --images ../shared/data/ferplus/fer2013.csv.gz \
        --votes ../shared/data/ferplus/fer2013new.csv --clips ../shared/data/clips

1. MTCNN looks at FER+ pictures of the validation rows, enlarged three times with half their side of grey around them:
   which margin and shift make a square out of its box that is the picture again, and how far the eyes are from level.
   The same angles and eye distances of the clips tell whether film differs.
2. The same pictures cut out again around MTCNN's box, with several margins: what a wrong framing costs.
3. Faces of the clips that have an emotion, cut out in several ways: agreement of Denseface with the label. Columns at
   the right are the log probabilities of each clip.

Agreement is the mean log probability of the label and the accuracy in percent, each clip counting the same. The clips
show two actors: they can tell a bad framing from a good one, not the best.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor
from torch.nn.functional import interpolate, log_softmax, pad

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from extractors import ferplus
from extractors.decode import frames
from extractors.denseface.inference import Features
from extractors.denseface.network import Denseface, load
from extractors.faces import SIDE, Box, Follower, cut, side_of, square
from extractors.ferplus_targets import EMOTIONS, split_targets
from extractors.files import read_csv
from extractors.settings import VideoEncoder
from extractors.upright import Image

SETTINGS = VideoEncoder()
DEFAULT = SETTINGS.margin
LABELS = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
ENLARGED, AROUND = 3 * ferplus.SIDE, 3 * ferplus.SIDE // 2
MARGINS = (-0.2, -0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
RECUT = (-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2, 0.3)
LIFTS = (-0.1, -0.05, 0.05, 0.1)
Sampler = Callable[["Face"], Tensor]


@dataclass(frozen=True, eq=False)
class Face:
    """A frame (height, width, RGB), MTCNN's box and eyes (2, 2) in it, the index of the emotion, and the source."""

    frame: Image
    box: Box
    eyes: NDArray[np.float64]
    label: int
    source: str

    @property
    def tilt(self) -> float:
        """Angle of the line through the eyes in degrees; positive when it falls to the right."""
        x, y = self.eyes[1] - self.eyes[0]
        return float(np.degrees(np.arctan2(y, x)))

    @property
    def eye_distance(self) -> float:
        """As a share of the box."""
        return float(np.linalg.norm(self.eyes[1] - self.eyes[0])) / side_of(self.box)


def detect(detector: MTCNN, images: Image) -> list[tuple[Any, Any, Any]]:
    """Boxes, probabilities and landmarks of each image."""
    return list(zip(*detector.detect(images, landmarks=True), strict=True))


def ferplus_faces(detector: MTCNN, images: Path, votes: Path, number: int) -> tuple[list[Face], int]:
    """Faces that MTCNN finds in `number` labelled pictures of the validation rows; boxes in the enlarged picture."""
    table = ferplus.read(images, votes)
    targets, rows = split_targets(table.votes, table.usage, "valid", "majority")
    chosen = np.unique(np.linspace(0, len(rows) - 1, number).astype(int))
    faces = []
    for part in np.array_split(chosen, max(1, len(chosen) // 16)):
        small = torch.from_numpy(table.images[rows[part]])[:, None].float()
        large = interpolate(small, size=(ENLARGED, ENLARGED), mode="bicubic").clamp(0, 255).round()
        shown = pad(large, [AROUND] * 4, value=128.0)
        found = detect(detector, shown.byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy())
        for row, picture, (boxes, likely, points) in zip(part, large, found, strict=True):
            if boxes is not None and max(likely) > SETTINGS.threshold:
                best = int(np.argmax(likely))
                frame = picture.byte().permute(1, 2, 0).expand(-1, -1, 3).numpy()
                box, eyes = boxes[best].astype(float) - AROUND, points[best][:2].astype(float) - AROUND
                faces.append(Face(frame, box, eyes, int(targets[row].argmax()), "FER+"))
    return faces, len(chosen)


def clip_faces(detector: MTCNN, folder: Path) -> tuple[list[Face], int]:
    """Faces of the clips with an emotion, ten frames a second, and the number of frames."""
    faces, total = [], 0
    for clip in read_csv(folder / "clips.csv"):
        if not clip["emotion"]:
            continue
        label = EMOTIONS.index(LABELS.get(clip["emotion"], clip["emotion"]))
        follower = Follower(SETTINGS.threshold, round(SETTINGS.frames_per_second))
        for tick, frame in frames(folder / clip["file"], range(10**6), SETTINGS.frames_per_second):
            if frame is None:
                continue
            total += 1
            ((boxes, likely, points),) = detect(detector, frame[None])
            best = None if boxes is None else follower.choose(tick, boxes.astype(float), likely.astype(float))
            if best is not None:
                faces.append(
                    Face(frame, boxes[best].astype(float), points[best][:2].astype(float), label, clip["file"])
                )
    return faces, total


def framing(face: Face) -> tuple[float, float, float]:
    """Margin, and shifts to the right and upwards, that turn the box into the enlarged picture; shares of the box."""
    side = side_of(face.box)
    right, down = (ENLARGED / 2 - (face.box[:2] + face.box[2:]) / 2) / side
    return (ENLARGED / side - 1) / 2, right, -down


def quartiles(name: str, values: Sequence[float]) -> None:
    """A row of the first table."""
    cells = "".join(f"{value:9.3f}" for value in np.percentile(values, (5, 25, 50, 75, 95)))
    print(f"{name:40}{cells}")


def framed(face: Face, margin: float = 0.0, up: float = 0.0) -> Tensor:
    """The face as stage 1 cuts it out, the box moved upwards by a share of its side."""
    return cut(face.frame, face.box - np.array([0, 1, 0, 1]) * up * side_of(face.box), margin)


def level(face: Face, margin: float) -> Tensor:
    """The same with the frame turned around the middle of the box until the eyes are level."""
    middle = tuple((face.box[:2] + face.box[2:]) / 2)
    turned = Picture.fromarray(face.frame).rotate(face.tilt, Picture.Resampling.BICUBIC, center=middle)
    return cut(np.asarray(turned), face.box, margin)


def direct(face: Face, margin: float) -> Tensor:
    """The face scaled to 64 pixels at once."""
    grey = square(face.frame, face.box, margin)
    return interpolate(grey[None, None], size=(SIDE, SIDE), mode="bilinear", antialias=True)[0, 0]


def untouched(face: Face) -> Tensor:
    """The whole frame."""
    return cut(face.frame, np.array([0.0, 0.0, ENLARGED, ENLARGED]), 0.0)


class Judge:
    """Rows of the tables of agreement."""

    def __init__(self, network: Denseface, faces: Sequence[Face]) -> None:
        self.features, self.classifier, self.faces = Features(network), network.classifier, faces
        self.sources = sorted({face.source for face in faces})

    def header(self, title: str) -> None:
        """Titles of the columns."""
        each = "".join(f"{Path(source).stem[-6:]:>8}" for source in self.sources) if len(self.sources) > 1 else ""
        print(f"\n{title:40}{'log prob':>9}{'accuracy':>9}  {each}")

    def __call__(self, name: str, sample: Sampler, mean: float = SETTINGS.mean, std: float = SETTINGS.std) -> None:
        """Print the agreement of the faces cut out by `sample`, and the log probability of each source."""
        pictures = torch.stack([sample(face) for face in self.faces])[:, None]
        with torch.inference_mode():
            parts = [self.classifier(self.features((part - mean) / std)) for part in pictures.split(64)]
        labels = torch.tensor([face.label for face in self.faces])
        log = log_softmax(torch.cat(parts), 1)
        right, log = (log.argmax(1) == labels).double(), log[torch.arange(len(labels)), labels].double()
        groups = [torch.tensor([face.source == source for face in self.faces]) for source in self.sources]
        each = [log[group].mean().item() for group in groups]
        accuracy = 100 * np.mean([right[group].mean().item() for group in groups])
        cells = "".join(f"{value:8.2f}" for value in each) if len(each) > 1 else ""
        print(f"{name:40}{np.mean(each):9.3f}{accuracy:9.1f}  {cells}", flush=True)


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="fer2013.csv, plain or gzipped")
    parser.add_argument("--votes", type=Path, required=True, help="fer2013new.csv")
    parser.add_argument("--clips", type=Path, required=True, help="folder of clips.csv")
    parser.add_argument("--weights", type=Path, help="Denseface weights; the shipped ones if absent")
    parser.add_argument("--pictures", type=int, default=1200, help="FER+ pictures to look at")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    begin = time.monotonic()
    network, weights = load(args.weights)
    detector = MTCNN(min_face_size=SETTINGS.min_face, select_largest=False)  # tells landmarks, too
    still, pictures = ferplus_faces(detector, args.images, args.votes, args.pictures)
    film, ticks = clip_faces(detector, args.clips)
    print(
        f"weights {weights}; a face in {len(still)} of {pictures} FER+ pictures, {len(film)} of {ticks} film frames\n"
    )

    print(f"{'percentile':40}" + "".join(f"{share:9}" for share in (5, 25, 50, 75, 95)))
    for name, values in zip(("margin", "to the right", "upwards"), zip(*map(framing, still), strict=True), strict=True):
        quartiles(f"FER+: {name}", values)
    for name, faces in (("FER+", still), ("film", film)):
        quartiles(f"{name}: eye distance / box", [face.eye_distance for face in faces])
        quartiles(f"{name}: tilt in degrees", [face.tilt for face in faces])

    judge = Judge(network, still)
    judge.header("FER+ faces cut out again")
    judge("untouched picture", untouched)
    for margin in RECUT:
        judge(f"margin {margin:g}", partial(framed, margin=margin))
    judge(f"margin {DEFAULT:g}, eyes level", partial(level, margin=DEFAULT))

    judge = Judge(network, film)
    judge.header("film faces")
    for margin in MARGINS:
        judge(f"margin {margin:g}", partial(framed, margin=margin))
    for up in LIFTS:
        judge(f"margin {DEFAULT:g}, up {up:g}", partial(framed, margin=DEFAULT, up=up))
    judge(f"margin {DEFAULT:g}, eyes level", partial(level, margin=DEFAULT))
    judge(f"margin {DEFAULT:g}, straight to 64 pixels", partial(direct, margin=DEFAULT))
    own = torch.stack([framed(face, DEFAULT) for face in film])
    mean, std = own.mean().item(), own.std().item()
    judge(f"margin {DEFAULT:g}, mean {mean:.0f}, std {std:.1f}", partial(framed, margin=DEFAULT), mean, std)
    print(f"\n{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
