from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.choice import Choice
from cmarr.config import kind_of
from cmarr.data import Dataset, Packed
from cmarr.engine import Fit, Task, _run, fit, probabilities
from cmarr.optimisation import optimizer_of
from cmarr.seeds import derive
from cmarr.settings import CmArr, Training
from cmarr.systems import build
from cmarr.systems.base import Stage, SystemModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CONDITIONS, MODALITIES
from extractors.files import UserError

TRAIN, VALIDATION = torch.arange(8), torch.arange(8, 12)
CLEAN = Choice("validation", "mean_uar")


def dataset(values: Tensor | None = None) -> Dataset:
    labels = torch.arange(12) % 4
    values = torch.zeros(13, 2) if values is None else values
    packed = {name: Packed(values, torch.arange(13), torch.zeros(12, dtype=torch.bool)) for name in MODALITIES}
    return Dataset([f"u{number}" for number in range(12)], labels, packed, "abcd")


class Mock(SystemModule):
    """Right in the good epochs only; what is trained is a counter of steps, two of them an epoch."""

    training_settings = Training(epochs=4, batch_size=4)
    patterns_per: Literal["sample", "batch"] = "sample"

    def __init__(self, good_epochs: Iterable[int], bad_step: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.good_epochs, self.bad_step = good_epochs, bad_step
        self.seen: list[Tensor] = []
        self.labels: list[Tensor] = []

    def stages(self) -> tuple[Stage, ...]:
        settings, per = self.training_settings, self.patterns_per
        return (Stage(settings, self.loss, self, (self,), CONDITIONS, patterns_per=per),)

    def forward(self, batch: Batch) -> Tensor:
        assert batch.labels is not None
        right = nn.functional.one_hot(batch.labels, 4).float()
        return right if int(self.steps) // 2 in self.good_epochs else -right

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        self.steps += 1
        self.seen.append(batch.available)
        self.labels.append(batch.labels)
        broken = torch.tensor(torch.inf if int(self.steps) == self.bad_step else 1.0)
        return {"total": (self.weight - 1) ** 2 * broken, "cls": self.weight.detach()}


def seeds(purpose: str, epoch: int) -> int:
    return derive("toy", purpose, epoch)


def run(system: Mock, folder: Path, choice: Choice = CLEAN, data: Dataset | None = None, **more: Any) -> Fit:
    system.training_settings = Training(**({"epochs": 4, "batch_size": 4} | more))
    return fit(system, task(folder, choice, data))


def task(folder: Path, choice: Choice = CLEAN, data: Dataset | None = None) -> Task:
    judged = VALIDATION if choice.rows != "none" else VALIDATION[:0]
    return Task(data or dataset(), TRAIN, judged, choice, seeds, TrainingState(folder, "f"))


def test_the_best_validation_epoch_is_kept_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    outcome = run(Mock(good_epochs=(2, 3)), tmp_path)
    assert outcome.best_epochs["main"] == 2
    assert int(outcome.best["steps"]) == 4
    assert [row["validation_mean_uar"] for row in outcome.history] == [0, 100, 100, 0]


def test_without_judges_the_last_epoch_is_kept(tmp_path: Path) -> None:
    outcome = run(Mock(good_epochs=(2,)), tmp_path, Choice("none", "mean_uar"))
    assert outcome.best_epochs["main"] == 4
    assert int(outcome.best["steps"]) == 8
    assert set(outcome.history[0]) == {"stage", "epoch", "learning_rate", "gradient_norm", "loss_total", "loss_cls"}


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
    with pytest.raises(UserError, match=r"not finite in epoch 2, step 2 \(total inf, cls [\d.]+, grad") as problem:
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

    with pytest.raises(UserError, match=r"not finite in epoch 4, step 2 \(total [\d.]+, .*gradient_norm nan\)"):
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


class KilledError(Exception):
    """In the middle of a step, as a power cut would."""


SHORT = {"training": {"epochs": 4, "batch_size": 4, "learning_rate": 0.01}}
SMALL = {"embedding": 8, "cascade_layers": (8, 4), "cascade_blocks": 2, "teacher": {"epochs": 3, "batch_size": 4}}
KINDS: dict[str, dict[str, Any]] = {
    "cm_arr": {"size": "tiny", "training": SHORT["training"] | {"epochs": 9}},
    "baseline": {"size": "tiny", "training": SHORT["training"] | {"epochs": 9}},
    "mmin": SMALL | SHORT,
    "if_mmin": SMALL | SHORT,
    "cif_mmin": SMALL | SHORT,
    "cra": SHORT | {"embedding": 8},
    "dicmor": {"size": "tiny", "complete": SMALL["teacher"]} | SHORT,
}


@pytest.mark.parametrize("rows", ["validation", "none"])
@pytest.mark.parametrize("name", KINDS)
def test_a_killed_training_ends_with_the_same_bits(
    name: str, rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at five random steps and started again, against one that ran through; the best epoch lies before some."""
    generator = torch.Generator().manual_seed(0)
    data = dataset(torch.randn(13, 6, generator=generator))
    settings = kind_of(name).model_validate(KINDS[name])

    def trained(folder: Path) -> tuple[Fit, dict[str, Tensor]]:
        torch.manual_seed(1)
        system = build(name, settings, dict.fromkeys(MODALITIES, 6), 4)
        return fit(system, task(folder, Choice(rows, "mean_uar"), data)), system.state_dict()

    whole, last = trained(tmp_path / "whole")
    chance = random.Random(5)
    kind = torch.optim.Adam if settings.training.optimizer == "adam" else torch.optim.AdamW
    step = kind.step
    for _ in range(5):
        left = chance.randrange(1, 5)

        def stumble(self: torch.optim.Optimizer, *more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise KilledError
            return step(self, *more)

        monkeypatch.setattr(kind, "step", stumble)
        with pytest.raises(KilledError):
            trained(tmp_path / "killed")
    monkeypatch.setattr(kind, "step", step)
    again, same = trained(tmp_path / "killed")
    assert again.history == whole.history
    assert again.best_epochs == whole.best_epochs
    for found, expected in ((again.best, whole.best), (same, last)):
        assert set(found) == set(expected)
        assert all(torch.equal(found[key], value) for key, value in expected.items())


class Staged(Mock):
    """Two stages; the second one starts from a copy of what the first one learned and needs to know its targets."""

    def __init__(self, good_epochs: Iterable[int]) -> None:
        super().__init__(good_epochs)
        torch.manual_seed(0)
        self.later = nn.Linear(1, 1)
        self.begun = 0
        self.targets: list[Tensor] = []

    def stages(self) -> tuple[Stage, ...]:
        settings = Training(epochs=3, batch_size=4)
        first = Stage(settings, self.loss, self, (nn.ParameterList([self.weight]),), ("svt",), "first", judged=("svt",))
        return first, Stage(
            settings, self.later_loss, self, (self.later,), CONDITIONS, begin=self.start, targets=self.remember
        )

    def start(self) -> None:
        self.begun = int(self.steps)
        self.later.weight.fill_(self.weight.item())

    def remember(self, batch: Batch) -> Tensor:
        assert not self.training
        assert batch.available.all()
        assert batch.labels is not None
        return batch.labels[:, None] + self.weight * 0.5

    def later_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.labels is not None
        assert batch.targets is not None
        assert not batch.targets.requires_grad
        self.steps += 1
        self.targets.append(batch.targets[:, 0] - batch.labels)
        return {"total": self.later(batch.targets).square().mean()}


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


def test_a_stage_begins_once_however_often_the_job_is_started(tmp_path: Path) -> None:
    whole = Staged(good_epochs=(1,))
    expected = fit(whole, task(tmp_path / "whole"))
    system, calls = Staged(good_epochs=(1,)), 0

    def stumble(batch: Batch) -> dict[str, Tensor]:
        nonlocal calls
        calls += 1
        if calls in (1, 4, 6):
            raise KilledError
        return Staged.later_loss(system, batch)

    for _ in range(3):
        system = Staged(good_epochs=(1,))
        system.later_loss = stumble  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            fit(system, task(tmp_path / "killed"))
    system = Staged(good_epochs=(1,))
    found = fit(system, task(tmp_path / "killed"))
    assert system.begun == 0
    assert found.history == expected.history
    assert all(torch.equal(value, expected.best[name]) for name, value in found.best.items())


def test_weights_of_an_early_best_epoch_outlive_a_kill(tmp_path: Path) -> None:
    run(Mock(good_epochs=(1,)), tmp_path, epochs=3)
    outcome = run(Mock(good_epochs=(1,)), tmp_path, epochs=5)
    assert outcome.best_epochs["main"] == 1
    assert int(outcome.best["steps"]) == 2


def test_a_state_of_other_settings_or_a_damaged_one_is_no_use(tmp_path: Path) -> None:
    run(Mock(good_epochs=(1,)), tmp_path, epochs=2)
    (file,) = tmp_path.iterdir()
    assert TrainingState(tmp_path, "other").load(torch.device("cpu")) is None
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert TrainingState(tmp_path, "f").load(torch.device("cpu")) is None
    system = Mock(good_epochs=(1,))
    run(system, tmp_path, epochs=2)
    assert int(system.steps) == 4
    run(Mock(good_epochs=(1,)), tmp_path, epochs=2)
    assert fit_steps(tmp_path) == 4


def fit_steps(folder: Path) -> int:
    found = TrainingState(folder, "f").load(torch.device("cpu"))
    assert found is not None
    return int(found[0]["system.steps"])


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
