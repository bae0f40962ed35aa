"""Samples against data, in cases worked out by hand."""

import numpy as np
import pytest

from simulacra.metrics.samples import mean_distance, mode_coverage, repeats, variance_ratio, variety

MODES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def diversity(samples: np.ndarray, data: np.ndarray) -> float:
    return variety(samples, data).diversity


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


def curves(n: int, seed: int) -> np.ndarray:
    """Pictures of 64 numbers that three numbers determine."""
    phase, height, width = np.random.default_rng(seed).normal(size=(3, n, 1))
    return np.exp(height) * np.sin(np.linspace(0, 6, 64) * (2 + width / 3) + phase)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_repeated_pictures_are_counted(k: int, noise: float) -> None:
    data, drawn = curves(500, 0), curves(k, 1)
    rng = np.random.default_rng(2)
    samples = drawn[rng.integers(0, k, 500)] + noise * rng.normal(size=(500, 64))
    found = variety(samples, data)
    assert found.distinct == pytest.approx(k, rel=0.1)
    assert found.distinct_data == 500
    assert repeats(found.distinct, found.distinct_data)
    if k == 10:
        # which their distances alone do not show
        assert found.diversity > 0.4


def test_healthy_samples_do_not_repeat() -> None:
    data, samples = curves(500, 0), curves(500, 1)
    assert variety(samples, data).distinct == 500
    # blurred, and nearer to the mean
    assert variety(0.4 * samples.mean(axis=0) + 0.6 * samples, data).distinct == 500
    # of two latent numbers
    z = np.random.default_rng(3).normal(size=(500, 2))
    found = variety(z @ np.random.default_rng(4).normal(size=(2, 64)), data)
    assert not repeats(found.distinct, found.distinct_data)
    # data of few values repeat too
    bits = np.random.default_rng(5).integers(0, 2, size=(2, 300, 3))
    found = variety(*bits)
    assert found.distinct == pytest.approx(8, rel=0.1)
    assert not repeats(found.distinct, found.distinct_data)


def test_bytes_do_not_overflow() -> None:
    data = np.full((1000, 4), 255, np.uint8)
    data[::2] = 0
    assert variance_ratio(data, data) == 1
    assert diversity(data, data) == 1
    assert mean_distance(data, data) == 0
