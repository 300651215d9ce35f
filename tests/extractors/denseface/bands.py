"""Made-up FER+ rows whose emotion is the height of a bright band."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from extractors.ferplus import IMAGE_COLUMNS, VOTE_COLUMNS, Faces
from extractors.ferplus_targets import SPLITS


def bands(train: int, valid: int, seed: int = 0) -> Faces:
    """`train` and `valid` rows of each emotion, which gets 7 of 10 votes; the next one gets the others."""
    rng = np.random.default_rng(seed)
    count = 8 * (train + valid)
    emotion = np.arange(count) % 8
    images = rng.integers(0, 60, (count, 48, 48), dtype=np.uint8)
    for image, place in zip(images, emotion, strict=True):
        image[6 * place : 6 * place + 6] += 180
    votes = np.zeros((count, 10), np.int64)
    votes[np.arange(count), emotion] = 7
    votes[np.arange(count), (emotion + 1) % 8] = 3
    usage = np.array([SPLITS["train"]] * 8 * train + [SPLITS["valid"]] * 8 * valid)
    return Faces(votes, usage, tuple(f"fer{row:07}.png" for row in range(count)), images)


def write_bands(folder: Path, train: int, valid: int) -> tuple[Path, Path]:
    """fer2013.csv and fer2013new.csv of such rows."""
    faces = bands(train, valid)
    pixels = [" ".join(map(str, image.ravel().tolist())) for image in faces.images]
    votes = [",".join(map(str, row)) for row in faces.votes.tolist()]
    tables = {
        "fer2013.csv": [IMAGE_COLUMNS, *zip([0] * len(pixels), pixels, faces.usage, strict=True)],
        "fer2013new.csv": [VOTE_COLUMNS, *zip(faces.usage, faces.names, votes, strict=True)],
    }
    for name, rows in tables.items():
        (folder / name).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return folder / "fer2013.csv", folder / "fer2013new.csv"
