"""Samples against data, in cases worked out by hand."""

import numpy as np
import pytest

from simulacra.metrics.samples import mean_distance, mode_coverage, variance_ratio

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


def test_bytes_do_not_overflow() -> None:
    data = np.full((1000, 4), 255, np.uint8)
    data[::2] = 0
    assert variance_ratio(data, data) == 1
    assert mean_distance(data, data) == 0
