from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cmarr.blocks.classifier import classifier


def test_layers_one_by_one() -> None:
    net = classifier(6, 5, 4, 0.5).eval()
    w = list(net.parameters())
    x = torch.randn(3, 6)
    hidden = functional.relu(functional.relu(x @ w[0].T + w[1]) @ w[2].T + w[3])
    torch.testing.assert_close(net(x), hidden @ w[4].T + w[5])


def test_drops_after_each_hidden_layer() -> None:
    torch.manual_seed(0)
    net = classifier(6, 1000, 4, 0.3)
    shares = [float((net[:end](torch.ones(1, 6)) != 0).float().mean()) for end in (2, 3)]
    assert abs(shares[1] / shares[0] - 0.7) < 0.1
    assert net[2].p == net[5].p == 0.3


@pytest.mark.parametrize(("width", "parameters"), [(384, 66_308), (320, 58_116), (768, 115_460)])
def test_parameter_count(width: int, parameters: int) -> None:
    assert sum(parameter.numel() for parameter in classifier(width, 128, 4, 0.3).parameters()) == parameters
