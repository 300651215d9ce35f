from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from extractors.denseface.training import Training, logits, rows
from extractors.settings import DensefaceRecipe
from tests.closeness import changed
from tests.extractors.denseface.bands import bands

CPU = torch.device("cpu")
SMALL = DensefaceRecipe(epochs=2, batch=8, sides=(16, 24), shift=0, rotation=0, warm_up=0.25)


def start(**changes: object) -> Training:
    recipe, faces = SMALL.model_copy(update=changes), bands(3, 1)
    return Training(recipe, *(rows(faces, split, recipe.targets, CPU) for split in ("train", "valid")))


def weights(training: Training) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in training.state()[0].items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def go(training: Training, steps: int) -> Training:
    for _ in range(steps):
        training.advance()
    return training


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_restored_training_goes_on_bit_for_bit(optimizer: str) -> None:
    whole, broken = start(optimizer=optimizer), start(optimizer=optimizer)
    assert whole.steps == 6
    go(broken, 4)
    resumed = start(optimizer=optimizer)
    tensors, values = broken.state()
    resumed.restore({key: value.clone() for key, value in tensors.items()}, values)
    go(whole, 6)
    go(resumed, 2)
    assert same(weights(whole), weights(resumed))
    assert whole.curve == resumed.curve


def test_the_seed_decides() -> None:
    one, again, other = (go(start(seed=seed), 2) for seed in (1, 1, 2))
    assert same(weights(one), weights(again))
    assert not same(weights(one), weights(other))


def test_every_training_row_comes_once_an_epoch_in_a_new_order() -> None:
    training = start()
    orders = [torch.cat([training._batch(3 * epoch + step) for step in range(3)]) for epoch in range(2)]
    assert all(sorted(order.tolist()) == list(range(24)) for order in orders)
    assert not torch.equal(*orders)


def test_learning_rate_rises_and_falls() -> None:
    training = start(epochs=100)
    rates = [training.learning_rate(step) for step in range(300)]
    assert rates[0] == pytest.approx(0.1 / 75)
    assert max(rates) == rates[75] == pytest.approx(0.1)
    assert np.all(np.diff(rates[:75]) > 0)
    assert np.all(np.diff(rates[75:]) < 0)
    assert 0 < rates[-1] < 1e-4
    middle = 75 + 225 // 2
    assert start(epochs=100, decay="linear").learning_rate(middle) == pytest.approx(0.05, abs=5e-4)
    assert start(epochs=100, decay="constant").learning_rate(299) == 0.1


def test_without_a_rise_and_within_an_epoch() -> None:
    training = start(warm_up=0.0, epochs=0.3)
    assert training.steps == 1
    assert training.learning_rate(0) == pytest.approx(0.1)
    go(training, 1)
    assert len(training.curve) == 1


def test_a_drawn_target_is_one_class_with_the_votes_shares() -> None:
    training = start(targets="probability", class_balance=0.0)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([training.targets(torch.arange(24), generator) for _ in range(400)])
    assert set(drawn.unique().tolist()) == {0, 1}
    assert bool((drawn.sum(2) == 1).all())
    torch.testing.assert_close(drawn.mean(0), training.train.targets, atol=0.12, rtol=0)


def test_picture_sides_have_equal_shares() -> None:
    assert [start().side(step) for step in range(6)] == [16, 16, 16, 24, 24, 24]


def test_classes_weigh_by_their_frequency() -> None:
    faces = bands(3, 1)
    train = rows(faces, "train", "majority", CPU)
    short = type(train)(train.pictures[:9], train.targets[:9])  # two neutral faces, one of each other
    recipe = SMALL.model_copy(update={"class_balance": 0.5})
    found = Training(recipe, short, short).weights
    assert float(found.mean()) == pytest.approx(1)
    assert float(found[1] / found[0]) == pytest.approx(2**0.5)
    even = Training(SMALL.model_copy(update={"class_balance": 0.0}), short, short).weights
    assert torch.equal(even, torch.ones(9))


def test_target_modes_differ_as_their_votes() -> None:
    assert set(start(targets="majority").train.targets.unique().tolist()) == {0, 1}
    shares = start(targets="cross_entropy").train.targets
    assert sorted(shares[0].tolist())[-2:] == pytest.approx([0.3, 0.7])
    losses = [go(start(targets=mode), 1).loss for mode in ("majority", "probability", "cross_entropy")]
    assert all(changed(*map(torch.tensor, pair)) for pair in combinations(losses, 2))


def test_the_average_follows_the_weights() -> None:
    training = start(average=0.5)
    key = "body.conv0.weight"
    expected = training.averaged[key].clone()
    for step in range(3):
        training.advance()
        share = max(0.5, 1 / (step + 1))
        expected = (1 - share) * expected + share * training.network.state_dict()[key]
    torch.testing.assert_close(training.averaged[key], expected)


def test_it_learns_bands() -> None:
    faces = bands(12, 3)
    recipe = SMALL.model_copy(update={"epochs": 8.0, "average": 0.8})
    training = Training(recipe, rows(faces, "train", "cross_entropy", CPU), rows(faces, "valid", "majority", CPU))
    go(training, training.steps)
    assert [row["epoch"] for row in training.curve] == list(range(1, 9))
    last = training.curve[-1]
    assert last["valid_accuracy"] >= 75  # guessing: 12.5; other seeds and kernels: 88 to 100
    assert last["train_loss"] < training.curve[0]["train_loss"]
    found = logits(training.averaged_network(), training.valid.pictures, 24, recipe).argmax(1)
    right = found == training.valid.targets.argmax(1).numpy()
    assert 100 * right.mean() == pytest.approx(last["valid_accuracy"], abs=10)  # float32 here, bfloat16 there
