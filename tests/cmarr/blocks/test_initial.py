from __future__ import annotations

import torch
from torch import nn

from cmarr.blocks.initial import kaiming_


def test_variance_is_two_over_the_fan_in() -> None:
    torch.manual_seed(0)
    linear, convolution = nn.Linear(300, 400), nn.Conv1d(100, 300, 3)
    kaiming_(nn.Sequential(linear, nn.Sequential(convolution)))
    for layer in (linear, convolution):
        assert layer.bias is not None
        assert not layer.bias.any()
        assert abs(float(layer.weight.detach().var()) - 2 / 300) < 1e-4
        assert abs(float((layer.weight.abs() < (2 / 300) ** 0.5).float().mean()) - 0.683) < 0.01


def test_lstms_keep_their_weights() -> None:
    lstm = nn.LSTM(3, 4)
    before = {name: value.clone() for name, value in lstm.state_dict().items()}
    kaiming_(lstm)
    assert all(torch.equal(value, before[name]) for name, value in lstm.state_dict().items())
