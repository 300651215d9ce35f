from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.engine import _run, fit, probabilities
from cmarr.optimisation import optimizer_of
from cmarr.settings import CmArr
from cmarr.systems import build
from cmarr.vocabulary import MODALITIES
from extractors.files import UserError
from tests.cmarr.mock_training import TRAIN, Mock, Staged, dataset, run, task


def test_the_best_validation_epoch_is_kept_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    outcome = run(Mock(good_epochs=(2, 3)), tmp_path)
    assert outcome.best_epochs["main"] == 2
    assert int(outcome.best["steps"]) == 4
    assert [row["validation_mean_uar"] for row in outcome.history] == [0, 100, 100, 0]


def test_without_judges_the_last_epoch_is_kept(tmp_path: Path) -> None:
    outcome = run(Mock(good_epochs=(2,)), tmp_path, Choice("none", "mean_uar"))
    assert outcome.best_epochs["main"] == 4
    assert int(outcome.best["steps"]) == 8
    told = {"stage", "epoch", "steps", "learning_rate", "gradient_norm", "loss_total", "loss_cls"}
    assert set(outcome.history[0]) == told
    assert [row["steps"] for row in outcome.history] == [2] * 4


def test_scores_of_test_rows_are_called_so(tmp_path: Path) -> None:
    outcome = run(Mock(good_epochs=(3,)), tmp_path, Choice("test", "pooled_uar"))
    assert outcome.best_epochs["main"] == 3
    assert outcome.history[2]["test_pooled_uar"] == 100
    assert not any("validation" in key for key in outcome.history[0])


def test_patterns_are_drawn_uniformly_per_sample(tmp_path: Path) -> None:
    system = Mock(good_epochs=(1,))
    run(system, tmp_path, epochs=60)
    drawn = torch.cat(system.seen)
    counts = torch.unique(drawn, dim=0, return_counts=True)[1]
    assert len(counts) == 7
    assert (counts - len(drawn) / 7).abs().max() < 5 * (len(drawn) / 7) ** 0.5


def test_patterns_may_be_drawn_per_batch(tmp_path: Path) -> None:
    system = Mock(good_epochs=(1,))
    system.patterns_per = "batch"
    run(system, tmp_path, epochs=20)
    assert all((available == available[0]).all() for available in system.seen)
    assert len(torch.unique(torch.stack([available[0] for available in system.seen]), dim=0)) == 7


def test_every_epoch_sees_every_sample_once_in_another_order(tmp_path: Path) -> None:
    system = Mock(good_epochs=(1,))
    run(system, tmp_path, epochs=3)
    epochs = [torch.cat(system.labels[begin : begin + 2]) for begin in (0, 2, 4)]
    assert all(epoch.sort()[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3] for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_a_last_batch_of_one_is_left_out(tmp_path: Path) -> None:
    system = Mock(good_epochs=(1,))
    run(system, tmp_path, epochs=1, batch_size=7)
    assert [len(batch) for batch in system.seen] == [7]


def test_a_loss_that_is_not_finite_stops_the_job_with_step_parts_and_utterances(tmp_path: Path) -> None:
    system = Mock(good_epochs=(1,), bad_step=4)
    with pytest.raises(
        UserError, match=r"not finite in stage main, epoch 2, step 2 \(total inf, cls [\d.]+, grad"
    ) as problem:
        run(system, tmp_path)
    named = str(problem.value).split(": ")[-1].split()
    assert len(named) == 4
    assert sorted(int(name[1:]) % 4 for name in named) == sorted(system.labels[3].tolist())


def test_a_gradient_that_is_not_finite_stops_the_job_in_its_last_step_too(tmp_path: Path) -> None:
    class Sharp(Mock):
        def loss(self, batch: Batch) -> dict[str, Tensor]:
            parts = super().loss(batch)
            edge = (self.weight * 0).sqrt() if int(self.steps) == 8 else self.weight * 0
            return parts | {"total": parts["total"] + edge}

    with pytest.raises(
        UserError, match=r"not finite in stage main, epoch 4, step 2 \(total [\d.]+, .*gradient_norm nan\)"
    ):
        run(Sharp(good_epochs=(1,)), tmp_path, Choice("none", "mean_uar"))


def test_a_rising_test_score_does_not_move_the_choice_of_clean(tmp_path: Path) -> None:
    """Validation is best early, test late; which of them is judged is all that the choice depends on."""

    class Opposed(Mock):
        def forward(self, batch: Batch) -> Tensor:
            assert batch.labels is not None
            right = nn.functional.one_hot(batch.labels, 4).float()
            test = next(iter(batch.features.values()))[:, 0, 0] > 0
            epoch = int(self.steps) // 2
            return torch.where((test == (epoch > 2))[:, None], right, -right)

    values = torch.zeros(13, 2)
    values[4:8] = 1
    data = dataset(values)
    assert run(Opposed(()), tmp_path / "clean", data=data).best_epochs["main"] == 1
    tested = replace(task(tmp_path / "test", Choice("test", "mean_uar"), data), judged=torch.arange(4, 8))
    assert fit(Opposed(()), tested).best_epochs["main"] == 3


def test_probabilities_do_not_depend_on_training_mode_and_keep_the_order(tmp_path: Path) -> None:
    system, data = Mock(good_epochs=(0,)), dataset()
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), torch.tensor([3, 1, 2] * 4).cumsum(0)])
    data.packed = {
        name: replace(packed, values=torch.zeros(25, 2), offsets=offsets) for name, packed in data.packed.items()
    }
    system.train()
    rows = torch.tensor([7, 2, 4, 0])
    found = probabilities(system, data, rows, "s")
    assert not system.training
    assert found.argmax(dim=1).tolist() == [3, 2, 0, 0]
    torch.testing.assert_close(found.sum(1), torch.ones(4))


def test_a_stage_starts_from_the_chosen_epoch_of_the_one_before_and_trains_its_own_part_only(tmp_path: Path) -> None:
    system = Staged(good_epochs=(1,))
    outcome = fit(system, task(tmp_path))
    assert [(row["stage"], row["epoch"]) for row in outcome.history] == [
        (stage, epoch) for stage in ("first", "main") for epoch in (1, 2, 3)
    ]
    assert system.begun == 2  # steps of the chosen epoch, not of all three
    weight = outcome.best["weight"].item()
    assert 0 < weight == system.weight.item()
    offsets = torch.cat(system.targets)
    assert len(offsets) == 3 * len(TRAIN)
    torch.testing.assert_close(offsets, torch.full_like(offsets, weight / 2))
    assert outcome.best_epochs == {"first": 1, "main": 1}
    assert {key for key in outcome.history[0] if "uar" in key} == {"validation_uar_svt", "validation_mean_uar"}
    assert len({key for key in outcome.history[3] if "uar" in key}) == 8


def test_targets_are_those_of_their_utterance_wherever_the_training_rows_lie(tmp_path: Path) -> None:
    system = Staged(good_epochs=())
    fit(system, replace(task(tmp_path), train=torch.tensor([11, 4, 6, 9])))
    offsets = torch.cat(system.targets)
    torch.testing.assert_close(offsets, torch.full_like(offsets, system.weight.item() / 2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_not_waited_for_within_an_epoch() -> None:
    from extractors.console import counter

    device = torch.device("cuda")
    data = dataset(torch.randn(13, 6))
    data.labels = data.labels.to(device)
    data.packed = {name: replace(packed, values=packed.values.to(device)) for name, packed in data.packed.items()}
    system = build("cm_arr", CmArr(size="tiny"), dict.fromkeys(MODALITIES, 6), 4).to(device)
    (stage,) = system.stages()
    optimizer = optimizer_of(stage)
    generator = torch.Generator().manual_seed(0)
    with counter("training", "step", 8) as bar:
        for mode in ("default", "error"):  # the first pass loads kernels
            torch.cuda.set_sync_debug_mode(mode)
            _run(stage, data, None, list(TRAIN.split(4)), [1e-3] * 2, optimizer, generator, bar)
    torch.cuda.set_sync_debug_mode("default")
