"""Squared 2-Wasserstein distance of diagonal Gaussians (eq. 1)."""

from __future__ import annotations

from torch import Tensor


def squared_wasserstein(mean: Tensor, deviation: Tensor, other_mean: Tensor, other_deviation: Tensor) -> Tensor:
    """(n, m): ||mu_i - mu_j||^2 + ||sigma_i - sigma_j||^2 of n Gaussians (n, dim) and m others (m, dim), in float32.

    For standard deviations: the paper says variance, but eq. 1 is the 2-Wasserstein distance only for deviations, and
    MAP's code takes them too (docs/cm-arr.md, point 3). Differences come before squares, so equal Gaussians are at
    exactly 0.
    """
    return _squared_distances(mean, other_mean) + _squared_distances(deviation, other_deviation)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    return (x.float()[:, None] - y.float()[None]).square().sum(2)
