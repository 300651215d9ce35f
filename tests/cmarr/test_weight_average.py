from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cmarr.settings import Training
from cmarr.systems.base import Stage
from cmarr.vocabulary import CONDITIONS
from cmarr.weight_average import WeightAverage


class Net(nn.Module):
    """Two trained layers that share a weight, one that is not trained, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other, self.fixed = (nn.Linear(3, 3) for _ in range(3))
        self.other.weight = self.one.weight
        self.one.register_buffer("seen", torch.zeros(3))


def made(decay: float) -> tuple[Net, WeightAverage]:
    net = Net()
    parts = (net.one, net.other)
    stage = Stage(Training(), lambda _: {}, lambda _: torch.zeros(1), parts, CONDITIONS)
    return net, WeightAverage(net, stage, decay)


def walk(net: Net, average: WeightAverage, steps: int) -> list[dict[str, Tensor]]:
    """The weights at first and after each step."""
    seen = [{name: value.clone() for name, value in net.state_dict().items()}]
    generator = torch.Generator().manual_seed(1)
    for step in range(1, steps + 1):
        with torch.no_grad():
            for value in net.state_dict().values():
                value.add_(torch.randn(value.shape, generator=generator))
        average.update(step)
        seen.append({name: value.clone() for name, value in net.state_dict().items()})
    return seen


@pytest.mark.parametrize("decay", [0.5, 0.95])
def test_it_is_the_sum_of_all_weights_so_far_each_with_its_share(decay: float) -> None:
    net, average = made(decay)
    seen = walk(net, average, 40)
    shares = [1.0]
    for step in range(1, 41):
        kept = min(decay, (1 + step) / (10 + step))
        shares = [share * kept for share in shares] + [1 - kept]
    assert sum(shares) == pytest.approx(1)
    found = average.state_dict()
    assert set(found) == {"one.weight", "one.bias", "other.weight", "other.bias"}
    for name, value in found.items():
        expected = sum(share * state[name].double() for share, state in zip(shares, seen, strict=True))
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.equal(found["one.weight"], found["other.weight"])


def test_the_weights_come_back_when_they_were_lent() -> None:
    net, average = made(0.9)
    before = walk(net, average, 5)[-1]
    with pytest.raises(KeyError), average.in_place():
        within = {name: value.clone() for name, value in net.state_dict().items()}
        raise KeyError
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    means = average.state_dict()
    for name, value in within.items():
        assert torch.equal(value, means.get(name, before[name]))
    assert not torch.equal(within["one.weight"], before["one.weight"])


def test_what_was_saved_goes_on_with_the_same_bits() -> None:
    net, average = made(0.9)
    walk(net, average, 5)
    saved = {name: value.clone() for name, value in average.state_dict().items()}
    other_net, other = made(0.9)
    other_net.load_state_dict(net.state_dict())
    other.load_state_dict(saved)
    for one, two in ((net, average), (other_net, other)):
        with torch.no_grad():
            one.one.weight.add_(1)
        two.update(6)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in average.state_dict().items())
    assert not torch.equal(average.state_dict()["one.weight"], saved["one.weight"])
