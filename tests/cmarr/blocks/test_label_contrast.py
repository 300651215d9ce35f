from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from cmarr.blocks.label_contrast import label_contrast

LABELS = torch.tensor([0, 1, 0, 2, 1, 0])


def points(seed: int = 0, batch: int = 6) -> Tensor:
    return torch.randn(batch, 3, 4, generator=torch.Generator().manual_seed(seed))


def slow(x: Tensor, labels: Tensor, tau: float = 0.07, cross_modal: bool = False) -> float:
    """The loss point by point."""
    everyone = [(i, n) for i in range(x.shape[0]) for n in range(x.shape[1])]

    def affinity(p: tuple[int, int], q: tuple[int, int]) -> float:
        return math.exp(torch.cosine_similarity(x[p].double(), x[q].double(), dim=0).item() / tau)

    losses = []
    for p in everyone:
        foreign = [q for q in everyone if q[0] != p[0]]
        positives = [q for q in foreign if labels[q[0]] == labels[p[0]] and not (cross_modal and q[1] == p[1])]
        if positives:
            below = sum(affinity(p, r) for r in foreign)
            losses.append(-sum(math.log(affinity(p, q) / below) for q in positives) / len(positives))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tau", [0.07, 0.5])
@pytest.mark.parametrize("cross_modal", [False, True])
def test_equals_the_double_loop(seed: int, tau: float, cross_modal: bool) -> None:
    x = points(seed)
    expected = slow(x, LABELS, tau, cross_modal)
    assert label_contrast(x, LABELS, tau, cross_modal).item() == pytest.approx(expected, rel=1e-4)
    assert expected != pytest.approx(slow(x, LABELS, tau, not cross_modal), rel=1e-3)


@pytest.mark.parametrize("cross_modal", [False, True])
@pytest.mark.parametrize("labels", [torch.tensor([0, 1, 2, 3, 4, 5]), torch.tensor([0])])
def test_without_positives_loss_and_gradient_are_zero(labels: Tensor, cross_modal: bool) -> None:
    x = points(batch=len(labels)).requires_grad_()
    loss = label_contrast(x, labels, cross_modal=cross_modal)
    with torch.autograd.set_detect_anomaly(True):  # no NaN on the way either
        loss.backward()
    assert loss.item() == 0
    assert x.grad is not None
    assert not x.grad.any()


def test_order_of_utterances_does_not_matter() -> None:
    order = torch.tensor([4, 2, 0, 5, 1, 3])
    torch.testing.assert_close(label_contrast(points()[order], LABELS[order]), label_contrast(points(), LABELS))


def test_points_of_the_same_utterance_have_no_effect_on_each_other() -> None:
    """Two points of one utterance that coincide and two that are opposite cost the same against equal others."""
    x = points(batch=2)
    x[0, 0] = torch.tensor([1.0, 0, 0, 0])
    x[1] = torch.tensor([0.0, 0, 0, 1])
    together, apart = x.clone(), x.clone()
    together[0, 1] = torch.tensor([1.0, 0, 0, 0])
    apart[0, 1] = torch.tensor([-1.0, 0, 0, 0])
    labels = torch.tensor([0, 0])
    torch.testing.assert_close(label_contrast(together, labels), label_contrast(apart, labels))


def test_stays_in_float32_under_autocast() -> None:
    expected = label_contrast(points(), LABELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(label_contrast(points(), LABELS), expected)


def test_length_of_a_point_does_not_matter() -> None:
    torch.testing.assert_close(label_contrast(points() * 7, LABELS), label_contrast(points(), LABELS))


def test_gradient_is_finite_and_pulls_same_labels_together() -> None:
    x = points().requires_grad_()
    before = label_contrast(x, LABELS)
    (gradient,) = torch.autograd.grad(before, x)
    assert gradient.isfinite().all()
    assert label_contrast(x - 0.01 * gradient, LABELS) < before
