from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.coupling_stack import CouplingStack
from cmarr.blocks.flow import Flow
from cmarr.settings import Baseline, Dicmor
from cmarr.systems.dicmor import Branch, DicmorSystem, build, reconstruction_loss
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability, present
from tests.closeness import changed
from tests.cmarr.systems.published_dicmor import Published

MakeBatch = Callable[..., Batch]
SURE = {"text_attention_dropout": 0, "text_dropout": 0, "output_dropout": 0}


def made(dims: dict[str, int], **settings: object) -> DicmorSystem:
    """A tiny system in evaluation mode with noise on all weights."""
    torch.manual_seed(0)
    chosen = Dicmor.model_validate({"size": "tiny", "cross_layers": 2, "memory_layers": 2, **settings})
    system = build(chosen, dims, 4).eval()
    assert isinstance(system, DicmorSystem)
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return system


def aligned(batch: Batch, steps: int = 8) -> dict[str, Tensor]:
    """Frames (batch, steps, dim), every sample interpolated by itself."""
    return {
        m: torch.stack(
            [
                functional.interpolate(x[None, :length].mT, steps, mode="linear", align_corners=True)[0].T
                for x, length in zip(batch.features[m], batch.lengths[m].tolist(), strict=True)
            ]
        )
        for m in MODALITIES
    }


def exact(batch: Batch) -> Batch:
    return replace(batch, features={modality: x.double() for modality, x in batch.features.items()})


def flags(*conditions: str) -> Tensor:
    return torch.tensor([availability(condition) for condition in conditions])


def projected(batch: int = 7) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {modality: torch.randn(batch, 32, 8, generator=generator) for modality in MODALITIES}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_outputs_losses_and_gradients_are_the_published_ones(
    condition: str, dims: dict[str, int], make_batch: MakeBatch
) -> None:
    """Public code: one pattern for a whole batch. In training mode, with every dropout off.

    Losses and gradients in float64: in float32 their rounding grows along the flows, differently on every processor.
    """
    system, batch = made(dims, **SURE).train(), make_batch(conditions=(condition,))
    assert batch.labels is not None
    published = Published(system)
    torch.testing.assert_close(
        system(batch), published(aligned(batch), batch.labels, condition)[0], atol=1e-5, rtol=1e-4
    )
    system, published, batch = system.double(), published.double(), exact(batch)
    parts, (_, expected) = system.loss(batch), published(aligned(batch), batch.labels, condition)
    torch.testing.assert_close(parts, expected, atol=1e-6, rtol=1e-5, check_dtype=False)
    parts["total"].backward()
    expected["total"].backward()
    compared = 0
    for ours, theirs in published.pairs(system, gradient=True):
        compared += theirs.numel()
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    assert compared == sum(parameter.numel() for parameter in system.parameters())
    assert (parts["rec"] > 0) == (condition != "svt")
    assert parts["nll"] > 0


def test_mixed_batches_are_their_samples_one_by_one(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims, **SURE), make_batch(size=14)
    assert batch.labels is not None
    published, frames = Published(system), aligned(batch)
    errors = []
    logits = system(batch)
    for row in range(14):
        condition = CONDITIONS[row % 7]
        own = {m: x[row : row + 1] for m, x in frames.items()}
        expected, parts = published(own, batch.labels[row : row + 1], condition)
        torch.testing.assert_close(logits[row], expected[0], atol=1e-5, rtol=1e-4)
        errors += [parts["rec"]] * (3 - len(condition))
    torch.testing.assert_close(system.loss(batch)["rec"], torch.stack(errors).mean(), atol=1e-5, rtol=1e-4)


def test_a_test_needs_no_labels(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims), make_batch()
    assert torch.equal(system(replace(batch, labels=None)), system(batch))


@pytest.mark.parametrize("flow", ["code", "reversed", "glow"])
def test_mean_of_latents_is_inverted_once(flow: str, dims: dict[str, int]) -> None:
    system, x = made(dims, combine="mean", flow=flow), projected()
    completed, recovered = system.complete(x, flags(*CONDITIONS))
    for row, condition in enumerate(CONDITIONS):
        z = [system.branch(m).flow(x[m][row : row + 1])[0] for m in present(condition)]
        for m in MODALITIES:
            if m in present(condition):
                assert torch.equal(completed[m][row], x[m][row])
                continue
            branch = system.branch(m)
            expected = branch.reconstruct(branch.flow.inverse(torch.stack(z).mean(0)))[0]
            torch.testing.assert_close(completed[m][row], expected, atol=1e-4, rtol=1e-4)
    assert not any("join" in name for name, _ in system.named_parameters())
    assert {m: len(rows) for m, (rows, _) in recovered.items()} == {"text": 3, "speech": 3, "video": 3}


@pytest.mark.parametrize("combine", ["code", "mean"])
def test_training_recovers_what_a_test_recovers(combine: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Training knows the latents of missing modalities too, for the likelihood, and must not use them elsewhere."""
    system, batch = made(dims, combine=combine), make_batch(size=14)
    expected = functional.cross_entropy(system(batch), batch.labels)
    torch.testing.assert_close(system.loss(batch)["cls"], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("flow", ["reversed", "glow"])
def test_other_flows_are_inverted_one_by_one_and_joined(flow: str, dims: dict[str, int]) -> None:
    system, x = made(dims, flow=flow), projected()
    completed, _ = system.complete(x, flags(*["st"] * 3, *["t"] * 4))
    branch = system.branch("video")
    text, speech = (branch.flow.inverse(system.branch(m).flow(x[m])[0]) for m in ("text", "speech"))
    assert branch.join is not None
    joined = branch.reconstruct(branch.join(torch.cat([text, speech], dim=1)))
    torch.testing.assert_close(completed["video"][:3], joined[:3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(completed["video"][3:], branch.reconstruct(text)[3:], atol=1e-4, rtol=1e-4)


def test_kinds_of_flows(dims: dict[str, int]) -> None:
    assert isinstance(made(dims).branch("text").flow, CouplingStack)
    flow = made(dims, flow="reversed", flow_logit_limit=2).branch("text").flow
    assert isinstance(flow, Flow)
    assert flow.kind == "reversed"
    assert [step.limit for step in flow.steps] == [2.0] * 4
    assert made(dims, flow_logit_limit=2).branch("text").flow.limit == 2


def test_complete_samples_meet_no_flow(dims: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    system, x = made(dims), projected()

    def forbidden(*_: object) -> None:
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(CouplingStack, "forward", forbidden)
    monkeypatch.setattr(Branch, "recover", forbidden)
    completed, recovered = system.complete(x, flags(*["svt"] * 7))
    assert not recovered
    assert all(torch.equal(completed[m], x[m]) for m in MODALITIES)


@pytest.mark.parametrize("gradient", [False, True])
def test_gradient_through_recoveries(gradient: bool, dims: dict[str, int]) -> None:
    """Without it, flows learn from their likelihood alone."""
    system = made(dims, inverse_gradient=gradient)
    x = {m: value.requires_grad_() for m, value in projected().items()}
    completed, _ = system.complete(x, flags(*["t"] * 7))
    completed["speech"].square().sum().backward()
    learned = {name.split(".")[2] for name, parameter in system.named_parameters() if parameter.grad is not None}
    assert learned == ({"flow", "reconstruct"} if gradient else {"reconstruct"})
    assert (x["text"].grad is not None) == gradient


def test_no_gradient_into_the_reconstruction_target(dims: dict[str, int]) -> None:
    system = made(dims)
    x = {m: value.requires_grad_() for m, value in projected().items()}
    _, recovered = system.complete(x, flags(*CONDITIONS))
    loss = reconstruction_loss(x, recovered)
    loss.backward()
    assert all(value.grad is None for value in x.values())
    squares = [
        (y - x[m][row]).square().mean() for m, (rows, ys) in recovered.items() for row, y in zip(rows, ys, strict=True)
    ]
    assert len(squares) == 9
    torch.testing.assert_close(loss, torch.stack(squares).mean())


def test_weights_of_the_parts(dims: dict[str, int], make_batch: MakeBatch) -> None:
    parts = made(dims, nll_weight=0.3, reconstruction_weight=2).loss(make_batch())
    torch.testing.assert_close(parts["total"], parts["cls"] + 0.3 * parts["nll"] + 2 * parts["rec"])


def test_text_is_dropped_in_training_alone(dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Also where the projections are frozen, as the public code does."""
    system, batch = made(dims, **(SURE | {"text_dropout": 0.5}), frozen_projection=True), make_batch()
    assert torch.equal(system.loss(batch)["nll"], system.loss(batch)["nll"])
    for part in system.stages()[1].trained:
        part.train()
    assert changed(system.loss(batch)["nll"], system.loss(batch)["nll"])


def test_stages(dims: dict[str, int], make_batch: MakeBatch) -> None:
    complete, main = made(dims).stages()
    assert (complete.name, complete.training.epochs, complete.patterns) == ("complete", 20, ("svt",))
    assert (main.name, main.training.epochs, main.patterns) == ("main", 100, CONDITIONS)
    assert (complete.judged, main.judged) == (("svt",), CONDITIONS)
    frozen = made(dims, frozen_projection=True)
    learning = {id(parameter) for part in frozen.stages()[1].trained for parameter in part.parameters()}
    kept = {name.split(".")[0] for name, parameter in frozen.named_parameters() if id(parameter) not in learning}
    assert kept == {"project"}
    assert frozen.stages()[0].trained == (frozen,)


def test_representations_are_means_of_what_is_seen_or_recovered(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = made(dims).train(), make_batch()
    found = system.representations(batch)
    assert system.training
    system.eval()
    x = {m: system.project[m](batch.features[m], batch.lengths[m]) for m in MODALITIES}
    completed, _ = system.complete(x, batch.available)
    torch.testing.assert_close(found, {m: value.mean(2) for m, value in completed.items()}, atol=1e-5, rtol=1e-4)


def test_settings_of_another_system_are_refused(dims: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs Dicmor"):
        build(Baseline(), dims, 4)


def test_published_values() -> None:
    settings = Dicmor()
    for stage in (settings.training, settings.complete):
        assert (stage.optimizer, stage.learning_rate, stage.weight_decay) == ("adam", 1e-4, 0)
        assert (stage.clip_norm, stage.clip_value, stage.schedule, stage.batch_size) == (None, 0.6, "constant", 16)
    assert settings.resolved("iemocap") == settings
    assert Dicmor.model_validate({"training": {"epochs": 3}}).training.clip_value == 0.6


@pytest.mark.parametrize(
    ("given", "message"),
    [({"width": 30}, "multiple"), ({"width": 33, "attention_heads": 3}, "even"), ({"kernel": 4}, "odd")],
)
def test_impossible_settings_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dicmor.model_validate(given)


@pytest.mark.parametrize(
    ("settings", "paper", "lite"),
    [
        ({}, 11_753_700, 6_917_988),
        ({"combine": "mean"}, 11_728_932, 6_893_220),
        ({"flow": "glow"}, 12_159_204, 7_323_492),
        ({"cross_layers": 6, "memory_layers": 6}, 13_543_140, 8_707_428),
    ],
)
def test_parameter_count(settings: dict[str, object], paper: int, lite: int) -> None:
    """At d = 64: flows 3 x 335,872, reconstructions 3 x 2,080,736, priors 4 x 128 numbers that act of the public
    code's 8,448 each, transformers 3,580,416; the blocks' own counts are tested beside them."""
    for size, count in (("paper", paper), ("lite", lite)):
        system = build(Dicmor.model_validate({"size": size, **settings}), {"text": 768, "speech": 768, "video": 342}, 4)
        assert sum(parameter.numel() for parameter in system.parameters()) == count


def test_parts_of_the_parameter_count(dims: dict[str, int]) -> None:
    system = build(Dicmor(), dims, 4)
    assert isinstance(system, DicmorSystem)
    for m in MODALITIES:
        branch = system.branch(m)
        assert sum(parameter.numel() for parameter in branch.flow.parameters()) == 335_872
        assert sum(parameter.numel() for parameter in branch.reconstruct.parameters()) == 2_080_736
    published = Published(system)
    assert [sum(parameter.numel() for parameter in prior.parameters()) for prior in published.priors] == [8_448] * 4
    assert sum(parameter.numel() for parameter in system.prior.parameters()) == 4 * 128
