from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from cmarr.blocks.flow import Coupling, Flow, Mixing
from cmarr.settings import PRESETS, FlowKind
from tests.closeness import changed

KINDS = get_args(FlowKind)


def untouched(width: int, steps: int, hidden: int, kind: FlowKind = "reversed", limit: float | None = 3.0) -> Flow:
    return Flow(replace(PRESETS["paper"], width=width, flow_steps=steps, flow_hidden=hidden), kind, limit)


def randomised(flow: Flow, spread: float, seed: int = 0) -> Flow:
    """The flow with noise on every weight; at its start it is nearly the identity, and no test could fail."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) * spread)
    return flow


def frames(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 4, 5])
@pytest.mark.parametrize("time", [1, 3])
def test_log_det_equals_the_jacobian(kind: FlowKind, steps: int, time: int) -> None:
    torch.manual_seed(steps)
    flow = randomised(untouched(4, steps, 8, kind).double(), 0.5)
    x = frames(2, 4, time).double()
    z, log_det = flow(x)
    assert log_det.shape == (2,)
    for sample in range(2):

        def alone(value: Tensor) -> Tensor:
            out: Tensor = flow(value.reshape(1, 4, time))[0].flatten()
            return out

        jacobian = torch.autograd.functional.jacobian(alone, x[sample].flatten())
        torch.testing.assert_close(log_det[sample], torch.linalg.slogdet(jacobian)[1])
        assert not torch.allclose(jacobian, torch.diag(jacobian.diagonal())), "the flow under test is trivial"
    assert not torch.allclose(z, x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_inverse_in_float32_at_full_depth(kind: FlowKind, seed: int) -> None:
    torch.manual_seed(seed)
    flow = randomised(untouched(64, 32, 64, kind), 0.02 if kind == "glow" else 0.05, seed)
    x = frames(1, 64, 5, seed=seed)
    with torch.no_grad():
        z = flow(x)[0]
        assert (flow.inverse(z) - x).abs().max() < 1e-4
        latent = z + 0.1 * z.std() * frames(1, 64, 5, seed=9)
        again = flow(flow.inverse(latent))[0]
    assert (again - latent).abs().max() < 1e-4
    assert (z - x).abs().max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_latent_alone_is_the_same(kind: FlowKind) -> None:
    flow, x = randomised(untouched(6, 4, 8, kind), 0.5), frames(2, 6, 5)
    assert torch.equal(flow.latent(x), flow(x)[0])


def test_literal_leaves_the_first_half_untouched() -> None:
    x = frames(2, 6, 5)
    z = randomised(untouched(6, 4, 8, "dicmor_literal"), 0.5)(x)[0]
    assert torch.equal(z[:, :3], x[:, :3])
    assert all(map(changed, x.transpose(0, 1)[3:], z.transpose(0, 1)[3:]))


@pytest.mark.parametrize("kind", ["reversed", "glow"])
def test_other_kinds_change_every_channel(kind: FlowKind) -> None:
    x = frames(2, 6, 5)
    z = randomised(untouched(6, 2, 8, kind), 0.5)(x)[0]
    assert all(map(changed, x.transpose(0, 1), z.transpose(0, 1)))


def coupled(step: Coupling, x: Tensor, limit: float) -> Tensor:
    """One coupling step of one frame (channels,)."""
    first, second = x.chunk(2)
    logit, shift = (step.last(step.net(first)) * torch.exp(3 * step.scale)).chunk(2)
    return torch.cat([first, (second + shift) * torch.sigmoid(logit.clamp(-limit, limit) + 2)])


@pytest.mark.parametrize("limit", [3.0, 0.5, None])
def test_one_step_is_the_formula(limit: float | None) -> None:
    flow = randomised(untouched(4, 1, 8, limit=limit), 2.0)
    step = flow.steps[0]
    assert isinstance(step, Coupling)
    x = frames(5, 4, 1)
    for sample in range(5):
        torch.testing.assert_close(flow(x)[0][sample, :, 0], coupled(step, x[sample, :, 0], limit or torch.inf))


def test_one_step_of_glow_is_the_formula() -> None:
    flow = randomised(untouched(4, 1, 8, "glow"), 0.5)
    step, mixing = flow.steps[0], flow.mixings[0]
    assert isinstance(step, Coupling)
    assert isinstance(mixing, Mixing)
    x = frames(1, 4, 1)
    mixed = mixing.weight @ (torch.exp(mixing.log_scale) * (x[0, :, 0] + mixing.bias))
    torch.testing.assert_close(flow(x)[0][0, :, 0], coupled(step, mixed, 3.0))


def test_glow_starts_as_a_seeded_rotation() -> None:
    torch.manual_seed(0)
    mixing = Mixing(16)
    torch.manual_seed(0)
    assert torch.equal(mixing.weight, Mixing(16).weight)
    torch.testing.assert_close(mixing.weight @ mixing.weight.T, torch.eye(16), atol=1e-5, rtol=0)
    assert (mixing.weight - torch.eye(16)).abs().max() > 0.5
    x = frames(2, 3, 16)
    y, log_det = mixing(x)
    torch.testing.assert_close(y, x @ mixing.weight.T)
    torch.testing.assert_close(log_det, torch.tensor(0.0), atol=1e-5, rtol=0)


def test_scale_is_bounded() -> None:
    flow = randomised(untouched(4, 1, 8), 50.0)
    log_det = flow(frames(100, 4, 1))[1] / 2
    low, high = torch.sigmoid(torch.tensor([-1.0, 5.0])).log()
    assert ((log_det >= low - 1e-5) & (log_det <= high + 1e-5)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_frames_do_not_see_each_other(kind: FlowKind) -> None:
    flow = randomised(untouched(4, 3, 8, kind), 0.5)
    x = frames(2, 4, 6)
    torch.testing.assert_close(flow(x)[0][:, :, 2:3], flow(x[:, :, 2:3])[0])


@pytest.mark.parametrize("kind", ["reversed", "dicmor_literal"])
def test_all_flows_without_rotations_are_the_same_map_at_the_start(kind: FlowKind) -> None:
    x = frames(2, 8, 3)
    torch.testing.assert_close(untouched(8, 3, 4, kind).inverse(untouched(8, 3, 4, kind)(x)[0]), x)


@pytest.mark.parametrize("kind", KINDS)
def test_stays_in_float32_under_autocast(kind: FlowKind) -> None:
    flow = randomised(untouched(8, 2, 8, kind), 0.1)
    x = frames(1, 8, 2).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = flow(x)
        back = flow.inverse(z)
    assert z.dtype == log_det.dtype == back.dtype == torch.float32
    torch.testing.assert_close(back, x.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("width", "count"), [(32, 235_520), (64, 335_872), (128, 536_576)])
def test_parameter_count_of_dicmor(width: int, count: int) -> None:
    """32 steps of three layers, d/2 to 64 to 64 to d, and d scales: the part of DiCMoR's flow that is executed."""
    assert count == 32 * ((width // 2 * 64 + 64) + (64 * 64 + 64) + (64 * width + width) + width)
    assert sum(parameter.numel() for parameter in untouched(width, 32, 64).parameters()) == count


@pytest.mark.parametrize(("width", "millions"), [(32, 0.270), (64, 0.471), (128, 1.069)])
def test_glow_adds_a_matrix_and_two_vectors_a_step(width: int, millions: float) -> None:
    count = sum(parameter.numel() for parameter in untouched(width, 32, 64, "glow").parameters())
    assert count - 32 * (width**2 + 2 * width) == sum(p.numel() for p in untouched(width, 32, 64).parameters())
    assert round(count / 1e6, 3) == millions
