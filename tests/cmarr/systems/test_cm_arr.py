from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import cmarr.systems.cm_arr
from cmarr.batch import Batch
from cmarr.blocks.instance_contrast import DistributionContrast
from cmarr.blocks.label_contrast import label_contrast
from cmarr.blocks.umc import Umc
from cmarr.optimisation import optimizer_of, train_step
from cmarr.settings import PRESETS, CmArr
from cmarr.systems.cm_arr import Branch, CmArrSystem, build, reconstruction_loss, relative_error
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability

MakeBatch = Callable[..., Batch]
Shaken = Callable[..., CmArrSystem]


def projected(seed: int = 0, batch: int = 7) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {modality: torch.randn(batch, PRESETS["tiny"].width, 8, generator=generator) for modality in MODALITIES}


def flags(*conditions: str) -> Tensor:
    return torch.tensor([availability(condition) for condition in conditions])


def test_recovery_follows_equations_6_to_8_sample_by_sample(shaken: Shaken) -> None:
    system, x, available = shaken(), projected(), flags(*CONDITIONS)
    completed, recovered = system.complete(x, available)
    for row, condition in enumerate(CONDITIONS):
        own = {m: x[m][row : row + 1] for m in MODALITIES}
        latents = [system.branch(m).flow(own[m])[0] for m in MODALITIES if m[0] in condition]
        for modality in MODALITIES:
            if modality[0] in condition:
                assert torch.equal(completed[modality][row], x[modality][row])
                continue
            branch = system.branch(modality)
            expected = branch.reconstruct(branch.flow.inverse(sum(latents) / len(latents)))[0]
            torch.testing.assert_close(completed[modality][row], expected, atol=1e-5, rtol=1e-4)
            rows, values = recovered[modality]
            assert torch.equal(values[rows.tolist().index(row)], completed[modality][row])


def test_one_available_modality_gives_its_own_latent(shaken: Shaken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latent of a missing modality: that of the one available, or the mean of two."""
    system, x = shaken(), projected(batch=1)
    seen: list[Tensor] = []

    def spy(branch: Branch, latent: Tensor) -> Tensor:
        seen.append(latent)
        return latent

    monkeypatch.setattr(Branch, "recover", spy)
    z = {modality: system.branch(modality).flow(x[modality])[0] for modality in MODALITIES}
    system.complete(x, flags("s"))
    assert len(seen) == 2
    for latent in seen:
        torch.testing.assert_close(latent, z["speech"])
    seen.clear()
    system.complete(x, flags("sv"))
    torch.testing.assert_close(seen[0], (z["speech"] + z["video"]) / 2)


def test_complete_samples_meet_no_flow(shaken: Shaken, monkeypatch: pytest.MonkeyPatch) -> None:
    system, x = shaken(), projected()

    def forbidden(*_: object) -> None:
        raise AssertionError("nothing is missing")

    for modality in MODALITIES:
        for method in ("forward", "latent", "inverse"):
            monkeypatch.setattr(system.branch(modality).flow, method, forbidden)
    completed, recovered = system.complete(x, torch.ones(7, 3, dtype=torch.bool))
    assert not recovered
    assert all(torch.equal(completed[modality], x[modality]) for modality in MODALITIES)


def test_reconstruction_loss_is_the_mean_over_missing_entries(shaken: Shaken) -> None:
    system, x, available = shaken(), projected(), flags(*CONDITIONS)
    completed, recovered = system.complete(x, available)
    errors = [
        ((completed[modality][row] - x[modality][row]) ** 2).mean()
        for column, modality in enumerate(MODALITIES)
        for row in range(7)
        if not available[row, column]
    ]
    assert len(errors) == 9
    torch.testing.assert_close(reconstruction_loss(x, recovered, system.settings), torch.stack(errors).mean())


def test_no_gradient_into_the_reconstruction_target(shaken: Shaken) -> None:
    system, available = shaken(), flags(*CONDITIONS)
    x = {modality: value.requires_grad_() for modality, value in projected().items()}
    reconstruction_loss(x, system.complete(x, available)[1], system.settings).backward()
    for column, modality in enumerate(MODALITIES):
        gradient = x[modality].grad
        assert gradient is not None
        assert not gradient[~available[:, column]].any()
        assert gradient[available[:, column] & ~available.all(1)].any()
        assert not gradient[available.all(1)].any()


def test_reconstruction_loss_is_zero_when_nothing_is_missing(shaken: Shaken, make_batch: MakeBatch) -> None:
    parts = shaken().loss(make_batch(conditions=("svt",)))
    assert parts["rec"].item() == 0
    parts["total"].backward()


def test_flows_learn_through_their_inverse(shaken: Shaken) -> None:
    """With text alone available, the gradient reaches the flow of speech, which only ever runs backwards."""
    system, x = shaken(), projected()
    completed, _ = system.complete(x, flags(*["t"] * 7))
    completed["speech"].square().sum().backward()
    assert all(parameter.grad is not None for parameter in system.branch("speech").flow.parameters())
    assert all(parameter.grad is None for parameter in system.branch("video").flow.parameters())


def test_loss_parts_are_those_of_equation_14(shaken: Shaken, make_batch: MakeBatch) -> None:
    system, batch = shaken(), make_batch(size=14)
    assert batch.labels is not None
    x, instances = {}, {}
    for m in MODALITIES:
        x[m], instances[m] = system.branch(m).align(batch.features[m], batch.lengths[m])
    completed, recovered = system.complete(x, batch.available)
    contrast = system.contrast
    assert isinstance(contrast, DistributionContrast)
    pairs = [("speech", "text"), ("text", "video"), ("speech", "video")]
    parts = {
        "cls": functional.cross_entropy(system(batch), batch.labels),
        "udcl": sum(contrast(instances[one], instances[other]) for one, other in pairs) / 3,
        "spcl": label_contrast(torch.stack([completed[m].mean(2) for m in MODALITIES], 1), batch.labels),
        "rec": reconstruction_loss(x, recovered, system.settings),
    }
    total = parts["cls"] + 1.0 * parts["udcl"] + 0.1 * parts["spcl"] + 10 * parts["rec"]
    found = system.loss(batch)
    assert found.pop("rec_relative").isfinite()
    torch.testing.assert_close(found, {"total": total, **parts}, atol=1e-5, rtol=1e-4)


def test_instance_gaussian_is_the_mean_over_real_frames(shaken: Shaken, make_batch: MakeBatch) -> None:
    branch, batch = shaken().branch("speech"), make_batch()
    features, lengths = batch.features["speech"], batch.lengths["speech"]
    mean, deviation = branch.align(features, lengths)[1]
    for row, length in enumerate(lengths.tolist()):
        frames = branch.umc.gaussian(branch.widen(features[row : row + 1, :length]), torch.ones(1, length).bool())
        torch.testing.assert_close(mean[row], frames[0][0].mean(0), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(deviation[row], frames[1][0].mean(0), atol=1e-5, rtol=1e-4)


def test_alignment_loss_does_not_depend_on_what_counts_as_missing(shaken: Shaken, make_batch: MakeBatch) -> None:
    system = shaken()
    some, none = make_batch(), make_batch(conditions=("svt",))
    assert torch.equal(system.loss(some)["udcl"], system.loss(none)["udcl"])


def test_relative_error_is_one_for_the_mean_of_all_utterances(shaken: Shaken) -> None:
    x, available = projected(), flags(*CONDITIONS)
    rows = {modality: (~available[:, column]).nonzero()[:, 0] for column, modality in enumerate(MODALITIES)}
    means = {m: (rows[m], x[m].mean(0).expand(len(rows[m]), -1, -1)) for m in MODALITIES}
    true = {m: (rows[m], x[m][rows[m]]) for m in MODALITIES}
    everyone = {m: (torch.arange(7), x[m].mean(0).expand(7, -1, -1)) for m in MODALITIES}
    assert relative_error(x, everyone).item() == pytest.approx(1, rel=1e-5)
    assert relative_error(x, true).item() == 0
    assert relative_error(x, {}).item() == 0
    twice = {m: 2 * value for m, value in x.items()}
    doubled = {m: (index, 2 * value) for m, (index, value) in means.items()}
    torch.testing.assert_close(relative_error(twice, doubled), relative_error(x, means))


OFF = {
    "alpha": ("alignment_loss", "gaussian"),
    "beta": ("label_contrast",),
    "lambda_rec": ("reconstruction_loss", "relative_error"),
}


@pytest.mark.parametrize("weight", OFF)
def test_a_part_without_a_weight_is_not_computed(
    shaken: Shaken, make_batch: MakeBatch, monkeypatch: pytest.MonkeyPatch, weight: str
) -> None:
    system = shaken(**{weight: 0})

    def forbidden(*_: object) -> None:
        raise AssertionError("its weight is 0")

    for owner in (cmarr.systems.cm_arr, CmArrSystem, Umc):
        for name in OFF[weight]:
            if hasattr(owner, name):
                monkeypatch.setattr(owner, name, forbidden)
    parts = system.loss(make_batch())
    weights = {"cls": 1.0, "udcl": 1.0, "spcl": 0.1, "rec": 10.0}
    total = sum(weights[name] * part for name, part in parts.items() if name in weights)
    torch.testing.assert_close(parts["total"], total)
    assert len(parts) == (4 if weight == "lambda_rec" else 5)


def test_temperature_is_clamped_after_each_step(shaken: Shaken, make_batch: MakeBatch) -> None:
    system = shaken()
    (stage,) = system.stages()
    with torch.no_grad():
        system.contrast.temperature.tau.fill_(5.0)
    train_step(stage, make_batch(), optimizer_of(stage), 1e-4)
    assert system.contrast.temperature.tau.item() == 1


def loudness(system: CmArrSystem, batch: Batch) -> list[float]:
    """By modality, how far the fused utterances move when it comes from another utterance: 1 is as far as a stranger's.

    The fused utterance is what the classifier gets.
    """
    seen: list[Tensor] = []
    system.fuse.head.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        system(batch)
        for m in MODALITIES:
            features = batch.features | {m: batch.features[m].roll(1, 0)}
            system(replace(batch, features=features, lengths=batch.lengths | {m: batch.lengths[m].roll(1)}))
    strangers = 2 * seen[0].var(0).sum()
    return [((other - seen[0]).square().sum(1).mean() / strangers).item() for other in seen[1:]]


@pytest.mark.parametrize("size", PRESETS)
def test_no_modality_is_louder_than_another_at_the_start(size: str) -> None:
    """Each moves the fused utterance by about a third, where in the form of MulT the text moves it alone."""
    dims = {"text": 768, "speech": 768, "video": 342}
    generator = torch.Generator().manual_seed(0)
    features, lengths = {}, {}
    for m, time in {"text": 6, "speech": 12, "video": 8}.items():
        lengths[m] = torch.randint(time // 2, time + 1, (24,), generator=generator)
        own = torch.randn(24, 1, dims[m], generator=generator)
        features[m] = (own + torch.randn(24, time, dims[m], generator=generator)) / 2**0.5
    batch = Batch(features, lengths, torch.ones(24, 3, dtype=torch.bool), None)

    def made(**settings: object) -> CmArrSystem:
        torch.manual_seed(0)
        small = {"size": size, "rcab_blocks": 1, "flow_steps": 1}
        return CmArrSystem(CmArr.model_validate(small | settings), dims, 4).eval()

    for form in ({}, {"fusion": "each_asks"}, {"time_steps": 1}):
        shares = loudness(made(**form), batch)
        assert min(shares) > 0.25
        assert max(shares) < 0.45
    text, *others = loudness(made(fusion="text_asks", residual="scaled"), batch)
    assert text > 0.75
    assert max(others) < 0.2


@pytest.mark.parametrize(
    ("settings", "paper", "lite"),
    [
        ({}, 47_267_813, 7_918_181),
        ({"fusion": "text_asks"}, 46_950_181, 7_600_549),
        ({"fusion": "text_asks", "third_block": "sv"}, 47_267_813, 7_918_181),
        ({"fusion": "available_asks"}, 46_950_181, 7_600_549),
        ({"fusion": "each_asks"}, 47_267_813, 7_918_181),
        ({"fusion": "means"}, 46_672_229, 7_322_597),
        ({"ablation": "no_attention"}, 46_672_229, 7_322_597),
        ({"ablation": "no_umc_attention"}, 43_728_869, 7_524_965),
        ({"ablation": "point"}, 32_208_869, 6_240_869),
        ({"flow": "glow"}, 47_673_317, 8_323_685),
        ({"shared_weights": True}, 21_794_277, 4_484_197),
    ],
)
def test_parameter_count(settings: dict[str, object], paper: int, lite: int) -> None:
    """About 47 M and 8 M; the blocks' own counts are checked against the published ones where the blocks are tested."""
    for size, count in (("paper", paper), ("lite", lite)):
        chosen = CmArr.model_validate({"size": size, **settings})
        system = build(chosen, {"text": 768, "speech": 768, "video": 342}, 4)
        assert sum(parameter.numel() for parameter in system.parameters()) == count
