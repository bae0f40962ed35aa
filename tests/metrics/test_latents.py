"""Probes of latents on data whose answer is known."""

import numpy as np

from simulacra.metrics.latents import active_units, knn_accuracy, linear_probe_accuracy

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
