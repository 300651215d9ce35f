import numpy as np
import pytest
import scipy.linalg

from cmarr.distances import cosine, frechet


def points(seed: int, count: int, width: int) -> np.ndarray:
    """Correlated points with a mean of their own."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


def by_hand(one: np.ndarray, other: np.ndarray) -> float:
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


@pytest.mark.parametrize("width", [2, 5, 12])
def test_frechet_equals_the_formula_with_a_matrix_root(width: int) -> None:
    one, other = points(1, 200, width), points(2, 150, width)
    assert frechet(one, other) == pytest.approx(by_hand(one, other), rel=1e-6)
    assert frechet(other, one) == pytest.approx(frechet(one, other))


def test_frechet_of_uncorrelated_sets_is_that_of_means_and_deviations() -> None:
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    one, other = signs * [1, 2, 3], signs * [2, 0.5, 3] + [1, 0, -2]
    scale = np.sqrt(8 / 7)  # divisor n - 1
    wanted = 1 + 4 + scale**2 * (1 + 1.5**2)
    assert frechet(one, other) == pytest.approx(wanted)


def test_frechet_with_fewer_points_than_dimensions() -> None:
    one = points(3, 5, 64)
    assert frechet(one, one) == pytest.approx(0, abs=1e-6 * np.square(one).sum())
    assert frechet(one, one + 2) == pytest.approx(4 * 64, rel=1e-6)
    exact = np.linalg.norm  # covariances A'A and B'B: the root's trace is the nuclear norm of A B'
    other = points(4, 7, 64)
    a, b = ((part - part.mean(0)) / np.sqrt(len(part) - 1) for part in (one, other))
    wanted = exact(one.mean(0) - other.mean(0)) ** 2 + exact(a) ** 2 + exact(b) ** 2 - 2 * exact(a @ b.T, "nuc")
    assert frechet(one, other) == pytest.approx(wanted, rel=1e-6)


def test_cosine_pair_by_pair() -> None:
    one, other = points(5, 6, 4), points(6, 6, 4)
    pairs = [float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b)) for a, b in zip(one, other, strict=True)]
    assert cosine(one, other) == pytest.approx(np.mean(pairs))
    other[0] = 0
    assert cosine(one, other) == pytest.approx(np.sum(pairs[1:]) / 6)
