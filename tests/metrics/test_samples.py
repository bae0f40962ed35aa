"""Samples against data, in cases worked out by hand."""

import numpy as np
import pytest

from simulacra.metrics.samples import diversity, mean_distance, mode_coverage, variance_ratio

MODES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_samples_of_every_mode_cover_all() -> None:
    rng = np.random.default_rng(0)
    k = rng.integers(0, 4, 4000)
    coverage = mode_coverage(MODES[k] + rng.normal(size=(4000, 2)), MODES, 1.0)
    assert coverage.covered == 4
    # P(chi_2 < 4) = 1 - e^-8
    assert coverage.near == pytest.approx(1 - np.exp(-8), abs=2e-3)
    assert coverage.counts.sum() == round(4000 * coverage.near)


def test_a_stray_sample_covers_nothing() -> None:
    x = np.concatenate([np.zeros((999, 2)), MODES[1:2]])
    coverage = mode_coverage(x, MODES, 0.1)
    assert (coverage.covered, coverage.near) == (1, 1.0)
    assert coverage.counts.tolist() == [999, 1, 0, 0]


def test_the_border_of_a_mode_is_four_sigma() -> None:
    x = np.array([[0.39, 0.0], [0.41, 0.0]])
    assert mode_coverage(x, MODES, 0.1).near == 0.5


def test_distance_of_means_is_in_deviations_of_the_data() -> None:
    rng = np.random.default_rng(0)
    data = rng.normal(size=(50_000, 2)) * np.array([3.0, 4.0])
    # total variance 9 + 16
    assert mean_distance(data + np.array([3.0, 4.0]), data) == pytest.approx(1.0, abs=0.01)
    assert variance_ratio(data / 2, data) == pytest.approx(0.25)


def test_diversity_of_points_on_a_line() -> None:
    # 0, 1, 3: distances 1, 2, 3; of images the same as of their rows
    samples, data = np.array([0.0, 1.0, 3.0]), np.array([0.0, 5.0])
    assert diversity(samples[:, None], data[:, None]) == pytest.approx(2 / 5)
    assert diversity(samples[:, None, None, None], data[:, None, None, None]) == pytest.approx(2 / 5)


def test_diversity_is_one_of_equal_distributions_and_none_after_a_collapse() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 500, 64)).astype(np.float32) + 100
    assert diversity(x, y) == pytest.approx(1, abs=0.01)
    assert diversity(3 * x, y) == pytest.approx(3 * diversity(x, y), rel=1e-6)
    assert diversity(np.repeat(x[:1], 500, axis=0), y) == pytest.approx(0, abs=1e-6)
    # two corners of a square, next to each other, of four: 10 / 2 against (10 + 10 + 200^(1/2)) / 4
    two, four = np.tile(MODES[:2], (200, 1)), np.tile(MODES, (100, 1))
    assert diversity(two, four) == pytest.approx(20 / (20 + 200**0.5))


def test_bytes_do_not_overflow() -> None:
    data = np.full((1000, 4), 255, np.uint8)
    data[::2] = 0
    assert variance_ratio(data, data) == 1
    assert diversity(data, data) == 1
    assert mean_distance(data, data) == 0
