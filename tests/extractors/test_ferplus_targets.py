"""The target modes against a plain loop over the rows, and the published sizes from real votes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import ferplus
from extractors.ferplus_targets import EMOTIONS, MAJORITY_CLASSES, MODES, SIZES, split_targets, targets

VOTES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "ferplus" / "fer2013new.csv"

Target = list[float] | None


def without_single_votes(row: list[int]) -> list[int]:
    return [number if number > 1 else 0 for number in row]


def plain_majority(row: list[int]) -> Target:
    counts = without_single_votes(row)
    for emotion in range(8):
        if counts[emotion] > sum(counts) / 2:
            return [float(place == emotion) for place in range(8)]
    return None


def plain_probability(row: list[int]) -> Target:
    left = dict(enumerate(without_single_votes(row)))
    total = sum(left.values())
    taken: dict[int, int] = {}
    while sum(taken.values()) < 0.75 * total and len(taken) < 3:
        largest = max(left.values())
        group = [column for column in left if left[column] == largest]
        for column in group:
            if column < 8:
                taken[column] = left[column]
            del left[column]
        if 8 in group or 9 in group:
            break
    if total == 0 or sum(taken.values()) <= total / 2 or len(taken) > 3:
        return None
    return [taken.get(emotion, 0) / sum(taken.values()) for emotion in range(8)]


def plain_multi_target(row: list[int]) -> Target:
    counts = without_single_votes(row)
    total = sum(counts)
    marked = [column for column in range(10) if total and counts[column] * 10 >= total * 3]
    if sum(counts[column] for column in marked) <= total / 2 or counts.index(max(counts)) >= 8:
        return None
    return [1.0 if emotion in marked else 0.0 for emotion in range(8)]


PLAIN = {
    "majority": plain_majority,
    "probability": plain_probability,
    "cross_entropy": plain_probability,
    "multi_target": plain_multi_target,
}


@st.composite
def vote_rows(draw: st.DrawFn) -> list[int]:
    """Nine or ten voters who agree on few columns, so that ties and halves are common; at times any numbers."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.lists(st.integers(0, 10), min_size=10, max_size=10))
    columns = draw(st.lists(st.integers(0, 9), min_size=1, max_size=5))
    voters = draw(st.sampled_from((9, 10, 10)))
    chosen = draw(st.lists(st.sampled_from(columns), min_size=voters, max_size=voters))
    return [chosen.count(column) for column in range(10)]


@pytest.mark.parametrize("mode", MODES)
@given(rows=st.lists(vote_rows(), min_size=1, max_size=15))
def test_every_mode_equals_the_plain_loop(mode: str, rows: list[list[int]]) -> None:
    expected = {index: target for index, row in enumerate(rows) if (target := PLAIN[mode](row)) is not None}
    found, kept = targets(np.array(rows, np.uint8), mode)
    assert kept.tolist() == list(expected)
    assert found.dtype == np.float32
    assert found.shape == (len(expected), 8)
    assert np.allclose(found, np.array(list(expected.values())).reshape(-1, 8), atol=1e-7)


def row(**votes: int) -> list[int]:
    return [votes.get(name, 0) for name in (*EMOTIONS, "unknown", "nf")]


@pytest.mark.parametrize(
    ("mode", "votes", "expected"),
    [
        ("majority", row(anger=6, fear=4), {"anger": 1}),
        ("majority", row(anger=5, fear=5), None),
        ("majority", row(anger=4, fear=3, sadness=1, disgust=1, neutral=1), {"anger": 1}),
        ("majority", row(anger=4, unknown=6), None),
        ("majority", row(anger=1, fear=1, sadness=1, unknown=1, nf=1), None),
        ("majority", row(nf=10), None),
        ("probability", row(anger=8, fear=2), {"anger": 1}),
        ("probability", row(anger=7, fear=3), {"anger": 0.7, "fear": 0.3}),
        ("probability", row(anger=3, fear=3, sadness=2, disgust=2), None),
        ("probability", row(anger=4, fear=2, sadness=2, disgust=2), None),
        ("probability", row(anger=4, fear=3, sadness=2), {"anger": 4 / 7, "fear": 3 / 7}),
        ("probability", row(anger=4, unknown=4, fear=2), None),
        ("probability", row(anger=3, fear=3, unknown=4), None),
        ("probability", row(anger=6, unknown=2, fear=2), {"anger": 0.75, "fear": 0.25}),
        ("probability", row(anger=5, unknown=3, fear=2), None),
        ("multi_target", row(anger=5, fear=3, sadness=2), {"anger": 1, "fear": 1}),
        ("multi_target", row(anger=4, sadness=2, fear=2, disgust=2), None),
        ("multi_target", row(anger=4, unknown=4, fear=2), {"anger": 1}),
        ("multi_target", row(anger=3, unknown=4, fear=3), None),
        ("multi_target", row(), None),
    ],
)
def test_rows_by_hand(mode: str, votes: list[int], expected: dict[str, float] | None) -> None:
    found, kept = targets(np.array([votes]), mode)
    assert len(kept) == (expected is not None)
    for target in found:
        assert target.tolist() == pytest.approx([(expected or {}).get(name, 0) for name in EMOTIONS])


def test_only_the_training_split_gets_another_mode() -> None:
    shared = row(anger=5, fear=5)
    votes = np.array([row(nf=10), shared, shared, row(fear=9), shared, row(anger=8)])
    usage = np.array(["Training"] * 3 + ["PublicTest"] * 2 + ["PrivateTest"])
    found, rows = split_targets(votes, usage, "train", "probability")
    assert rows.tolist() == [1, 2]
    assert found[:, 4].tolist() == [0.5, 0.5]
    for split, index in (("valid", 3), ("test", 5)):
        found, rows = split_targets(votes, usage, split, "probability")
        assert (rows.tolist(), found.tolist()) == ([index], targets(votes[[index]], "majority")[0].tolist())
    assert split_targets(votes[:3], usage[:3], "test", "majority")[0].shape == (0, 8)


def test_wrong_words_and_shapes() -> None:
    votes, usage = np.array([row(anger=8)]), np.array(["Training"])
    for split, mode in (("validation", "majority"), ("test", "crossentropy")):
        with pytest.raises(ValueError, match="is none of"):
            split_targets(votes, usage, split, mode)
    with pytest.raises(ValueError, match="is none of"):
        targets(votes, "crossentropy")
    with pytest.raises(ValueError, match="shape"):
        targets(votes[:, :8], "majority")


@pytest.mark.skipif(not VOTES.is_file(), reason="no test data beside the checkout")
def test_published_sizes_from_the_real_votes() -> None:
    table = ferplus.read_votes(VOTES)
    for split, usage in (("train", "Training"), ("valid", "PublicTest")):
        votes = table.votes[table.usage == usage]
        assert {mode: len(targets(votes, mode)[1]) for mode in MODES} == {mode: SIZES[mode][split] for mode in MODES}
        found, rows = split_targets(table.votes, table.usage, split, "majority")
        assert (table.usage[rows] == usage).all()
        valid = (1182, 865, 415, 351, 287, 24, 62, 13)
        assert tuple(found.sum(0)) == MAJORITY_CLASSES.get(split, valid)
        simple = (int((votes.argmax(1) < 8).sum()), int(votes[:, :8].any(1).sum()))
        assert simple == {"train": (28_389, 28_559), "valid": (3_553, 3_579)}[split]
    assert table.votes[10_435].sum() == 9
    assert (table.votes.sum(1) != 10).sum() == 1
    assert table.names.count("") == 158


def test_class_counts_add_up_to_the_sizes() -> None:
    assert {split: sum(row) for split, row in MAJORITY_CLASSES.items()} == {"train": 25_060, "test": 3_153}
