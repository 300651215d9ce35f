"""How far recovered representations are from the true ones, in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(utterances, width)"""


def cosine(one: Points, other: Points) -> float:
    """Mean over utterances of the cosine between their two vectors; a vector of zeros has cosine 0."""
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / np.maximum(norms, np.finfo(float).tiny)).mean())


def frechet(one: Points, other: Points) -> float:
    """Squared Frechet distance, as in FID, of Gaussians fitted to two sets of points.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), covariances with the divisor n - 1. The trace of the root is
    the nuclear norm of C1^1/2 C2^1/2, which takes no root of a rounding error, so fewer points than dimensions do no
    harm.
    """
    covariances = [np.atleast_2d(np.cov(points, rowvar=False)) for points in (one, other)]
    first, second = (_root(covariance) for covariance in covariances)
    shift = np.square(one.mean(0) - other.mean(0)).sum()
    inner = np.linalg.norm(first @ second, "nuc")
    return float(max(shift + sum(np.trace(part) for part in covariances) - 2 * inner, 0))


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Symmetric square root by eigenvalues; those that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
