"""Fréchet distances and moments against closed forms and independent routes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from simulacra.errors import DataError
from simulacra.metrics import frechet
from simulacra.metrics.frechet import Moments, frechet_distance, moments


def covariance(d: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(2 * d, d))
    return a.T @ a / d


def of(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), np.cov(x, rowvar=False)


def test_in_one_dimension_it_is_by_mean_and_deviation() -> None:
    # (m1 - m2)^2 + (s1 - s2)^2
    one, two = (np.array([1.0]), np.array([[9.0]])), (np.array([-1.0]), np.array([[0.25]]))
    assert frechet_distance(*one, *two) == pytest.approx(4 + 2.5**2)


def test_in_two_dimensions_the_root_has_a_closed_form() -> None:
    mu = np.array([1.0, 2.0])
    one, two = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[1.0, -0.5], [-0.5, 4.0]])
    assert not np.allclose(one @ two, two @ one)
    # tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)) for 2 x 2
    m = one @ two
    trace = np.sqrt(np.trace(m) + 2 * np.sqrt(np.linalg.det(m)))
    expected = 5 + np.trace(one) + np.trace(two) - 2 * trace
    assert frechet_distance(mu, one, np.zeros(2), two) == pytest.approx(expected)


def test_covariances_with_common_axes() -> None:
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    a, b = np.array([4.0, 1, 0, 9, 0]), np.array([1.0, 0, 0, 4, 2])
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    one, two = (axes * a) @ axes.T, (axes * b) @ axes.T
    assert frechet_distance(np.zeros(5), one, np.zeros(5), two) == pytest.approx(expected, abs=1e-6)


def test_general_covariances_against_sqrtm() -> None:
    one, two, mu = covariance(30, 0), covariance(30, 1), np.linspace(0, 1, 30)
    root = scipy.linalg.sqrtm(one @ two).real
    expected = mu @ mu + np.trace(one + two - 2 * root)
    assert frechet_distance(mu, one, np.zeros(30), two) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(np.zeros(30), two, mu, one) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "m", "rel"), [(40, 40, 1e-8), (40, 900, 1e-8), (900, 40, 1e-6), (290, 310, 1e-6)]
)
def test_fewer_examples_than_features(n: int, m: int, rel: float) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(300, 300)) / np.arange(1, 301)[:, None]
    x, y = rng.normal(size=(n, 300)) @ mix, rng.normal(size=(m, 300)) @ mix + 0.1
    (mu1, sigma1), (mu2, sigma2) = of(x), of(y)
    # tr (S1 S2)^(1/2) is the sum of the singular values of X Y^T / sqrt((N - 1)(M - 1)), without any root
    nuclear = np.linalg.svd((x - mu1) @ (y - mu2).T, compute_uv=False).sum() / np.sqrt((n - 1) * (m - 1))
    expected = ((mu1 - mu2) ** 2).sum() + np.trace(sigma1) + np.trace(sigma2) - 2 * nuclear
    assert frechet_distance(mu1, sigma1, mu2, sigma2) == pytest.approx(expected, rel=rel)


def test_equal_ones_are_at_zero() -> None:
    for sigma in (covariance(20, 0), np.zeros((20, 20)), np.ones((20, 20))):
        assert 0 <= frechet_distance(np.ones(20), sigma, np.ones(20), sigma) < 1e-6


def test_points_are_as_far_as_they_are() -> None:
    nothing = np.zeros((2, 2))
    assert frechet_distance(np.zeros(2), nothing, np.array([3.0, 4.0]), nothing) == 25


def test_infinite_features_are_refused() -> None:
    with pytest.raises(DataError, match="finite"):
        frechet_distance(np.zeros(2), np.eye(2), np.array([np.nan, 0]), np.eye(2))


@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_moments_far_from_zero(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(frechet, "BLOCK", 7)
    # halves near 2^27: exact in float64, while of their squares hardly a digit after the point is
    near = np.random.default_rng(0).integers(-50, 50, size=(100, 4)) / 2
    far = near + 2.0**27
    of_far = moments(far[i : i + size] for i in range(0, 100, size))
    assert of_far.count == 100
    np.testing.assert_allclose(of_far.mean - 2.0**27, near.mean(axis=0), atol=1e-7)
    expected = np.cov(near, rowvar=False)
    np.testing.assert_allclose(of_far.covariance, expected, rtol=1e-7, atol=1e-7)
    # the mean of squares minus the square of the mean is lost
    naive = (far.T @ far - 100 * np.outer(far.mean(axis=0), far.mean(axis=0))) / 99
    assert abs(naive - expected).max() > 0.1


def test_moments_of_parts_add_up() -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    a, b, c = Moments.of(x[:1]), Moments.of(x[1:50]), Moments.of(x[50:])
    for together in ((a + b) + c, a + (b + c), (c + a) + b):
        assert together.count == 60
        np.testing.assert_allclose(together.mean, x.mean(axis=0, dtype=np.float64), atol=1e-12)
        np.testing.assert_allclose(together.covariance, np.cov(x, rowvar=False), rtol=1e-10)


def test_moments_need_examples() -> None:
    with pytest.raises(DataError, match="no examples"):
        moments([])
    with pytest.raises(DataError, match="at least two"):
        _ = Moments.of(np.zeros((1, 2))).covariance
