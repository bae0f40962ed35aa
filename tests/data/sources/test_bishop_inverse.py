"""Bishop's inverse problem: the samples, p(x) and p(t | x) against sums over fine grids."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import entr, logsumexp
from scipy.stats import kstest, norm

from simulacra.data import load
from simulacra.data.sources.bishop_inverse import forward, log_conditional, log_marginal, sample

# the nodes and weights of Simpson's rule
T = np.linspace(0, 1, 4_001)
W = np.array([1.0, *[4.0, 2.0] * 1_999, 4.0, 1.0]) / 12_000


def log_joint(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """log p(x | t), which is log p(x, t) for t in [0, 1]."""
    log_p: np.ndarray = norm(t + 0.3 * np.sin(2 * np.pi * t), 0.05).logpdf(x)
    return log_p


@pytest.mark.parametrize("x", [-0.2, 0.0, 0.35, 0.5, 0.61, 1.0, 1.3])
def test_the_conditional_integrates_to_1(x: float) -> None:
    p = np.exp(log_conditional(np.full((len(T), 1), x), T[:, None]))
    assert W @ p == pytest.approx(1, abs=1e-6)


def test_the_conditional_is_the_joint_over_its_sum() -> None:
    x = np.linspace(-0.2, 1.2, 29)
    joint = log_joint(x[:, None], T)
    expected = joint - logsumexp(joint, axis=1, keepdims=True, b=W)
    pairs = np.stack(np.broadcast_arrays(x[:, None], T), 2).reshape(-1, 2)
    found = log_conditional(pairs[:, :1], pairs[:, 1:]).reshape(expected.shape)
    assert np.allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("x", [-3.0, -0.1, 0.2, 0.5, 1.05, 2.0])
def test_the_marginal_is_a_fine_sum(x: float) -> None:
    t = (np.arange(10**6) + 0.5) / 10**6
    expected = logsumexp(log_joint(np.array(x), t)) - np.log(10**6)
    assert log_marginal(np.array([[x]]))[0] == pytest.approx(expected, abs=1e-5)


def test_the_marginal_integrates_to_1() -> None:
    x = np.linspace(-0.6, 1.6, 1_101)
    assert np.exp(log_marginal(x[:, None])).sum() * (x[1] - x[0]) == pytest.approx(1, abs=1e-12)


def test_targets_outside_0_to_1_are_impossible_and_far_inputs_are_not() -> None:
    t = np.array([[-1e-6], [0.0], [1.0], [1 + 1e-6], [np.inf], [0.5]])
    finite = np.isfinite(log_conditional(np.full((6, 1), 0.5), np.where(np.isinf(t), 9.0, t)))
    assert finite.tolist() == [False, True, True, False, False, True]
    assert np.isfinite(log_conditional(np.array([[1e4], [-1e4]]), np.array([[1.0], [0.0]]))).all()


def test_samples_are_as_described() -> None:
    x, t = sample(20_000)
    assert x.dtype == t.dtype == np.float32
    assert x.shape == t.shape == (20_000, 1)
    assert kstest(t[:, 0], "uniform").pvalue > 1e-3
    noise = (x - t - 0.3 * np.sin(2 * np.pi * t))[:, 0]
    assert kstest(noise, norm(0, 0.05).cdf).pvalue > 1e-3
    assert np.array_equal(sample(50)[0], x[:50])
    assert np.array_equal(sample(50)[1], t[:50])
    assert not np.array_equal(sample(50, seed=1)[0], x[:50])


def test_the_mean_log_conditional_of_samples_is_minus_the_conditional_entropy() -> None:
    x, t = sample(20_000)
    nll = -log_conditional(x, t)
    # H(t | x) = H(x, t) - H(x), and H(x, t) = H(t) + H(x | t) = H(noise)
    grid = np.linspace(-0.6, 1.6, 1_101)
    entropy_of_x = entr(np.exp(log_marginal(grid[:, None]))).sum() * (grid[1] - grid[0])
    expected = norm(0, 0.05).entropy() - entropy_of_x
    assert abs(nll.mean() - expected) < 4 * nll.std() / np.sqrt(20_000)


def test_load_gives_pairs_and_what_is_known() -> None:
    data = load("bishop-inverse:400")
    assert data.spec.columns == ("x",)
    assert data.spec.target is not None
    assert data.spec.target.columns == ("t",)
    pairs = [np.column_stack([s.x, s.target]) for s in (data.train, data.validation, data.test)]  # type: ignore[list-item]  # never None
    assert sorted(np.concatenate(pairs).tolist()) == sorted(np.column_stack(sample(400)).tolist())
    assert data.truth.log_density is log_marginal
    assert data.truth.log_conditional is log_conditional
    assert data.truth.forward is forward
    assert data.truth.size == 1
    t = np.array([[0.0], [0.25], [0.75], [1.0]])
    assert np.allclose(forward(t), [[0.0], [0.55], [0.45], [1.0]])
