"""How often the bootstrap finds a difference that is not there, with the geometry of IEMOCAP."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.calibration import World, measured


@pytest.mark.parametrize("over_dialogues", [0, 10, 15])
def test_dialogues_hold_five_percent_where_true_differences_vary_over_them(over_dialogues: float) -> None:
    result = measured(World(over_dialogues=over_dialogues), "dialogue", worlds=20, pairs=100, draws=1000)
    assert ((result.found > 3) & (result.found < 7)).all()
    assert ((result.covered > 93) & (result.covered < 97)).all()


@pytest.mark.parametrize(("over_dialogues", "least"), [(10, 9), (15, 18)])
def test_utterances_do_not(over_dialogues: float, least: float) -> None:
    result = measured(World(over_dialogues=over_dialogues), "utterance", worlds=2, pairs=200, draws=300)
    assert (result.found > least).all()
    assert (result.covered < 100 - least).all()


def test_an_interval_holds_a_difference_that_is_there() -> None:
    result = measured(World(over_dialogues=15, mean=4), "dialogue", worlds=10, pairs=100, draws=1000)
    assert (result.found > 50).all()
    assert ((result.covered > 93) & (result.covered < 97)).all()


@pytest.mark.parametrize(("folds", "dialogues"), [(3, 4), (3, 8), (5, 6)])
def test_few_dialogues_hold_it_too(folds: int, dialogues: int) -> None:
    """With four a fold, those of all folds are drawn together."""
    result = measured(World(folds, dialogues, over_dialogues=15), "dialogue", worlds=20, pairs=100, draws=1000)
    assert ((result.found > 2.5) & (result.found < 7)).all()


def test_speakers_hold_it_where_true_differences_vary_over_them_and_dialogues_do_not() -> None:
    world = World(over_speakers=3)
    speakers, dialogues = (measured(world, unit, worlds=20, pairs=100, draws=1000) for unit in ("speaker", "dialogue"))
    assert ((speakers.found > 3) & (speakers.found < 7)).all()
    assert (dialogues.found > 12).all()


def test_a_world_has_the_difference_that_it_is_said_to_have() -> None:
    folds = World(over_dialogues=10, mean=4).draw(400, np.random.default_rng(0))
    assert len(folds) == 5
    sizes = [len(set(fold["dialogue"].units)) for fold in folds]
    assert sizes == [30] * 5
    assert {len(set(fold["speaker"].units)) for fold in folds} == {2}
    lengths = [np.unique(fold["dialogue"].units, return_counts=True)[1] for fold in folds]
    assert np.mean(lengths) == pytest.approx(37, rel=0.05)
    assert np.std(lengths) > 8
    right = np.concatenate([fold["dialogue"].right for fold in folds])
    assert 100 * right.mean() == pytest.approx(4, abs=0.3)
