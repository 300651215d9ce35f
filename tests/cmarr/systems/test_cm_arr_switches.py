"""Settings of CM-ARR that change its computation (docs/cm-arr.md, open points), each against a slow calculation."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.distributions import Normal

from cmarr.batch import Batch
from cmarr.blocks.label_contrast import label_contrast
from cmarr.settings import CmArr
from cmarr.systems.cm_arr import CmArrSystem, reconstruction_loss
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability
from tests.closeness import changed

MakeBatch = Callable[..., Batch]
Shaken = Callable[..., CmArrSystem]
SOME = torch.tensor([availability(condition) for condition in CONDITIONS])


def projected() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {modality: torch.randn(7, 32, 8, generator=generator) for modality in MODALITIES}


def aligned(system: CmArrSystem, batch: Batch) -> tuple[dict[str, Tensor], list[tuple[Tensor, ...]]]:
    both = {m: system.branch(m).align(batch.features[m], batch.lengths[m]) for m in MODALITIES}
    return {m: both[m][0] for m in MODALITIES}, [both[m][1] for m in MODALITIES]


def test_instance_can_be_the_first_frames_gaussian(shaken: Shaken, make_batch: MakeBatch) -> None:
    branch, batch = shaken(instance="first").branch("speech"), make_batch()
    features, lengths = batch.features["speech"], batch.lengths["speech"]
    instance = branch.align(features, lengths)[1]
    for row, length in enumerate(lengths.tolist()):
        frames = branch.umc.gaussian(branch.widen(features[row : row + 1, :length]), torch.ones(1, length).bool())
        for part, expected in zip(instance, frames, strict=True):
            torch.testing.assert_close(part[row], expected[0, 0], atol=1e-5, rtol=1e-4)


def test_sampling_projects_mean_plus_noise_times_deviation(shaken: Shaken, make_batch: MakeBatch) -> None:
    system, batch = shaken(sampling=True, umc_dropout=0.0), make_batch()
    branch, features, lengths = system.branch("text"), batch.features["text"], batch.lengths["text"]
    real = torch.arange(features.shape[1]) < lengths[:, None]
    mean, deviation = branch.umc.gaussian(branch.widen(features), real)
    branch.train()
    torch.manual_seed(5)
    x, instance = branch.align(features, lengths)
    torch.manual_seed(5)
    noise = torch.randn(mean.shape)
    torch.testing.assert_close(x, branch.project(mean + noise * deviation, lengths))
    branch.eval()
    plain, plain_instance = branch.align(features, lengths)
    torch.testing.assert_close(plain, branch.project(mean, lengths))
    assert changed(plain, x)
    torch.testing.assert_close(instance, plain_instance)
    assert torch.equal(branch(features, lengths), plain)


@pytest.mark.parametrize("conditions", [CONDITIONS, ("svt", "s", "t"), ("s",)])
def test_alignment_of_available_pairs(shaken: Shaken, make_batch: MakeBatch, conditions: tuple[str, ...]) -> None:
    system, batch = shaken(udcl_on="available"), make_batch(size=14, conditions=conditions)
    instances = aligned(system, batch)[1]
    expected = []
    for one, other in combinations(range(3), 2):
        rows = [row for row in range(14) if batch.available[row, one] and batch.available[row, other]]
        assert (len(rows) == 0) == (conditions == ("s",))
        if rows:
            pair = [tuple(torch.stack([part[row] for row in rows]) for part in instances[m]) for m in (one, other)]
            expected.append(system.contrast(*pair))
        else:
            expected.append(torch.tensor(0.0))
    torch.testing.assert_close(system.loss(batch)["udcl"], sum(expected) / 3)


def test_a_single_available_pair_costs_nothing(shaken: Shaken, make_batch: MakeBatch) -> None:
    batch = make_batch(size=7)
    parts = shaken(udcl_on="available").loss(
        Batch(batch.features, batch.lengths, SOME[[0, 1, 2, 0, 1, 2, 6]], batch.labels)
    )
    assert parts["udcl"].item() == 0
    parts["total"].backward()


def test_alignment_can_be_a_sum_over_pairs(shaken: Shaken, make_batch: MakeBatch) -> None:
    batch = make_batch()
    torch.testing.assert_close(
        shaken(udcl_pairs="sum").loss(batch)["udcl"], 3 * shaken().loss(batch)["udcl"], atol=1e-4, rtol=1e-5
    )


def test_label_contrast_of_the_true_features(shaken: Shaken, make_batch: MakeBatch) -> None:
    system = shaken(spcl_features="X", spcl_positives="cross_modal", spcl_tau=0.3)
    batch = make_batch(size=14)
    assert batch.labels is not None
    x, _ = aligned(system, batch)
    points = torch.stack([x[m].mean(2) for m in MODALITIES], 1)
    spcl = system.loss(batch)["spcl"]
    torch.testing.assert_close(spcl, label_contrast(points, batch.labels, 0.3, cross_modal=True))
    spcl.backward()
    assert all(p.grad is None for m in MODALITIES for p in system.branch(m).reconstruct.parameters())


def test_label_contrast_of_completed_features_trains_the_reconstruction(shaken: Shaken, make_batch: MakeBatch) -> None:
    system, batch = shaken(spcl_positives="cross_modal", spcl_tau=0.3), make_batch(size=14)
    assert batch.labels is not None
    completed, _ = system.complete(aligned(system, batch)[0], batch.available)
    points = torch.stack([completed[m].mean(2) for m in MODALITIES], 1)
    spcl = system.loss(batch)["spcl"]
    torch.testing.assert_close(spcl, label_contrast(points, batch.labels, 0.3, cross_modal=True), atol=1e-5, rtol=1e-4)
    spcl.backward()
    assert all(p.grad is not None for m in MODALITIES for p in system.branch(m).reconstruct.parameters())


def test_reconstruction_can_be_the_frobenius_norm(shaken: Shaken) -> None:
    system, x = shaken(rec_reduction="sum"), projected()
    completed, recovered = system.complete(x, SOME)
    norms = [
        torch.linalg.matrix_norm(completed[modality][row] - x[modality][row]) ** 2
        for column, modality in enumerate(MODALITIES)
        for row in range(7)
        if not SOME[row, column]
    ]
    torch.testing.assert_close(reconstruction_loss(x, recovered, system.settings), sum(norms) / 9)


def test_target_gradient_moves_the_true_features_to_their_recovery(shaken: Shaken) -> None:
    system = shaken(target_gradient=True)
    x = {modality: value.requires_grad_() for modality, value in projected().items()}
    completed, recovered = system.complete(x, SOME)
    reconstruction_loss(x, recovered, system.settings).backward()
    for column, modality in enumerate(MODALITIES):
        missing, gradient = ~SOME[:, column], x[modality].grad
        assert gradient is not None
        expected = 2 * (x[modality] - completed[modality]).detach()[missing] / (32 * 8 * 9)
        torch.testing.assert_close(gradient[missing], expected)


@pytest.mark.parametrize("inverse_gradient", [True, False])
def test_gradient_through_the_inverse_can_be_cut(shaken: Shaken, inverse_gradient: bool) -> None:
    system = shaken(inverse_gradient=inverse_gradient)
    x = {modality: value.requires_grad_() for modality, value in projected().items()}
    completed, _ = system.complete(x, SOME[[0] * 7])
    torch.testing.assert_close(completed["video"], shaken().complete(projected(), SOME[[0] * 7])[0]["video"])
    completed["video"].square().sum().backward()
    branch = system.branch("video")
    assert all(p.grad is not None for p in branch.reconstruct.parameters())
    assert all((p.grad is not None) == inverse_gradient for p in branch.flow.parameters())
    assert (x["text"].grad is not None) == inverse_gradient


@pytest.mark.parametrize("flow", ["reversed", "glow"])
@pytest.mark.parametrize("prior", ["single", "class"])
def test_likelihood_is_that_of_all_three_real_modalities(
    shaken: Shaken, make_batch: MakeBatch, flow: str, prior: str
) -> None:
    system, batch = shaken(flow_nll=0.2, flow_prior=prior, flow=flow), make_batch(conditions=("t",))
    x, _ = aligned(system, batch)
    assert batch.labels is not None
    expected = 0.0
    for modality in MODALITIES:
        log_likelihood = 0.0
        for row, label in enumerate(batch.labels.tolist()):
            z, log_det = system.branch(modality).flow(x[modality][row : row + 1])
            mean, deviation = torch.zeros(32, 1), torch.ones(32, 1)
            if prior == "class":
                mean, deviation = system.prior.mean[label][:, None], system.prior.log_sigma[label].exp()[:, None]
            log_likelihood += (log_det + Normal(mean, deviation).log_prob(z[0]).sum()).item()
        expected += max(0.0, -log_likelihood / (math.log(2) * 7 * 32 * 8))
    parts = system.loss(batch)
    assert expected > 0
    assert parts["nll"].item() == pytest.approx(expected, rel=1e-4)
    rest = parts["cls"] + parts["udcl"] + 0.1 * parts["spcl"] + 10 * parts["rec"]
    torch.testing.assert_close(parts["total"], rest + 0.2 * parts["nll"])
    without = shaken(flow=flow).loss(batch)
    assert "nll" not in without
    if prior == "single":
        torch.testing.assert_close(without["cls"], parts["cls"])
        torch.testing.assert_close(without["rec"], parts["rec"])


def test_latents_brought_along_complete_the_same(shaken: Shaken) -> None:
    system, x = shaken(), projected()
    z = {m: system.branch(m).flow.latent(x[m]) for m in MODALITIES}
    torch.testing.assert_close(system.complete(x, SOME, z)[0], system.complete(x, SOME)[0])


@pytest.mark.parametrize("flow", ["reversed", "glow"])
def test_shared_weights_survive_a_file_of_separate_entries(
    shaken: Shaken, make_batch: MakeBatch, tmp_path: Path, flow: str
) -> None:
    system, batch = shaken(shared_weights=True, flow=flow), make_batch()
    names = {name for name, _ in system.named_parameters()}
    assert not any("speech.flow" in name or "video.umc" in name for name in names)
    assert any("speech.reconstruct" in name for name in names)
    for parameter in system.branch("speech").flow.parameters():
        with torch.no_grad():
            parameter.mul_(1.1)
    save_file({name: value.clone() for name, value in system.state_dict().items()}, tmp_path / "weights")
    other = CmArrSystem(system.settings, {"text": 6, "speech": 5, "video": 4}, 4).eval()
    other.load_state_dict(load_file(tmp_path / "weights"))
    assert torch.equal(other(batch), system(batch))
    assert other.branch("video").flow is other.branch("text").flow
    assert other.branch("video").umc is other.branch("text").umc


def test_without_alignment_the_component_can_be_bypassed(shaken: Shaken, make_batch: MakeBatch) -> None:
    """Variant of Table 3's `no_udcl`: X_n from the features, so nothing trains or uses the uncertainty component."""
    system, batch = shaken(ablation="no_udcl", x_source="R"), make_batch()
    before = system(batch)
    system.loss(batch)["total"].backward()
    for modality in MODALITIES:
        component = [*system.branch(modality).umc.parameters(), *system.branch(modality).widen.parameters()]
        assert all(parameter.grad is None for parameter in component)
        with torch.no_grad():
            for parameter in component:
                parameter.fill_(torch.nan)
    assert torch.equal(system(batch), before)


def test_settings_of_paper_size_reach_the_blocks() -> None:
    system = CmArrSystem(
        CmArr(
            size="tiny",
            rcab_reduction=8,
            rcab_widening=3,
            umc_dropout=0.25,
            kernel=3,
            flow_logit_limit=None,
            log_sigma_limit=2.0,
        ),
        {"text": 6, "speech": 5, "video": 4},
        4,
    )
    branch = system.branch("video")
    assert branch.reconstruct[1].body[0].body[3].gate[0].out_channels == 3 * 32 // 8
    assert (branch.umc.dropout, branch.umc.limit) == (0.25, 2.0)
    assert branch.project.convolution.kernel_size == (3,)
    assert branch.flow.steps[0].limit is None


@pytest.mark.parametrize("conditions", [CONDITIONS, ("st",), ("svt",)])
def test_representations_are_means_of_real_or_recovered_features(
    shaken: Shaken, make_batch: MakeBatch, conditions: tuple[str, ...]
) -> None:
    batch, system = make_batch(conditions=conditions), shaken()
    completed, _ = system.complete(aligned(system, batch)[0], batch.available)
    system.train()
    found = system.representations(batch)
    assert system.training
    for modality in MODALITIES:
        assert not found[modality].requires_grad
        torch.testing.assert_close(found[modality], completed[modality].mean(2), atol=1e-5, rtol=1e-4)
