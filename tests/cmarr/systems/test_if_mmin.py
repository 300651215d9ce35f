from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.settings import IfMmin
from cmarr.systems.if_mmin import IfMminSystem, SpecificAndInvariant
from tests.closeness import changed
from tests.cmarr.systems import mmin_oracle as slow

MakeBatch = Callable[..., Batch]


def made(dims: dict[str, int], **settings: object) -> IfMminSystem:
    torch.manual_seed(0)
    system = IfMminSystem(IfMmin.model_validate(slow.SMALL | settings), dims, 4)
    slow.shake(system)
    return system


def features(own: SpecificAndInvariant, batch: Batch, row: int, read: list[bool]) -> tuple[Tensor, Tensor]:
    """h and g of one utterance: every embedding goes through the same two layers, that of silence too."""
    h = slow.embeddings(own.encoders, batch, row, read)
    return torch.cat(h), torch.cat([slow.leaky(slow.chain(own.invariance, x, slow.leaky)) for x in h])


def lessons(system: IfMminSystem, batch: Batch) -> Tensor:
    with torch.no_grad():
        return system.targets(slow.complete(batch))


def test_parameters_of_both_stages() -> None:
    teacher, main = IfMminSystem(IfMmin(), slow.FULL_SIZE, 4).stages()
    assert slow.counts(teacher) == [*slow.ENCODERS, 33_024, 115_460]
    assert slow.counts(main) == [*slow.ENCODERS, 33_024, slow.CASCADE, 58_116]
    assert (sum(slow.counts(teacher)), sum(slow.counts(main))) == (2_145_796, 3_782_852)


@pytest.mark.parametrize(("corpus", "rate"), [("iemocap", 2e-4), ("msp_improv", 5e-4), ("table", 2e-4)])
def test_hyper_parameters_are_the_published_ones(corpus: str, rate: float) -> None:
    settings = IfMmin().resolved(corpus)
    for training, epochs, batch, beta1, clip in (
        (settings.teacher, 20, 64, 0.9, 0.5),
        (settings.training, 40, 128, 0.5, 1.0),
    ):
        assert (training.optimizer, training.learning_rate, training.beta1) == ("adam", rate, beta1)
        assert (training.epochs, training.batch_size, training.clip_norm) == (epochs, batch, clip)
        assert (training.schedule, training.decay_share, training.weight_decay) == ("late_decay", 0.5, 0)
    assert (settings.cmd_weight, settings.imagination_weight, settings.invariance_weight) == (1, 1, 100)
    assert (settings.teacher_dropout, settings.head_dropout, settings.text_dropout) == (0.3, 0.5, 0.5)
    assert (settings.cascade_layers, settings.cascade_blocks, settings.embedding) == ((256, 128, 64), 5, 128)


def test_forward_and_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch(size=14)
    batch = replace(batch, targets=lessons(system, batch))
    logits, imagined, wanted, invariant, true = [], [], [], [], []
    for row in range(14):
        seen = batch.available[row].tolist()
        h, g = features(system.student, batch, row, seen)
        out, codes = slow.cascaded(system.cascade, h, g, skip=False)
        assert codes.shape == (9,)
        logits.append(slow.chain(system.classify, codes, slow.relu))
        imagined.append(out)
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
    total = expected["cls"] + expected["imagination"] + 100 * expected["invariance"]
    assert parts["total"].item() == pytest.approx(total, rel=1e-4)
    assert min(expected.values()) > 1e-3


def test_teacher_and_its_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), slow.complete(make_batch(size=14))
    found = [features(system.teacher, batch, row, [True] * 3) for row in range(14)]
    logits = [slow.chain(system.teacher_classify, torch.cat([h, g]), slow.relu) for h, g in found]
    torch.testing.assert_close(system.teacher_logits(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)

    def moments(x: Tensor) -> list[list[float]]:
        return [m.tolist() for m in (x.mean(0), *(((x - x.mean(0)) ** order).mean(0) for order in (2, 3, 4, 5)))]

    invariant = torch.stack([g for _, g in found]).double()
    text, speech, video = (moments(invariant[:, start : start + 8]) for start in (0, 8, 16))
    cmd = sum(
        math.dist(a, b)
        for one, other in ((text, video), (text, speech), (speech, video))
        for a, b in zip(one, other, strict=True)
    )
    parts = system.teacher_loss(batch)
    assert batch.labels is not None
    assert parts["cls"].item() == pytest.approx(slow.cross_entropy(logits, batch.labels), rel=1e-4)
    assert parts["cmd"].item() == pytest.approx(cmd / 3, rel=1e-4)
    assert cmd > 0.1
    torch.testing.assert_close(parts["total"], parts["cls"] + parts["cmd"])


def test_weights_of_losses_are_those_of_the_settings(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = made(dims, cmd_weight=3.0, imagination_weight=5.0, invariance_weight=7.0)
    batch = make_batch()
    parts = system.teacher_loss(slow.complete(batch))
    torch.testing.assert_close(parts["total"], parts["cls"] + 3 * parts["cmd"])
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
    """The cascade's last layers serve imagination alone; the discrepancy reaches the encoders."""
    reached = {}
    batch = make_batch(size=14)
    for number, name in ((0, "cls"), (0, "cmd"), (1, "cls"), (1, "imagination"), (1, "invariance")):
        system = made(dims)
        stage = slow.start(system, number)
        known = replace(batch, targets=lessons(system, batch)) if number else slow.complete(batch)
        stage.loss(known)[name].backward()
        reached[number, name] = slow.learning(system)
        encoders = (system.student if number else system.teacher).encoders
        assert all(parameter.grad is not None for parameter in encoders.parameters())
        if number and name != "invariance":
            last = system.cascade.decoders[-1][0].weight.grad
            assert (last is not None) == (name == "imagination")
    assert reached == {
        (0, "cls"): {"teacher", "teacher_classify"},
        (0, "cmd"): {"teacher"},
        (1, "cls"): {"student", "cascade", "classify"},
        (1, "imagination"): {"student", "cascade"},
        (1, "invariance"): {"student"},
    }


def test_one_invariance_encoder_serves_all_modalities(dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Equal embeddings of two modalities have equal invariant features, which then cost nothing."""
    system, batch = made(dims), slow.complete(make_batch())
    same = Batch(
        {"text": batch.features["text"], "speech": batch.features["video"], "video": batch.features["video"]},
        {"text": batch.lengths["text"], "speech": batch.lengths["video"], "video": batch.lengths["video"]},
        batch.available,
        batch.labels,
    )
    twin = IfMminSystem(system.settings.model_copy(update={"speech_pool": 1}), dims | {"speech": dims["video"]}, 4)
    twin.teacher.encoders.speech.load_state_dict(twin.teacher.encoders.video.state_dict())
    twin.eval()
    _, g = twin.teacher(same)
    text, speech, video = g.chunk(3, dim=1)
    torch.testing.assert_close(speech, video)
    assert changed(text, video)


def test_order_of_utterances_does_not_matter_for_the_loss(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch()
    batch = replace(batch, targets=lessons(system, batch))
    order = torch.tensor([3, 6, 0, 5, 1, 4, 2])
    assert batch.labels is not None
    assert batch.targets is not None
    mixed = Batch(
        {modality: x[order] for modality, x in batch.features.items()},
        {modality: x[order] for modality, x in batch.lengths.items()},
        batch.available[order],
        batch.labels[order],
        batch.targets[order],
    )
    torch.testing.assert_close(system.loss(mixed), system.loss(batch))
