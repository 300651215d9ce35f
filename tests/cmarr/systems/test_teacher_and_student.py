"""What IF-MMIN and CIF-MMIN have in common: a teacher, and a student that starts from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from cmarr.batch import Batch
from cmarr.settings import CifMmin, IfMmin
from cmarr.settings.mmin import Family
from cmarr.systems import build
from cmarr.systems.base import SystemModule
from cmarr.vocabulary import CONDITIONS
from tests.cmarr.systems import mmin_oracle as slow

MakeBatch = Callable[..., Batch]
SETTINGS: dict[str, type[Family]] = {"if_mmin": IfMmin, "cif_mmin": CifMmin}


@pytest.fixture(params=SETTINGS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(name: str, dims: dict[str, int], **settings: object) -> SystemModule:
    torch.manual_seed(0)
    system = build(name, SETTINGS[name].model_validate(slow.SMALL | settings), dims, 4)
    slow.shake(system)
    return system


def taught(system: SystemModule, batch: Batch) -> Batch:
    """The batch with what the teacher says about its utterances."""
    compute = system.stages()[1].targets
    assert compute is not None
    with torch.no_grad():
        return replace(batch, targets=compute(slow.complete(batch)))


def test_stages_are_the_published_ones(name: str, dims: dict[str, int]) -> None:
    system = made(name, dims)
    teacher, main = system.stages()
    assert (teacher.name, teacher.patterns, teacher.judged) == ("teacher", ("svt",), ("svt",))
    assert (main.name, main.patterns, main.judged) == ("main", CONDITIONS[:6], CONDITIONS)
    assert (teacher.training, main.training) == (system.settings.teacher, system.settings.training)
    owned = [id(p) for stage in (teacher, main) for part in stage.trained for p in part.parameters()]
    assert sorted(owned) == sorted(id(parameter) for parameter in system.parameters())


def test_dropout_is_that_of_each_stage(name: str, dims: dict[str, int]) -> None:
    system = made(name, dims, teacher_dropout=0.1, head_dropout=0.2, text_dropout=0.4)
    rates = {place: part.p for place, part in system.named_modules() if isinstance(part, torch.nn.Dropout)}
    assert {place for place, rate in rates.items() if rate == 0.1} == {"teacher_classify.2", "teacher_classify.5"}
    assert {place for place, rate in rates.items() if rate == 0.2} == {"classify.2", "classify.5"}
    assert {place.split(".")[0] for place, rate in rates.items() if rate == 0.4} == {"teacher", "student"}
    assert len(rates) == 6


def test_starts_with_kaimings_weights(name: str) -> None:
    torch.manual_seed(0)
    system = build(name, SETTINGS[name](), {"text": 64, "speech": 40, "video": 40}, 4)
    assert slow.initial_scale_is_kaimings(system)


def test_the_student_starts_from_the_teacher_and_leaves_it_alone(
    name: str, dims: dict[str, int], make_batch: MakeBatch
) -> None:
    system, batch = made(name, dims), make_batch()
    stage = slow.start(system, 1)
    assert stage.begin is not None
    stage.begin()
    for place, value in system.teacher.state_dict().items():
        assert torch.equal(system.student.state_dict()[place], value)
        assert system.student.state_dict()[place].data_ptr() != value.data_ptr()
    system.loss(taught(system, batch))["total"].backward()
    assert slow.learning(system) == {"student", "cascade", "classify"}
    frozen = [part for place, part in system.named_modules() if place.startswith("teacher")]
    assert not any(part.training for part in frozen)
    assert all(parameter.grad is None for part in frozen for parameter in part.parameters())


def test_imagined_may_be_missing_modalities_alone(name: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = made(name, dims, regressed="missing").eval()
    batch = taught(system, make_batch())
    imagined = system.classified(*system.student(batch))[1].chunk(3, dim=1)
    torch.testing.assert_close(system.loss(batch)["imagination"], slow.error_of_missing(imagined, batch))


def test_a_batch_of_one(name: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    """A single utterance has nothing to be contrasted with, and no moments beside its mean."""
    for number in (0, 1):
        system, batch = made(name, dims), make_batch(size=1)
        parts = slow.start(system, number).loss(taught(system, batch) if number else slow.complete(batch))
        parts["total"].backward()
        assert all(part.isfinite() for part in parts.values())
        assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)
        if number == 0 and name == "cif_mmin":
            assert torch.equal(parts["total"], parts["cls"])


def test_needs_targets_for_a_loss(name: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="targets"):
        made(name, dims).loss(make_batch())


@pytest.mark.parametrize(("name", "other"), [("if_mmin", CifMmin()), ("cif_mmin", IfMmin())])
def test_settings_of_another_system_are_refused(name: str, other: Family, dims: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"^{name} needs {SETTINGS[name].__name__} settings, not"):
        build(name, other, dims, 4)
