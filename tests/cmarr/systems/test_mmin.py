from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.settings import Cra, Mmin
from cmarr.systems.mmin import MminSystem, build
from cmarr.vocabulary import CONDITIONS
from tests.closeness import changed
from tests.cmarr.systems import mmin_oracle as slow

MakeBatch = Callable[..., Batch]
READ_ALL = [True, True, True]


def made(dims: dict[str, int], **settings: object) -> MminSystem:
    torch.manual_seed(0)
    system = MminSystem(Mmin.model_validate(slow.SMALL | settings), dims, 4)
    slow.shake(system)
    return system


def lessons(system: MminSystem, batch: Batch) -> Batch:
    with torch.no_grad():
        return replace(batch, targets=system.targets(slow.complete(batch)))


def cascaded(cascade: Cascade, h: Tensor) -> tuple[Tensor, Tensor]:
    """Imagined embeddings and codes of one utterance, from u_k = u_{k-1} + o_{k-1} and u_1 = h."""
    u, o, codes = h, torch.zeros_like(h), []
    for encoder, decoder in zip(cascade.encoders, cascade.decoders, strict=True):
        u = u + o
        codes.append(slow.chain(encoder, u, slow.leaky))
        o = slow.chain(decoder, codes[-1], slow.relu)
    return slow.chain(cascade.transition, u + o, slow.relu), torch.cat(codes)


@pytest.mark.parametrize(
    ("corpus", "cascades", "parameters"), [("iemocap", 2, 5_444_228), ("msp_improv", 1, 3_749_828)]
)
def test_parameters_of_both_stages(corpus: str, cascades: int, parameters: int) -> None:
    teacher, main = MminSystem(Mmin().resolved(corpus), slow.FULL_SIZE, 4).stages()
    assert slow.counts(teacher) == [*slow.ENCODERS, 66_308]
    assert slow.counts(main) == [*slow.ENCODERS, *[slow.CASCADE] * cascades, 58_116]
    assert (sum(slow.counts(teacher)), sum(slow.counts(main))) == (2_063_620, parameters)


def test_stages_are_the_published_ones(dims: dict[str, int]) -> None:
    system = made(dims)
    teacher, main = system.stages()
    assert (teacher.name, teacher.patterns, teacher.judged) == ("teacher", ("svt",), ("svt",))
    assert (main.name, main.patterns, main.judged) == ("main", CONDITIONS[:6], CONDITIONS)
    assert (teacher.training, main.training) == (system.settings.teacher, system.settings.training)
    owned = [id(p) for stage in (teacher, main) for part in stage.trained for p in part.parameters()]
    assert sorted(owned) == sorted(id(parameter) for parameter in system.parameters())


@pytest.mark.parametrize(
    ("corpus", "rate", "teacher_batch", "imagination", "cycle", "shared"),
    [("iemocap", 2e-4, 128, 4, 2, False), ("msp_improv", 5e-4, 64, 2, 0.5, True), ("table", 2e-4, 128, 4, 2, False)],
)
def test_hyper_parameters_are_the_published_ones(
    corpus: str, rate: float, teacher_batch: int, imagination: float, cycle: float, shared: bool
) -> None:
    settings = Mmin().resolved(corpus)
    for training, epochs, batch, beta1, clip in (
        (settings.teacher, 20, teacher_batch, 0.9, 0.5),
        (settings.training, 60, 128, 0.5, 1.0),
    ):
        assert (training.optimizer, training.learning_rate, training.beta1) == ("adam", rate, beta1)
        assert (training.epochs, training.batch_size, training.clip_norm) == (epochs, batch, clip)
        assert (training.schedule, training.decay_share, training.weight_decay) == ("late_decay", 0.5, 0)
    assert (settings.imagination_weight, settings.cycle_weight) == (imagination, cycle)
    assert settings.shared_cascade is shared
    assert (settings.teacher_dropout, settings.head_dropout, settings.text_dropout) == (0.3, 0.5, 0.5)
    assert (settings.cascade_layers, settings.cascade_blocks, settings.embedding) == ((256, 128, 64), 5, 128)


def test_dropout_is_that_of_each_stage(dims: dict[str, int]) -> None:
    system = made(dims, teacher_dropout=0.1, head_dropout=0.2, text_dropout=0.4)
    assert {name: part.p for name, part in system.named_modules() if isinstance(part, torch.nn.Dropout)} == {
        "teacher.encoders.text.head.0": 0.4, "teacher.classify.2": 0.1, "teacher.classify.5": 0.1,
        "encoders.text.head.0": 0.4, "classify.2": 0.2, "classify.5": 0.2,
    }  # fmt: skip


def test_starts_with_kaimings_weights() -> None:
    torch.manual_seed(0)
    assert slow.initial_scale_is_kaimings(MminSystem(Mmin(), {"text": 64, "speech": 40, "video": 40}, 4))


@pytest.mark.parametrize("shared", [False, True])
def test_forward_and_loss_equal_the_slow_ones(shared: bool, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = made(dims, shared_cascade=shared, imagination_weight=3, cycle_weight=0.7)
    batch = lessons(system, make_batch(size=14))
    backward = system.imagine_back or system.imagine
    logits, seen, imagined, again, wanted = [], [], [], [], []
    for row in range(14):
        read = batch.available[row].tolist()
        seen.append(torch.cat(slow.embeddings(system.encoders, batch, row, read)))
        out, codes = cascaded(system.imagine, seen[-1])
        imagined.append(out)
        logits.append(slow.chain(system.classify, codes, slow.relu))
        again.append(cascaded(backward, out)[0])
        reverse = [not flag for flag in read]
        wanted.append(torch.cat(slow.embeddings(system.teacher.encoders, batch, row, reverse)))
    torch.testing.assert_close(system(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts = {name: part.item() for name, part in system.loss(batch).items()}
    assert batch.labels is not None
    cls, imagination = slow.cross_entropy(logits, batch.labels), slow.mean_square(imagined, wanted)
    cycle = slow.mean_square(again, seen)
    expected = {"cls": cls, "imagination": imagination, "cycle": cycle, "total": cls + 3 * imagination + 0.7 * cycle}
    assert parts == pytest.approx(expected, rel=1e-4)


def test_teacher_and_its_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), slow.complete(make_batch(size=9))
    rows = [torch.cat(slow.embeddings(system.teacher.encoders, batch, row, READ_ALL)) for row in range(9)]
    logits = [slow.chain(system.teacher.classify, h, slow.relu) for h in rows]
    torch.testing.assert_close(system.stages()[0].logits(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts = system.teacher.loss(batch)
    assert batch.labels is not None
    assert parts["cls"].item() == pytest.approx(slow.cross_entropy(logits, batch.labels), rel=1e-4)
    assert parts["total"] is parts["cls"]


def test_target_of_an_available_modality_is_the_teachers_silence(dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Sequences of fifty zero frames, as the published code's zeros instead of features; of a missing one, the real."""
    system, batch = made(dims), make_batch(size=7)
    real, silence = system.targets(slow.complete(batch)).unbind(1)
    zeros = Batch(
        {m: torch.zeros(7, 50, dim) for m, dim in dims.items()},
        {m: torch.full((7,), 50) for m in dims},
        torch.ones(7, 3, dtype=torch.bool),
    )
    torch.testing.assert_close(silence, system.teacher.embeddings(zeros))
    torch.testing.assert_close(real, system.teacher.embeddings(slow.complete(batch)))


def test_imagined_may_be_missing_modalities_alone(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = made(dims, regressed="missing")
    batch = lessons(system, make_batch())
    imagined = system.imagine(system.encoders(batch, batch.available))[0].chunk(3, dim=1)
    torch.testing.assert_close(system.loss(batch)["imagination"], slow.error_of_missing(imagined, batch))


def test_gradients_reach_the_second_stage_only(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch(size=14)
    slow.start(system, 1)
    assert not any(part.training for part in system.teacher.modules())
    system.loss(lessons(system, batch))["total"].backward()
    assert slow.learning(system) == {"encoders", "imagine", "imagine_back", "classify"}


def test_gradients_of_the_teacher_reach_nothing_else(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), slow.complete(make_batch(size=14))
    slow.start(system, 0)
    system.teacher.loss(batch)["total"].backward()
    assert slow.learning(system) == {"teacher"}


def test_cycle_holds_its_target_fixed(dims: dict[str, int], make_batch: MakeBatch) -> None:
    """The gradient is that of the error to a constant; with the embeddings as a target it would be another."""
    system = made(dims)
    batch = lessons(system, make_batch(size=14))
    weights = list(system.encoders.parameters())
    found = torch.autograd.grad(system.loss(batch)["cycle"], weights)
    h = system.encoders(batch, batch.available)
    assert system.imagine_back is not None
    again = system.imagine_back(system.imagine(h)[0])[0]
    fixed = torch.autograd.grad((again - h.detach()).square().mean(), weights, retain_graph=True)
    moving = torch.autograd.grad((again - h).square().mean(), weights)
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found, fixed, strict=True))
    assert any(map(changed, found, moving))


def test_encoders_start_as_the_teachers(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), slow.complete(make_batch())
    before = {name: value.clone() for name, value in system.state_dict().items() if not name.startswith("encoders.")}
    assert changed(system.encoders(batch, batch.available), system.teacher.embeddings(batch))
    begin = system.stages()[1].begin
    assert begin is not None
    begin()
    assert torch.equal(system.encoders(batch, batch.available), system.teacher.embeddings(batch))
    assert all(torch.equal(system.state_dict()[name], value) for name, value in before.items())
    next(system.encoders.parameters()).data.add_(1)
    assert all(torch.equal(system.state_dict()[name], value) for name, value in before.items())


def test_codes_of_the_forward_imagination_alone_are_classified(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch()
    before = system(batch)
    with torch.no_grad():
        for part in (system.imagine.transition, system.imagine_back, system.teacher):
            assert part is not None
            for parameter in part.parameters():
                parameter.fill_(torch.nan)
    assert torch.equal(system(batch), before)


def test_with_legacy_padding_the_company_counts(dims: dict[str, int], make_batch: MakeBatch) -> None:
    batch = make_batch(conditions=("svt",))
    wider = replace(batch, features={m: torch.nn.functional.pad(x, (0, 0, 0, 9)) for m, x in batch.features.items()})
    legacy = made(dims, legacy_padding=True)
    assert changed(legacy(wider), legacy(batch))


def test_needs_targets_for_a_loss(dims: dict[str, int], make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="needs targets"):
        made(dims).loss(make_batch())


def test_settings_of_another_system_are_refused(dims: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="mmin needs Mmin settings, not Cra"):
        build(Cra(), dims, 4)
