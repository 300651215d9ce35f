from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from benchmarks.linked import Linked, linked

Means = dict[str, NDArray[np.float64]]


def means(made: Linked) -> Means:
    """Standardised means over time, (utterances, dim) per modality."""
    found = {}
    for modality, values in made.values.items():
        ends = np.cumsum(made.lengths[modality])
        rows = np.stack([part.mean(0) for part in np.split(values, ends[:-1])])
        found[modality] = StandardScaler().fit(rows[made.parts["train"]]).transform(rows)
    return found


def within_classes(made: Linked, found: Means, seen: str, told: str) -> float:
    """Mean cosine between what a linear map of one modality tells of another and the truth, less the class means."""
    train, test = made.parts["train"], made.parts["test"]
    guess = Ridge(300).fit(found[seen][train], found[told][train]).predict(found[seen][test])
    true, labels = found[told][test], made.labels[test]
    for label in range(4):
        guess[labels == label] -= guess[labels == label].mean(0)
        true[labels == label] -= true[labels == label].mean(0)
    norms = np.linalg.norm(guess, axis=1) * np.linalg.norm(true, axis=1)
    return float(((guess * true).sum(1) / norms).mean())


def test_linked_modalities_tell_of_each_other_what_the_class_does_not() -> None:
    for link, least, most in ((1.0, 0.4, 1.0), (0.0, -0.1, 0.1)):
        made = linked(link=link)
        cosine = within_classes(made, means(made), "video", "text")
        assert least < cosine < most


def test_every_modality_has_its_known_signal() -> None:
    """Accuracy of a linear probe on test utterances, chance 25: words and voice below 65, the face above, all best."""
    made = linked()
    found, train, test = means(made), made.parts["train"], made.parts["test"]

    def probe(*modalities: str) -> float:
        both = np.concatenate([found[modality] for modality in modalities], axis=1)
        fitted = LogisticRegression(C=0.003, max_iter=1000).fit(both[train], made.labels[train])
        return 100 * float(fitted.score(both[test], made.labels[test]))

    assert 45 < probe("text") < 65
    assert 45 < probe("speech") < 65
    assert 60 < probe("video") < 80
    assert probe("text", "speech", "video") > 65


def test_parts_have_other_speakers_and_equal_classes() -> None:
    made = linked(train=40, validation=20, test=40, seed=3)
    speakers = [set(made.speakers[rows]) for rows in made.parts.values()]
    assert not speakers[0] & speakers[1]
    assert not (speakers[0] | speakers[1]) & speakers[2]
    assert all(len(set(np.bincount(made.labels[rows]))) == 1 for rows in made.parts.values())
    assert all(lengths.min() >= 2 for lengths in made.lengths.values())
