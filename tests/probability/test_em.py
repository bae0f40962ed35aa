"""Expectation maximisation against scikit-learn's, and the bound that it raises."""

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from simulacra.probability import em
from simulacra.probability.em import NormalMixture


def blobs(K: int, D: int, n: int = 200, apart: float = 4.0) -> Tensor:
    """n vectors around each of K random centres, of covariances of their own."""
    rng = np.random.default_rng(K)
    parts = [
        rng.normal(size=(n, D)) @ rng.normal(size=(D, D)) / D + apart * rng.normal(size=D) for _ in range(K)
    ]
    x = np.concatenate(parts)
    return torch.from_numpy((x - x.mean(axis=0)) / x.std(axis=0))


@pytest.mark.parametrize("diagonal", [False, True])
def test_steps_equal_scikit_learns_from_the_same_start(diagonal: bool) -> None:
    x = blobs(4, 3, apart=1.0)
    p = em.start(x, 4, diagonal, seed=0)
    variances = p.L.square() if diagonal else p.L @ p.L.mT
    theirs = GaussianMixture(
        4,
        covariance_type="diag" if diagonal else "full",
        weights_init=p.log_pi.exp().numpy(),
        means_init=p.mu.numpy(),
        precisions_init=(1 / variances if diagonal else torch.linalg.inv(variances)).numpy(),
        max_iter=20,
        tol=0.0,
    )
    with pytest.warns(match="did not converge"):
        theirs.fit(x.numpy())
    mine = em.climb(p, x, steps=20, tolerance=0.0)
    np.testing.assert_allclose(mine.mu, theirs.means_, atol=1e-6)
    np.testing.assert_allclose(mine.log_pi.exp(), theirs.weights_, atol=1e-6)
    np.testing.assert_allclose(
        mine.L.square() if diagonal else mine.L @ mine.L.mT, theirs.covariances_, atol=1e-6
    )
    np.testing.assert_allclose(mine.log_prob(x), theirs.score_samples(x.numpy()), atol=1e-6)
    assert mine.bic(x) == pytest.approx(theirs.bic(x.numpy()), rel=1e-9)


def test_no_step_lowers_the_likelihood() -> None:
    x = blobs(3, 2, apart=1.0)
    p, found = em.start(x, 5, False, seed=1), []
    for _ in range(30):
        found.append(p.log_prob(x).mean().item())
        p = em.climb(p, x, steps=1)
    # the floor of the variances is no part of the likelihood
    assert (np.diff(found) > -1e-6).all()
    assert found[-1] > found[0] + 0.01


@pytest.mark.parametrize(("K", "diagonal"), [(1, False), (3, False), (5, True), (6, False)])
def test_bic_finds_the_number_of_components(K: int, diagonal: bool) -> None:
    D, rng = 2, np.random.default_rng(K)
    x = np.concatenate([rng.normal(size=(150, D)) + 12 * np.array([k % 3, k // 3]) for k in range(K)])
    p = em.fit_by_bic(torch.from_numpy((x - x.mean(axis=0)) / x.std()), 64, diagonal)
    assert len(p.mu) == K
    torch.testing.assert_close(p.log_pi.exp(), torch.full((K,), 1 / K).double(), atol=0.01, rtol=0)


def test_the_heaviest_component_is_first_and_seeds_are_kept() -> None:
    x = torch.cat([blobs(1, 2, 300) / 9, blobs(1, 2, 100) / 9 + 1])
    p, same = (em.fit(x, 2, seed=3) for _ in range(2))
    assert p.log_pi[0] > p.log_pi[1]
    assert all(torch.equal(a, b) for a, b in zip(p, same, strict=True))


def test_repeated_vectors_leave_no_component_without_width() -> None:
    x = torch.zeros(50, 3, dtype=torch.float64)
    p = em.fit(x, 2)
    assert p.log_prob(x).isfinite().all()
    assert (p.L.diagonal(dim1=1, dim2=2) >= em.FLOOR**0.5 - 1e-12).all()


def test_the_distribution_has_the_same_density() -> None:
    x = blobs(2, 3)
    for diagonal in (False, True):
        p: NormalMixture = em.fit(x, 2, diagonal)
        torch.testing.assert_close(p.distribution().log_prob(x), p.log_prob(x))
