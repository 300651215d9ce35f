from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cmarr.blocks.flow import Coupling, Flow


def randomised(flow: Flow, spread: float, seed: int = 0) -> Flow:
    """The flow with noise on every weight; at its start it is nearly the identity, and no test could fail."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) * spread)
    return flow


def frames(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("steps", [1, 4, 5])
def test_log_det_equals_the_jacobian(literal: bool, steps: int) -> None:
    flow = randomised(Flow(4, steps, 8, literal).double(), 0.5)
    x = frames(3, 4, 1).double()
    z, log_det = flow(x)
    assert log_det.shape == (3,)
    for sample in range(3):

        def alone(value: Tensor) -> Tensor:
            out: Tensor = flow(value.reshape(1, 4, 1))[0].flatten()
            return out

        jacobian = torch.autograd.functional.jacobian(alone, x[sample].flatten())
        sign, expected = torch.linalg.slogdet(jacobian)
        assert sign > 0
        torch.testing.assert_close(log_det[sample], expected)
        assert not torch.allclose(jacobian, torch.diag(jacobian.diagonal())), "the flow under test is trivial"
    assert not torch.allclose(z, x)


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_inverse_in_float32_at_full_depth(literal: bool, seed: int) -> None:
    torch.manual_seed(seed)
    flow = randomised(Flow(64, 32, 64, literal), 0.05, seed)
    x = frames(1, 64, 5, seed=seed)
    with torch.no_grad():
        z = flow(x)[0]
        assert (flow.inverse(z) - x).abs().max() < 1e-4
        latent = z + 0.1 * z.std() * frames(1, 64, 5, seed=9)
        again = flow(flow.inverse(latent))[0]
    assert (again - latent).abs().max() < 1e-4
    assert (z - x).abs().max() > 0.1


def test_literal_leaves_the_first_half_untouched() -> None:
    x = frames(2, 6, 5)
    z = randomised(Flow(6, 4, 8, literal=True), 0.5)(x)[0]
    assert torch.equal(z[:, :3], x[:, :3])
    assert not torch.isclose(z[:, 3:], x[:, 3:]).any()


def test_reversal_changes_every_channel() -> None:
    x = frames(2, 6, 5)
    z = randomised(Flow(6, 2, 8), 0.5)(x)[0]
    assert not torch.isclose(z, x).any()


def test_one_step_is_the_formula() -> None:
    flow = randomised(Flow(4, 1, 8), 0.5)
    step = flow.steps[0]
    assert isinstance(step, Coupling)
    x = frames(1, 4, 1)
    first, second = x[0, :2, 0], x[0, 2:, 0]
    logit, shift = (step.last(step.net(first)) * torch.exp(3 * step.scale)).chunk(2)
    expected = torch.cat([first, (second + shift) * torch.sigmoid(logit.clamp(-3, 3) + 2)])
    torch.testing.assert_close(flow(x)[0][0, :, 0], expected)


def test_scale_is_bounded() -> None:
    flow = randomised(Flow(4, 1, 8), 50.0)
    log_det = flow(frames(100, 4, 1))[1] / 2
    low, high = torch.sigmoid(torch.tensor([-1.0, 5.0])).log()
    assert ((log_det >= low - 1e-5) & (log_det <= high + 1e-5)).all()


def test_frames_do_not_see_each_other() -> None:
    flow = randomised(Flow(4, 3, 8), 0.5)
    x = frames(2, 4, 6)
    torch.testing.assert_close(flow(x)[0][:, :, 2:3], flow(x[:, :, 2:3])[0])


def test_all_flows_are_the_same_map_at_the_start() -> None:
    x = frames(2, 8, 3)
    torch.testing.assert_close(Flow(8, 3, 4).inverse(Flow(8, 3, 4)(x)[0]), x)


def test_stays_in_float32_under_autocast() -> None:
    flow = randomised(Flow(8, 2, 8), 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = flow(frames(1, 8, 2).bfloat16())
        back = flow.inverse(z)
    assert z.dtype == log_det.dtype == back.dtype == torch.float32


@pytest.mark.parametrize(("width", "count"), [(32, 235_520), (64, 335_872), (128, 536_576)])
def test_parameter_count_of_dicmor(width: int, count: int) -> None:
    assert sum(parameter.numel() for parameter in Flow(width, 32, 64).parameters()) == count
