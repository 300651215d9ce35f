from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from cmarr.blocks.recurrence import recurrence


def made(lengths: list[int]) -> tuple[nn.LSTM, PackedSequence]:
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 3).double()
    for parameter in lstm.parameters():
        nn.init.normal_(parameter)
    return lstm, pack_sequence([torch.randn(n, 5, dtype=torch.float64) for n in lengths], enforce_sorted=False)


def ours(lstm: nn.LSTM, packed: PackedSequence) -> Tensor:
    w_ih, w_hh, b_ih, b_hh = lstm.parameters()
    return recurrence(packed.data @ w_ih.T + b_ih + b_hh, w_hh, packed.batch_sizes.tolist())


@pytest.mark.parametrize("lengths", [[1], [4], [1, 1], [2, 7, 4, 7, 1]])
def test_states_and_gradients_are_those_of_an_lstm(lengths: list[int]) -> None:
    lstm, packed = made(lengths)
    expected = lstm(packed)[0].data
    found = ours(lstm, packed)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(found)
    parameters = list(lstm.parameters())
    torch.testing.assert_close(
        torch.autograd.grad((found * upstream).sum(), parameters, allow_unused=True),
        torch.autograd.grad((expected * upstream).sum(), parameters, allow_unused=True),
    )


def test_gradient() -> None:
    gates, weight = torch.randn(6, 8, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    inputs = (gates.requires_grad_(), weight.requires_grad_(), [3, 2, 1])
    assert torch.autograd.gradcheck(recurrence, inputs)


def test_its_inputs_stay_as_they_were() -> None:
    gates, weight = torch.randn(3, 8), torch.randn(8, 2)
    before = gates.clone()
    recurrence(gates, weight, [2, 1])
    assert torch.equal(gates, before)


def test_float32_under_autocast() -> None:
    gates, weight = torch.randn(3, 8, requires_grad=True), torch.randn(8, 2)
    exact = recurrence(gates, weight, [2, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = recurrence(gates, weight, [2, 1])
        assert torch.equal(found, exact)
        assert torch.equal(*(torch.autograd.grad(each.sum(), gates)[0] for each in (found, exact)))
