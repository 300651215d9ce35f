from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.settings import CifMmin
from cmarr.systems.cif_mmin import CifMminSystem, SpecificAndInvariant
from tests.closeness import changed
from tests.cmarr.systems import mmin_oracle as slow

MakeBatch = Callable[..., Batch]
INVARIANT = [590_848, 133_120, 241_664]
WEIGHTS = {"text_video": 0.25, "text_speech": 0.25, "video_speech": 0.5}


def made(dims: dict[str, int], **settings: object) -> CifMminSystem:
    torch.manual_seed(0)
    system = CifMminSystem(CifMmin.model_validate(slow.SMALL | settings), dims, 4)
    slow.shake(system)
    return system


def features(own: SpecificAndInvariant, batch: Batch, row: int, read: list[bool]) -> tuple[Tensor, Tensor]:
    """h and g of one utterance, from encoders of their own."""
    h, g = (slow.embeddings(encoders, batch, row, read) for encoders in (own.specific, own.invariant))
    return torch.cat(h), torch.cat(g)


def lessons(system: CifMminSystem, batch: Batch) -> Tensor:
    with torch.no_grad():
        return system.targets(slow.complete(batch))


def test_parameters_of_both_stages() -> None:
    teacher, main = CifMminSystem(CifMmin(), slow.FULL_SIZE, 4).stages()
    assert slow.counts(teacher) == [*slow.ENCODERS, *INVARIANT, *[33_280] * 3, 66_308]
    assert slow.counts(main) == [*slow.ENCODERS, *INVARIANT, slow.CASCADE, 66_308]
    assert (sum(slow.counts(teacher)), sum(slow.counts(main))) == (3_129_092, 4_723_652)


@pytest.mark.parametrize(("corpus", "rate"), [("iemocap", 2e-4), ("msp_improv", 5e-4), ("table", 2e-4)])
def test_hyper_parameters_are_the_published_ones(corpus: str, rate: float) -> None:
    settings = CifMmin().resolved(corpus)
    for training, decay, beta1, clip in ((settings.teacher, 0.25, 0.9, 0.5), (settings.training, 0.5, 0.5, 1.0)):
        assert (training.optimizer, training.learning_rate, training.beta1) == ("adam", rate, beta1)
        assert (training.epochs, training.batch_size, training.clip_norm) == (40, 64, clip)
        assert (training.schedule, training.decay_share, training.weight_decay) == ("late_decay", decay, 0)
    assert settings.contrast_weights == (0.25, 0.25, 0.5)
    assert (settings.imagination_weight, settings.invariance_weight) == (8, 100)
    assert (settings.teacher_dropout, settings.head_dropout, settings.text_dropout) == (0.3, 0.5, 0.5)
    assert (settings.cascade_layers, settings.cascade_blocks, settings.embedding) == ((256, 128, 64), 5, 128)
    assert not settings.legacy_conl_last


def test_forward_and_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch(size=14)
    batch = replace(batch, targets=lessons(system, batch))
    logits, imagined, wanted, invariant, true = [], [], [], [], []
    for row in range(14):
        seen = batch.available[row].tolist()
        h, g = features(system.student, batch, row, seen)
        imagined.append(slow.cascaded(system.cascade, h, g, skip=True)[0])
        logits.append(slow.chain(system.classify, h + imagined[-1], slow.relu))
        invariant.append(g)
        wanted.append(features(system.teacher, batch, row, [not flag for flag in seen])[0])
        true.append(features(system.teacher, batch, row, [True] * 3)[1])
    torch.testing.assert_close(system(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts = system.loss(batch)
    assert batch.labels is not None
    expected = {
        "cls": slow.cross_entropy(logits, batch.labels),
        "imagination": slow.mean_square(imagined, wanted),
        "invariance": slow.mean_square(invariant, true),
    }
    assert {name: part.item() for name, part in parts.items() if name != "total"} == pytest.approx(expected, rel=1e-4)
    total = expected["cls"] + 8 * expected["imagination"] + 100 * expected["invariance"]
    assert parts["total"].item() == pytest.approx(total, rel=1e-4)
    assert min(expected.values()) > 1e-3


def projected(system: CifMminSystem, batch: Batch) -> dict[str, list[Tensor]]:
    """Unit vectors of each modality, utterance by utterance."""
    found: dict[str, list[Tensor]] = {modality: [] for modality in slow.MODALITIES}
    for row in range(len(batch.available)):
        _, g = features(system.teacher, batch, row, [True] * 3)
        for modality, own in zip(slow.MODALITIES, g.chunk(3), strict=True):
            one, norm, other = (system.teacher_heads[modality][layer] for layer in (0, 2, 3))
            y = slow.leaky(one.weight @ own + one.bias)
            y = (y - y.mean()) / (y.var(correction=0) + 1e-5).sqrt() * norm.weight + norm.bias
            y = slow.leaky(other.weight @ y + other.bias)
            found[modality].append((y / y.norm()).detach())
    return found


def contrast(one: list[Tensor], other: list[Tensor]) -> float:
    losses = []
    for u, w in ((one, other), (other, one)):
        for i in range(len(u)):
            affinity = [math.exp(math.e * float(u[i] @ w[j])) for j in range(len(w))]
            losses.append(-math.log(affinity[i] / (sum(affinity) - affinity[i] + 1e-10)))
    return sum(losses) / len(losses)


def test_teacher_and_its_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), slow.complete(make_batch(size=14))
    found = [features(system.teacher, batch, row, [True] * 3)[0] for row in range(14)]
    logits = [slow.chain(system.teacher_classify, h, slow.relu) for h in found]
    torch.testing.assert_close(system.teacher_logits(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts, units = system.teacher_loss(batch), projected(system, batch)
    assert batch.labels is not None
    assert parts["cls"].item() == pytest.approx(slow.cross_entropy(logits, batch.labels), rel=1e-4)
    total = parts["cls"].item()
    for name, weight in WEIGHTS.items():
        one, other = name.split("_")
        expected = contrast(units[one], units[other])
        assert parts[name].item() == pytest.approx(expected, rel=1e-4)
        assert expected == pytest.approx(contrast(units[other], units[one]), rel=1e-6)
        total += weight * expected
    assert parts["total"].item() == pytest.approx(total, rel=1e-4)
    assert set(parts) == {"total", "cls", *WEIGHTS}


def test_weights_of_losses_are_those_of_the_settings(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = made(dims, contrast_weights=(2.0, 3.0, 4.0), imagination_weight=5.0, invariance_weight=7.0)
    batch = make_batch()
    parts = system.teacher_loss(slow.complete(batch))
    contrasts = 2 * parts["text_video"] + 3 * parts["text_speech"] + 4 * parts["video_speech"]
    torch.testing.assert_close(parts["total"], parts["cls"] + contrasts)
    parts = system.loss(replace(batch, targets=lessons(system, batch)))
    torch.testing.assert_close(parts["total"], parts["cls"] + 5 * parts["imagination"] + 7 * parts["invariance"])


def test_targets_are_the_teachers_features_of_the_utterance_and_of_silence(
    dims: dict[str, int], make_batch: MakeBatch
) -> None:
    system, batch = made(dims), make_batch()
    found = lessons(system, batch)
    assert found.shape == (7, 3, 24)
    for row in range(7):
        h, g = features(system.teacher, batch, row, [True] * 3)
        silence, _ = features(system.teacher, batch, row, [False] * 3)
        torch.testing.assert_close(found[row], torch.stack([h, silence, g]), atol=1e-5, rtol=1e-5)


def test_gradients_of_each_part_of_the_loss(dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Invariant encoders of the teacher learn from contrast alone, specific ones from the labels alone."""
    batch = make_batch(size=14)
    reached = {}
    for number, name in [
        (0, "cls"),
        *((0, pair) for pair in WEIGHTS),
        (1, "cls"),
        (1, "imagination"),
        (1, "invariance"),
    ]:
        system = made(dims)
        stage = slow.start(system, number)
        known = replace(batch, targets=lessons(system, batch)) if number else slow.complete(batch)
        stage.loss(known)[name].backward()
        own = system.student if number else system.teacher
        encoders = {
            part
            for part in ("specific", "invariant")
            if any(p.grad is not None for p in getattr(own, part).parameters())
        }
        reached[number, name] = (slow.learning(system), encoders)
    both = {"specific", "invariant"}
    assert reached == {
        (0, "cls"): ({"teacher", "teacher_classify"}, {"specific"}),
        **{(0, pair): ({"teacher", "teacher_heads"}, {"invariant"}) for pair in WEIGHTS},
        (1, "cls"): ({"student", "cascade", "classify"}, both),
        (1, "imagination"): ({"student", "cascade"}, both),
        (1, "invariance"): ({"student"}, {"invariant"}),
    }


def test_a_modalitys_head_and_encoder_serve_its_own_pairs(dims: dict[str, int], make_batch: MakeBatch) -> None:
    batch = slow.complete(make_batch(size=14))
    for pair in WEIGHTS:
        system = made(dims)
        slow.start(system, 0).loss(batch)[pair].backward()
        for modality in slow.MODALITIES:
            own = [system.teacher_heads[modality], getattr(system.teacher.invariant, modality)]
            reached = {p.grad is not None and bool(p.grad.any()) for part in own for p in part.parameters()}
            assert reached == {modality in pair.split("_")}


def test_the_student_can_take_the_texts_last_step(dims: dict[str, int], make_batch: MakeBatch) -> None:
    batch = make_batch()
    plain, legacy = made(dims), made(dims, legacy_conl_last=True)
    legacy.load_state_dict(plain.state_dict())
    for one, other in ((plain.teacher, legacy.teacher), (plain.student, legacy.student)):
        h, g = one(batch)
        h_last, g_last = other(batch)
        assert torch.equal(h, h_last)
        assert torch.equal(g[:, 8:], g_last[:, 8:])
        assert changed(g, g_last) if one is plain.student else torch.equal(g, g_last)
    for row in range(7):
        length = int(batch.lengths["text"][row])
        frames = batch.features["text"][row, :length] if batch.available[row, 0] else torch.zeros(50, dims["text"])
        steps, _ = legacy.student.invariant.text.lstm(frames)
        torch.testing.assert_close(g_last[row, :8], steps[-1], atol=1e-5, rtol=1e-5)
    stage = legacy.stages()[1]
    assert stage.begin is not None
    stage.begin()
    assert torch.equal(legacy.student.invariant.text.lstm.weight_hh_l0, legacy.teacher.invariant.text.lstm.weight_hh_l0)
