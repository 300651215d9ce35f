"""What a feature store knows about the labels: a linear probe on time averages, leaving one session out.

    python benchmarks/probe.py --store results/features/iemocap/video.h5 --manifest results/corpora/iemocap/manifest.csv

An utterance is the mean of its valid frames, or zeros if there are none. The probe is a multinomial logistic regression
with balanced classes on features standardised over the training sessions. Nothing is tuned; with `--strength chosen`
the regularisation is, within the training sessions. Chance is 100 % divided by the number of classes. Composite
corpora show FER+ faces that Denseface was trained on, unless they were built with
`benchmarks/composite.py --unseen-faces`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cmarr.metrics import confusion, uar, war
from extractors.manifest import read_manifest
from extractors.store import FeatureStore, Frames

STRENGTHS = (1.0, 0.1, 0.01, 0.001, 0.0001)


def strength(word: str) -> float | None:
    return None if word == "chosen" else float(word)


def average(item: Frames) -> NDArray[np.float32]:
    """Mean (dim,) of the valid frames."""
    found: NDArray[np.float32] = item.values[item.valid].sum(0) / max(1, item.valid.sum())
    return found


def probe(
    features: NDArray[np.float32], labels: NDArray[np.int64], sessions: NDArray[np.str_], strength: float | None
) -> NDArray[np.int64]:
    """Labels (utterances,) predicted from features (utterances, dim) by probes that never saw the session.

    Without a strength, each probe chooses its own, leaving one of its training sessions out at a time.
    """
    found = np.empty_like(labels)
    for session in np.unique(sessions):
        test = sessions == session
        model: Any = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength or 1, class_weight="balanced", max_iter=5000)
        )
        known = features[~test], labels[~test]
        if strength is None:
            search = {"logisticregression__C": STRENGTHS}
            inner = LeaveOneGroupOut().split(*known, sessions[~test])
            model = GridSearchCV(model, search, scoring="balanced_accuracy", cv=list(inner))
        found[test] = model.fit(*known).predict(features[test])
    return found


def table(
    labels: NDArray[np.int64], found: NDArray[np.int64], sessions: NDArray[np.str_], classes: Sequence[str]
) -> Iterator[str]:
    """A line per session and one over all utterances: UAR, WAR and recall of each class in percent."""
    yield f"{'session':>8}{'utterances':>12}{'uar':>8}{'war':>8}" + "".join(f"{name:>10}" for name in classes)
    for session in [*np.unique(sessions), "all"]:
        part = sessions == session if session != "all" else np.ones(len(labels), bool)
        counts = confusion(labels[part], found[part], len(classes))
        recalls = 100 * counts.diagonal() / np.maximum(1, counts.sum(1))
        cells = "".join(f"{value:10.1f}" for value in recalls)
        yield f"{session:>8}{counts.sum():12}{uar(counts):8.1f}{war(counts):8.1f}{cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, required=True, help="feature store of any modality")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest.csv that the store was made from")
    parser.add_argument("--strength", type=strength, default=1.0, help="inverse of the regularisation, or `chosen`")
    args = parser.parse_args()
    rows = read_manifest(args.manifest)
    with FeatureStore(args.store) as store:
        items = [store[row.utterance] for row in rows]
        print(f"{args.store}: {store.attributes['encoder']}, {store.dim} values, origin {store.attributes['origin']}")
    empty = sum(not item.valid.any() for item in items)
    shares = [item.valid.mean() for item in items if len(item.valid)]
    print(f"{len(items)} utterances, {empty} without a valid frame; {100 * np.mean(shares):.1f} % of frames are valid")
    classes, labels = np.unique([row.label for row in rows], return_inverse=True)
    sessions = np.array([row.session for row in rows])
    found = probe(np.stack([average(item) for item in items]), labels, sessions, args.strength)
    print(*table(labels, found, sessions, list(classes)), sep="\n")


if __name__ == "__main__":
    main()
