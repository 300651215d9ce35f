from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.instance_contrast import DistributionContrast
from cmarr.blocks.label_contrast import label_contrast
from cmarr.settings import PRESETS, CmArr
from cmarr.systems.cm_arr import Branch, CmArrSystem, build, reconstruction_loss
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
    torch.testing.assert_close(system.loss(batch), {"total": total, **parts}, atol=1e-5, rtol=1e-4)


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


def test_weight_zero_takes_a_part_out_of_the_total(shaken: Shaken, make_batch: MakeBatch) -> None:
    parts = shaken(alpha=0, beta=0, lambda_rec=0).loss(make_batch())
    torch.testing.assert_close(parts["total"], parts["cls"])


@pytest.mark.parametrize(
    ("settings", "paper", "lite"),
    [
        ({}, 46_950_181, 7_600_549),
        ({"ablation": "no_attention"}, 46_672_229, 7_322_597),
        ({"ablation": "no_umc_attention"}, 43_411_237, 7_207_333),
        ({"ablation": "point"}, 31_891_237, 5_923_237),
        ({"flow": "glow"}, 47_355_685, 8_006_053),
        ({"shared_weights": True}, 21_476_645, 4_166_565),
    ],
)
def test_parameter_count(settings: dict[str, object], paper: int, lite: int) -> None:
    """About 47 M and 8 M; the blocks' own counts are checked against the published ones where the blocks are tested."""
    for size, count in (("paper", paper), ("lite", lite)):
        chosen = CmArr.model_validate({"size": size, **settings})
        system = build(chosen, {"text": 768, "speech": 768, "video": 342}, 4)
        assert sum(parameter.numel() for parameter in system.parameters()) == count
