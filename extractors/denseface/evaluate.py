"""Verb `denseface evaluate`: weights on a split of FER+, 64 x 64 pixels, float32."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors import device, ferplus
from extractors.ferplus_targets import EMOTIONS, SPLITS, split_targets
from extractors.files import UserError, publish, sha256, write_csv, write_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    ferplus.add_arguments(parser)
    parser.add_argument("--weights", type=Path, help="a file of `denseface train`; the shipped weights if absent")
    parser.add_argument("--split", choices=tuple(SPLITS), default="valid", help="valid: PublicTest, test: PrivateTest")
    parser.add_argument("--out-dir", type=Path, help="predictions.csv, scores.json and confusion.png; none if absent")
    device.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Print the scores on the rows of target mode majority; write them, the predictions and a picture."""
    place = device.start(args)

    from extractors.denseface import network, pictures
    from extractors.denseface.inference import Features
    from extractors.denseface.training import SIDE, logits, rows

    model, name = network.load(args.weights)
    recipe = network.recipe(args.weights)
    faces = ferplus.read(args.images, args.votes)
    part = rows(faces, args.split, "majority", place)
    if not len(part):
        raise UserError(f"{args.images}: no row with Usage {SPLITS[args.split]}; choose another --split")
    features = Features(model.to(place))
    found = logits(lambda faces: model.classifier(features(faces)), part.pictures, SIDE, recipe)
    truth = part.targets.argmax(1).cpu().numpy()
    scores = measure(truth, found.argmax(1))
    print("\n".join(report(scores)))
    if args.out_dir is None:
        return
    _, kept = split_targets(faces.votes, faces.usage, args.split, "majority")
    write_csv(
        args.out_dir / "predictions.csv",
        ("row", "image", "label", "predicted", *_COLUMNS),
        _table(faces, kept, truth, found),
    )
    origin = {"weights": name, "weights_sha256": sha256(args.weights or network.SHIPPED), "split": args.split}
    write_json(args.out_dir / "scores.json", origin | scores)
    with publish(args.out_dir / "confusion.png") as draft:
        title = f"Denseface on FER+ {args.split} ({SPLITS[args.split]}), {len(part)} faces"
        pictures.confusion(np.array(scores["confusion"]), title).savefig(draft, dpi=120)


_COLUMNS = tuple(f"p_{name}" for name in EMOTIONS)


def measure(truth: NDArray[np.integer[Any]], chosen: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """Faces, accuracy, mean class recall and recall of each class in per cent, confusion[truth][chosen] in faces.

    Recall is None for a class that has no face, and the mean is over the others.
    """
    confusion = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    np.add.at(confusion, (truth, chosen), 1)
    faces = confusion.sum(1)
    recalls = [100 * float(confusion[k, k] / faces[k]) if faces[k] else None for k in range(len(EMOTIONS))]
    return {
        "faces": len(truth),
        "accuracy": 100 * float(np.trace(confusion) / len(truth)),
        "mean_class_recall": float(np.mean([recall for recall in recalls if recall is not None])),
        "recall": dict(zip(EMOTIONS, recalls, strict=True)),
        "class_faces": dict(zip(EMOTIONS, faces.tolist(), strict=True)),
        "confusion": confusion.tolist(),
    }


def report(scores: dict[str, Any]) -> list[str]:
    """Lines for the reader."""
    lines = [
        f"{scores['faces']} faces: accuracy {scores['accuracy']:.2f} %, "
        f"mean class recall {scores['mean_class_recall']:.2f} %",
        f"{'recall':12}{'%':>7}{'faces':>7}",
    ]
    for name, recall in scores["recall"].items():
        lines.append(f"{name:12}{'-' if recall is None else format(recall, '.2f'):>7}{scores['class_faces'][name]:>7}")
    return lines


def _table(
    faces: ferplus.Faces, kept: NDArray[np.int64], truth: NDArray[np.int64], found: NDArray[np.float32]
) -> list[dict[str, object]]:
    """A row per face; probabilities have six decimals."""
    likely = np.exp(found - found.max(1, keepdims=True))
    likely /= likely.sum(1, keepdims=True)
    return [
        {"row": int(row), "image": faces.names[row], "label": EMOTIONS[label], "predicted": EMOTIONS[shares.argmax()]}
        | {column: f"{share:.6f}" for column, share in zip(_COLUMNS, shares, strict=True)}
        for row, label, shares in zip(kept, truth, likely, strict=True)
    ]
