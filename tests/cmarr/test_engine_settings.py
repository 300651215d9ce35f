"""Settings of a training that are off by default: patience, averaged scores and weights, class weights."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.data import Dataset, Packed
from cmarr.engine import fit, probabilities
from cmarr.optimisation import class_weights
from cmarr.settings import Training
from cmarr.systems.base import Stage, SystemModule, classification_loss
from cmarr.vocabulary import FULL, MODALITIES
from extractors.files import UserError
from tests.cmarr.mock_training import CLEAN, Mock, Scripted, Staged, dataset, run, task

NONE = Choice("none", "mean_uar")


def test_patience_ends_a_stage_that_no_longer_gets_better(tmp_path: Path) -> None:
    scores = (1, 2, 3, 1, 3, 2, 4, 4)
    outcome = run(Scripted(scores), tmp_path / "short", epochs=8, patience=3)
    assert [row["validation_mean_uar"] for row in outcome.history] == [25, 50, 75, 25, 75, 50]
    assert outcome.best_epochs["main"] == 3
    assert int(outcome.best["steps"]) == 6
    longer = run(Scripted(scores), tmp_path / "longer", epochs=8, patience=4)
    assert (len(longer.history), longer.best_epochs["main"]) == (8, 7)
    whole = run(Scripted(scores), tmp_path / "whole", epochs=8)
    assert longer.history == whole.history
    assert outcome.history == whole.history[:6]  # with the learning rates of eight epochs
    assert len({row["learning_rate"] for row in outcome.history}) == 6


def test_the_next_stage_starts_where_patience_ended_the_one_before(tmp_path: Path) -> None:
    class Patient(Staged):
        def stages(self) -> tuple[Stage, ...]:
            first, second = super().stages()
            return replace(first, training=Training(epochs=9, batch_size=4, patience=2)), second

    outcome = fit(system := Patient(good_epochs=(1,)), task(tmp_path))
    assert [row["stage"] for row in outcome.history] == ["first"] * 3 + ["main"] * 3
    assert system.begun == 2


@pytest.mark.parametrize("setting", [{"patience": 2}, {"score_window": 3}])
def test_settings_that_need_scores_are_refused_where_there_are_none(setting: dict[str, int], tmp_path: Path) -> None:
    (name,) = setting
    with pytest.raises(UserError, match=f"^stage main: .* no epoch .* {name} ") as problem:
        run(Mock(good_epochs=()), tmp_path, NONE, **setting)
    assert "\n" not in str(problem.value)


def test_a_window_keeps_the_epoch_with_the_best_mean_of_scores(tmp_path: Path) -> None:
    scores = (1, 4, 0, 2, 2, 3, 1, 1)
    outcome = run(Scripted(scores), tmp_path, epochs=8, score_window=3)
    raw = [25.0 * score for score in scores]
    assert [row["validation_mean_uar"] for row in outcome.history] == raw
    expected = []
    for place in range(8):
        seen = [raw[earlier] for earlier in (place - 2, place - 1, place) if earlier >= 0]
        expected.append(math.fsum(seen) / len(seen))
    assert [row["validation_mean_uar_smoothed"] for row in outcome.history] == pytest.approx(expected)
    assert outcome.best_epochs["main"] == 2  # 62.5: the mean of the two that there are
    later = run(Scripted((0, *scores)), tmp_path / "later", epochs=9, score_window=3)
    assert later.best_epochs["main"] == 7  # 58.3, where the raw scores have their best in epoch 3
    assert run(Scripted((0, *scores)), tmp_path / "raw", epochs=9).best_epochs["main"] == 3


def test_patience_waits_for_the_averaged_score(tmp_path: Path) -> None:
    scores = (1, 3, 1, 3, 3, 1, 1, 1, 1)
    outcome = run(Scripted(scores), tmp_path, epochs=9, score_window=2, patience=3)
    assert (len(outcome.history), outcome.best_epochs["main"]) == (8, 5)


class Recorded(Mock):
    """Remembers its weight at first, after each step, and whenever it is judged."""

    def __init__(self) -> None:
        super().__init__((2,))
        self.walk, self.judged = [self.weight.item()], []

    def stages(self) -> tuple[Stage, ...]:
        (stage,) = super().stages()
        return (replace(stage, after_step=lambda: self.walk.append(self.weight.item())),)

    def forward(self, batch: Batch) -> Tensor:
        self.judged.append(self.weight.item())
        return super().forward(batch)


def averaged(walk: list[float], decay: float) -> float:
    mean = walk[0]
    for step, weight in enumerate(walk[1:], 1):
        share = min(decay, (1 + step) / (10 + step))
        mean = share * mean + (1 - share) * weight
    return mean


@pytest.mark.parametrize("choice", [CLEAN, NONE])
def test_averaged_weights_are_judged_and_kept_but_not_trained(choice: Choice, tmp_path: Path) -> None:
    more = {"learning_rate": 0.1, "schedule": "constant"}
    system, plain = Recorded(), Recorded()
    outcome = run(system, tmp_path / "ema", choice, ema_decay=0.6, **more)
    run(plain, tmp_path / "plain", choice, **more)
    assert system.walk == plain.walk
    ends = [averaged(system.walk[: 2 * epoch + 1], 0.6) for epoch in (1, 2, 3, 4)]
    if choice is CLEAN:
        assert sorted(set(system.judged)) == pytest.approx(ends, abs=1e-5)
    kept = ends[1] if choice is CLEAN else ends[3]
    assert outcome.best["weight"].item() == pytest.approx(kept, abs=1e-5)
    assert abs(kept - system.walk[4 if choice is CLEAN else 8]) > 0.02


def test_the_next_stage_begins_with_averaged_weights(tmp_path: Path) -> None:
    class Averaged(Staged):
        def stages(self) -> tuple[Stage, ...]:
            first, second = super().stages()
            return replace(first, training=replace_(first.training, ema_decay=0.6, learning_rate=0.1)), second

        def start(self) -> None:
            self.started = self.weight.item()

    system = Averaged(good_epochs=(1,))
    outcome = fit(system, task(tmp_path))
    plain = fit(other := Staged(good_epochs=(1,)), task(tmp_path / "plain"))
    assert outcome.best["weight"].item() == system.started
    assert plain.best["weight"].item() == other.weight.item()
    offsets = torch.cat(system.targets)
    torch.testing.assert_close(offsets, torch.full_like(offsets, system.started / 2))


def replace_(settings: Training, **changes: object) -> Training:
    return Training.model_validate(settings.model_dump() | changes)


def test_class_weights_are_inverse_counts() -> None:
    labels = torch.tensor([2, 0, 0, 2, 0, 3])
    found = class_weights(labels, 5).tolist()
    assert found == pytest.approx([6 / (3 * 3), 0, 6 / (3 * 2), 6 / (3 * 1), 0])
    assert sum(found[label] for label in labels.tolist()) / 6 == pytest.approx(1)
    assert class_weights(torch.arange(8) % 4, 4).tolist() == [1, 1, 1, 1]


class Linear(SystemModule):
    """A linear classifier of the text's first frame."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.settings = Training.model_validate(
            {"epochs": 15, "learning_rate": 0.03, "schedule": "constant", **settings}
        )
        self.classify = nn.Linear(2, 4)

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(self.settings, self.loss, self, (self,), (FULL,)),)

    def forward(self, batch: Batch) -> Tensor:
        logits: Tensor = self.classify(next(iter(batch.features.values()))[:, 0])
        return logits

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        cls = classification_loss(self(batch), batch)
        return {"total": cls, "cls": cls}


def imbalanced() -> Dataset:
    """Three classes that overlap, one of them rare, and a fourth one that nobody has; every other row is held out."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.where(torch.arange(1200) // 2 % 15 == 0, 2, torch.arange(1200) // 2 % 2)
    centres = 1.5 * torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.5]])
    values = torch.cat([centres[labels] + torch.randn(1200, 2, generator=generator), torch.zeros(1, 2)])
    packed = {name: Packed(values, torch.arange(1201), torch.zeros(1200, dtype=torch.bool)) for name in MODALITIES}
    return Dataset([f"u{row}" for row in range(1200)], labels, packed, "abcd")


def test_balanced_weights_raise_the_recall_of_a_rare_class(tmp_path: Path) -> None:
    data, train, test = imbalanced(), torch.arange(0, 1200, 2), torch.arange(1, 1200, 2)
    recall = {}
    for setting in ("none", "balanced"):
        system = Linear(class_weights=setting, learning_rate=0.1)
        fit(system, replace(task(tmp_path / setting, NONE, data), train=train))
        guess = probabilities(system, data, test, "svt").argmax(dim=1)
        recall[setting] = [(guess == label)[data.labels[test] == label].float().mean().item() for label in range(3)]
    assert recall["balanced"][2] > recall["none"][2] + 0.3
    assert sum(recall["balanced"]) > sum(recall["none"]) + 0.15


def test_class_weights_come_from_training_utterances_alone(tmp_path: Path) -> None:
    weights = []
    for name, held_out in {"as it was": None, "all of the last class": 3}.items():
        data, train = imbalanced(), torch.arange(0, 1200, 2)
        if held_out is not None:
            data.labels[1::2] = held_out
        system = Linear(class_weights="balanced", epochs=1)
        weights.append(fit(system, replace(task(tmp_path / name, NONE, data), train=train)).best["classify.weight"])
    assert torch.equal(*weights)


def test_smoothed_labels_make_probabilities_less_sure(tmp_path: Path) -> None:
    data, rows = imbalanced(), torch.arange(1200)
    sure = {}
    for smoothing in (0.0, 0.3):
        system = Linear(label_smoothing=smoothing, learning_rate=0.1)
        fit(system, replace(task(tmp_path / str(smoothing), NONE, data), train=rows))
        sure[smoothing] = probabilities(system, data, rows, "svt").amax(dim=1).mean().item()
    assert sure[0.3] < sure[0.0] - 0.08


def test_neutral_values_change_no_bit(tmp_path: Path) -> None:
    """A window of one, patience that never ends: the same as without."""
    found = []
    for name, more in {"off": {}, "neutral": {"label_smoothing": 0.0, "score_window": 1, "patience": 99}}.items():
        outcome = fit(Linear(**more), task(tmp_path / name, CLEAN, dataset(torch.randn(13, 2).fill_(0.5))))
        found.append((outcome.history, outcome.best))
    assert found[0][0] == found[1][0]
    assert all(torch.equal(value, found[1][1][name]) for name, value in found[0][1].items())
