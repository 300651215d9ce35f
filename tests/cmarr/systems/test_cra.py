from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.settings import Cra, Mmin
from cmarr.systems.cra import ImputingCra, JointCra, build
from cmarr.vocabulary import CONDITIONS, MODALITIES
from tests.cmarr.systems import mmin_oracle as slow

MakeBatch = Callable[..., Batch]
SMALL = slow.SMALL | {"joint_layers": (7, 5)}


def joint(dims: dict[str, int], **settings: object) -> JointCra:
    torch.manual_seed(0)
    system = JointCra(Cra.model_validate(SMALL | settings), dims, 4)
    slow.shake(system)
    return system


def imputing(dims: dict[str, int], **settings: object) -> ImputingCra:
    torch.manual_seed(0)
    system = ImputingCra(Cra.model_validate(SMALL | {"kind": "impute"} | settings), dims, 4)
    slow.shake(system)
    return system


def estimated(cascade: Cascade, h: Tensor) -> Tensor:
    """One utterance's h plus the residuals, each of which is predicted from h plus those before it."""
    for encoder, decoder in zip(cascade.encoders, cascade.decoders, strict=True):
        h = h + slow.chain(decoder, slow.chain(encoder, h, slow.leaky), slow.relu)
    return h


def mean(batch: Batch, row: int, modality: str) -> Tensor:
    length = int(batch.lengths[modality][row])
    return torch.stack(list(batch.features[modality][row, :length])).sum(0) / length


def lessons(system: ImputingCra, batch: Batch) -> Batch:
    compute = system.stages()[1].targets
    assert compute is not None
    with torch.no_grad():
        return replace(batch, targets=compute(slow.complete(batch)))


def test_parameters_of_joint() -> None:
    (stage,) = JointCra(Cra(), slow.FULL_SIZE, 4).stages()
    assert slow.counts(stage) == [1_569_628]


def test_parameters_of_impute() -> None:
    teacher, imputation = ImputingCra(Cra(kind="impute"), slow.FULL_SIZE, 4).stages()
    assert slow.counts(teacher) == [*slow.ENCODERS, 66_308]
    assert slow.counts(imputation) == [slow.CASCADE - 2 * (384 * 384 + 384)]


def test_stages(dims: dict[str, int]) -> None:
    system = joint(dims)
    (main,) = system.stages()
    assert (main.name, main.patterns, main.judged, main.training) == (
        "main", CONDITIONS[:6], CONDITIONS, system.settings.training,
    )  # fmt: skip
    filling = imputing(dims)
    teacher, imputation = filling.stages()
    assert (teacher.name, teacher.patterns, teacher.judged) == ("teacher", ("svt",), ("svt",))
    assert (imputation.name, imputation.patterns, imputation.judged) == ("imputation", CONDITIONS[:6], CONDITIONS)
    assert (teacher.training, imputation.training) == (filling.settings.teacher, filling.settings.imputation)


@pytest.mark.parametrize(("corpus", "rate", "batch"), [("iemocap", 2e-4, 128), ("msp_improv", 5e-4, 64)])
def test_hyper_parameters(corpus: str, rate: float, batch: int) -> None:
    settings = Cra().resolved(corpus)
    assert (settings.kind, settings.joint_layers, settings.joint_blocks) == ("joint", (256, 128), 2)
    assert (settings.reconstruction_weight, settings.head_dropout) == (0.02, 0.5)
    joint, imputation, teacher = settings.training, settings.imputation, settings.teacher
    assert (joint.epochs, joint.batch_size, joint.optimizer, joint.learning_rate) == (100, 256, "adam", 1e-3)
    assert (joint.beta1, joint.schedule, joint.decay_share, joint.clip_norm) == (0.5, "late_decay", 0.8, 5)
    assert (imputation.epochs, imputation.batch_size, imputation.learning_rate) == (60, 128, 1e-3)
    assert (imputation.optimizer, imputation.schedule) == ("adam", "constant")
    assert (settings.cascade_layers, settings.cascade_blocks) == ((256, 128, 64), 5)
    assert teacher == Mmin().resolved(corpus).teacher
    assert (teacher.learning_rate, teacher.batch_size) == (rate, batch)


def test_joint_starts_with_small_weights() -> None:
    torch.manual_seed(0)
    for part in JointCra(Cra(), {"text": 64, "speech": 40, "video": 40}, 4).modules():
        if isinstance(part, nn.Linear):
            assert abs(float(part.weight.detach().std()) / 0.02 - 1) < 5 / (2 * part.weight.numel()) ** 0.5
            assert not part.bias.any()


def test_joint_forward_and_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = joint(dims, reconstruction_weight=0.3), make_batch(size=14)
    logits, reconstruction = [], 0.0
    for row in range(14):
        seen = dict(zip(MODALITIES, batch.available[row].tolist(), strict=True))
        x = {m: mean(batch, row, m) if seen[m] else torch.zeros(dims[m]) for m in MODALITIES}
        h = torch.cat([slow.chain(system.encode[m], x[m], slow.relu) for m in MODALITIES])
        out = slow.chain(system.complete.transition, estimated(system.complete, h), slow.relu)
        logits.append(slow.chain(system.classify, out, slow.relu))
        for modality in MODALITIES:
            if not seen[modality]:
                again = slow.chain(system.decode[modality], out, slow.relu)
                reconstruction += float((again - mean(batch, row, modality)).detach().square().sum()) / dims[modality]
    torch.testing.assert_close(system(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts = {name: part.item() for name, part in system.loss(batch).items()}
    assert batch.labels is not None
    cls = slow.cross_entropy(logits, batch.labels)
    expected = {"cls": cls, "reconstruction": reconstruction, "total": cls + 0.3 * reconstruction}
    assert parts == pytest.approx(expected, rel=1e-4)


def test_joint_reconstructs_nothing_when_nothing_is_missing(dims: dict[str, int], make_batch: MakeBatch) -> None:
    parts = joint(dims).loss(make_batch(conditions=("svt",)))
    assert parts["reconstruction"] == 0
    assert parts["total"] == parts["cls"]


def test_joint_drops_in_every_hidden_layer(dims: dict[str, int]) -> None:
    rates = [part.p for part in joint(dims, head_dropout=0.4).modules() if isinstance(part, nn.Dropout)]
    assert rates == [0.4] * 2 * 7


def test_imputing_forward_and_loss_equal_the_slow_ones(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = imputing(dims)
    batch = lessons(system, make_batch(size=14))
    logits, estimates, complete = [], [], []
    for row in range(14):
        h = slow.embeddings(system.teacher.encoders, batch, row, [True, True, True])
        seen = batch.available[row].tolist()
        x = torch.cat([part if flag else torch.zeros(8) for part, flag in zip(h, seen, strict=True)])
        estimates.append(estimated(system.complete, x))
        guessed = estimates[-1].split(8)
        filled = torch.cat([part if flag else guess for part, guess, flag in zip(h, guessed, seen, strict=True)])
        logits.append(slow.chain(system.teacher.classify, filled, slow.relu))
        complete.append(torch.cat(h))
    torch.testing.assert_close(system(batch), torch.stack(logits), atol=1e-5, rtol=1e-5)
    parts = {name: part.item() for name, part in system.loss(batch).items()}
    assert batch.labels is not None
    error = slow.mean_square(estimates, complete)
    expected = {"cls": slow.cross_entropy(logits, batch.labels), "imputation": error, "total": error}
    assert parts == pytest.approx(expected, rel=1e-4)


def test_complete_utterances_are_the_teachers(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = imputing(dims), make_batch(conditions=("svt",))
    assert torch.equal(system(batch), system.teacher(batch))


def test_gradients_reach_the_cascade_only(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = imputing(dims), make_batch(size=14)
    slow.start(system, 1)
    assert not any(part.training for part in system.teacher.modules())
    system.loss(lessons(system, batch))["total"].backward()
    assert slow.learning(system) == {"complete"}
    system.zero_grad()
    slow.start(system, 0)
    parts = system.teacher.loss(slow.complete(batch))
    assert parts["total"] is parts["cls"]
    parts["total"].backward()
    assert slow.learning(system) == {"teacher"}


def test_needs_targets_for_a_loss(dims: dict[str, int], make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="needs targets"):
        imputing(dims).loss(make_batch())


def test_kinds(dims: dict[str, int]) -> None:
    assert isinstance(build(Cra(), dims, 4), JointCra)
    assert isinstance(build(Cra(kind="impute"), dims, 4), ImputingCra)
    with pytest.raises(ValueError, match="cra needs Cra settings, not Mmin"):
        build(Mmin(), dims, 4)
