from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.data import Dataset, Packed
from cmarr.engine import fit, probabilities, rate_factor
from cmarr.settings import Training
from cmarr.systems.base import SystemModule
from cmarr.vocabulary import CONDITIONS, MODALITIES
from extractors.files import UserError

TRAIN, VALIDATION = torch.arange(8), torch.arange(8, 12)


def dataset() -> Dataset:
    labels = torch.arange(12) % 4
    packed = {
        name: Packed(torch.zeros(12, 2), torch.arange(13), torch.zeros(12, dtype=torch.bool)) for name in MODALITIES
    }
    return Dataset([str(number) for number in range(12)], labels, packed, "abcd")


class Mock(SystemModule):
    """Scores well on validation in the early epochs only; what is trained is a counter of epochs."""

    patterns = CONDITIONS

    def __init__(self, good_epochs: tuple[int, ...], loss: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.good_epochs, self.value = good_epochs, loss
        self.seen: list[Tensor] = []

    def forward(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        epoch = int(self.steps) // 2  # two steps an epoch
        right = nn.functional.one_hot(batch.labels, 4).float()
        return right if epoch in self.good_epochs else -right

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.steps += 1
        self.seen.append(batch.available)
        return {"total": (self.weight - 1) ** 2 * self.value, "cls": self.weight}


def run(system: Mock, epochs: int = 4, batch: int = 4, **more):
    generator = torch.Generator().manual_seed(0)
    return fit(system, dataset(), TRAIN, VALIDATION, Training(epochs=epochs, batch_size=batch, **more), generator)


def test_the_best_validation_epoch_is_kept_and_ties_go_to_the_earlier() -> None:
    outcome = run(Mock(good_epochs=(2, 3)))
    assert outcome.best_epoch == 2
    assert int(outcome.state["steps"]) == 4
    assert [row["validation_uar"] for row in outcome.history] == [0, 100, 100, 0]


def test_patterns_are_drawn_uniformly_per_sample() -> None:
    system = Mock(good_epochs=(1,))
    run(system, epochs=60)
    drawn = torch.cat(system.seen)
    counts = torch.unique(drawn, dim=0, return_counts=True)[1]
    assert len(counts) == 7
    assert (counts - len(drawn) / 7).abs().max() < 5 * (len(drawn) / 7) ** 0.5


def test_a_last_batch_of_one_is_left_out() -> None:
    system = Mock(good_epochs=(1,))
    run(system, epochs=1, batch=7)
    assert [len(batch) for batch in system.seen] == [7]


def test_a_loss_that_is_not_finite_stops_the_job() -> None:
    with pytest.raises(UserError, match="not finite in epoch 1"):
        run(Mock(good_epochs=(1,), loss=float("nan")))


def test_the_schedule_rises_then_falls_to_zero() -> None:
    factors = [rate_factor(step, 100, Training(warm_up=0.1)) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0
    assert rate_factor(0, 10, Training(warm_up=0)) == 1
    assert {rate_factor(step, 10, Training(schedule="constant")) for step in range(11)} == {1}


def test_probabilities_do_not_depend_on_training_mode() -> None:
    system = Mock(good_epochs=(0,))
    system.train()
    found = probabilities(system, dataset(), torch.arange(12), "s")
    assert system.training
    assert found.shape == (12, 4)
    torch.testing.assert_close(found.sum(1), torch.ones(12))
