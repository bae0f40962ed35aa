"""Probes of latents on data whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.core.inference import encode_all
from simulacra.metrics.latents import active_units, knn_accuracy, linear_probe_accuracy, whitening

RNG = np.random.default_rng(0)


def xor(n: int) -> tuple[np.ndarray, np.ndarray]:
    z = RNG.choice([-1.0, 1.0], size=(n, 2)) + 0.1 * RNG.normal(size=(n, 2))
    return z, (z[:, 0] * z[:, 1] > 0).astype(np.int64)


def test_neighbours_see_what_a_line_cannot() -> None:
    z, y = xor(2000)
    assert knn_accuracy(z[:1500], y[:1500], z[1500:], y[1500:]) > 0.99
    # a line gets at most three of the four corners
    assert linear_probe_accuracy(z[:1500], y[:1500], z[1500:], y[1500:]) < 0.8


def test_a_line_suffices_for_shifted_classes() -> None:
    y = RNG.integers(0, 2, 1000)
    z = RNG.normal(size=(1000, 3)) + 6 * y[:, None]
    assert linear_probe_accuracy(z[:800], y[:800], z[800:], y[800:]) > 0.99


def test_few_examples_and_one_class() -> None:
    z, y = RNG.normal(size=(4, 2)), np.zeros(4, np.int64)
    assert knn_accuracy(z, y, z, y) == 1
    assert linear_probe_accuracy(z, y, z, y) == 1


def test_units_are_active_above_the_papers_threshold() -> None:
    spread = np.sqrt([0.02, 0.009, 0.0])
    mu = np.array([[-1.0], [1.0]]) * spread
    assert active_units(mu) == 1


def test_latents_of_one_example_and_one_latent_are_measured() -> None:
    assert whitening(np.array([[2.0]]), np.array([[0.5]])) == {
        "whitening_mean": 2.0,
        "whitening_variance": 0.75,
        "whitening_correlation": 0.0,
    }


def test_correlated_latents_and_one_that_never_varies() -> None:
    x = RNG.normal(size=100_000)
    found = whitening(np.stack([x, x, 0 * x], axis=1), np.zeros((len(x), 3)))
    # one pair of three has correlation 1, and one variance of three is 0
    assert found["whitening_correlation"] == pytest.approx(np.sqrt(1 / 3))
    assert found["whitening_variance"] == pytest.approx(np.sqrt(1 / 3), abs=0.01)


def test_the_latents_of_probabilistic_pca_are_white(tmp_path: Path) -> None:
    # at the maximum of the likelihood E[z] = 0 and E[z z^T] = I over the data it was fitted to
    rng = np.random.default_rng(1)
    X = (rng.normal(size=(1000, 3)) @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(1000, 8))).astype("f4")
    model = sim.train("pca", X, tmp_path / "run", latent_dim=3)
    mu, sigma = encode_all(model, sim.load_data(X).train)
    found = whitening(mu.numpy(), sigma.numpy())
    assert max(found.values()) < 0.005
