from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cmarr.blocks.coupling_stack import CouplingStack
from cmarr.blocks.flow import Coupling, Flow
from cmarr.settings.dicmor import DicmorSizes


def randomised(width: int, hidden: int, steps: int, spread: float, limit: float | None = None) -> CouplingStack:
    """A stack with noise on every weight; at its start it is nearly the identity, and no test could fail."""
    torch.manual_seed(0)
    stack = CouplingStack(width, hidden, steps, limit)
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return stack


def step_by_step(stack: CouplingStack) -> Flow:
    """The same flow out of single steps."""
    steps, width, hidden = len(stack.scale), stack.scale.shape[2], stack.weights[0].shape[2]
    flow = Flow(DicmorSizes(width, 1, 1, 1, steps, hidden, 1, 1), "dicmor_literal", stack.limit)
    flow.to(stack.scale.dtype)
    with torch.no_grad():
        for number, step in enumerate(flow.steps):
            assert isinstance(step, Coupling)
            layers = (step.net[0], step.net[2], step.last)
            for layer, weight, bias in zip(layers, stack.weights, stack.biases, strict=True):
                layer.weight.copy_(weight[number].T)
                layer.bias.copy_(bias[number, 0])
            step.scale.copy_(stack.scale[number, 0])
    return flow


def frames(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("limit", [None, 0.5])
@pytest.mark.parametrize("steps", [1, 5])
def test_equals_the_steps_one_after_another(steps: int, limit: float | None) -> None:
    stack = randomised(6, 8, steps, 0.4, limit).double()
    flow, x = step_by_step(stack), frames(3, 6, 4).double()
    torch.testing.assert_close(stack(x), flow(x))
    torch.testing.assert_close(stack.latent(x), flow(x)[0])
    torch.testing.assert_close(stack.inverse(x), flow.inverse(x))
    assert not torch.isclose(stack(x)[0][:, 3:], x[:, 3:]).any()


def test_gradients_are_those_of_the_steps() -> None:
    stack = randomised(6, 8, 5, 0.4).double()
    flow, x = step_by_step(stack), frames(3, 6, 4).double().requires_grad_()
    found = []
    for module in (stack, flow):
        z, log_det = module(x)
        found.append(torch.autograd.grad(z.sin().sum() + log_det.sum() + module.inverse(x).sum(), x)[0])
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("time", [1, 3])
def test_log_det_equals_the_jacobian(time: int) -> None:
    stack = randomised(4, 8, 5, 0.5).double()
    x = frames(2, 4, time).double()
    for sample in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda value: stack(value.reshape(1, 4, time))[0].flatten(), x[sample].flatten()
        )
        torch.testing.assert_close(stack(x)[1][sample], torch.linalg.slogdet(jacobian)[1])
        assert not torch.allclose(jacobian, torch.diag(jacobian.diagonal())), "the flow under test is trivial"


def test_inverse_in_float32_at_full_depth() -> None:
    stack, x = randomised(64, 64, 32, 0.05), frames(2, 64, 5)
    with torch.no_grad():
        z = stack(x)[0]
        assert (stack.inverse(z) - x).abs().max() < 1e-4
        assert (z - x).abs().max() > 0.1
        latent = z + 0.1 * z.std() * frames(2, 64, 5).flip(2)
        assert (stack(stack.inverse(latent))[0] - latent).abs().max() < 1e-4


def test_first_half_is_untouched() -> None:
    stack, x = randomised(6, 8, 4, 0.5), frames(2, 6, 5)
    assert torch.equal(stack(x)[0][:, :3], x[:, :3])
    assert torch.equal(stack.inverse(x)[:, :3], x[:, :3])


def test_latents_of_small_scales_stay_finite() -> None:
    """Every step multiplies by e^-8: their product is 0 in float32, and its inverse infinite."""
    stack = randomised(4, 8, 32, 0.1)
    with torch.no_grad():
        stack.biases[2][:, :, :2] = -10
    z, log_det = stack(frames(2, 4, 3))
    assert z.isfinite().all()
    assert (log_det < -1000).all()


def test_stays_in_float32_under_autocast() -> None:
    stack, x = randomised(8, 8, 2, 0.1), frames(1, 8, 2).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = stack(x)
        back = stack.inverse(z)
    assert z.dtype == log_det.dtype == back.dtype == torch.float32
    torch.testing.assert_close(back, x.float(), atol=1e-5, rtol=1e-5)


def test_starts_like_single_steps() -> None:
    torch.manual_seed(0)
    stack = CouplingStack(64, 64, 32)
    assert sum(parameter.numel() for parameter in stack.parameters()) == 335_872
    assert [round(float(weight.detach().std()), 2) for weight in stack.weights] == [0.05, 0.05, 0.0]
    x = frames(1, 64, 2)
    torch.testing.assert_close(stack(x)[0][:, 32:], x[:, 32:] * torch.sigmoid(torch.tensor(2.0)) ** 32)
