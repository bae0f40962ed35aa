"""Kernel distances against enumeration, moments of normal distributions, and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from simulacra.errors import ConfigError
from simulacra.metrics import kernel
from simulacra.metrics.kernel import kernel_distance, mmd2


def k(x: np.ndarray, y: np.ndarray) -> float:
    return float((x @ y / len(x) + 1) ** 3)


@pytest.mark.parametrize("block", [2**22, 8])
def test_mmd_by_enumeration(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(kernel, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(7, 3)) + 1
    xx = [k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j]
    yy = [k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j]
    xy = [k(a, b) for a in x for b in y]
    assert mmd2(x, y) == pytest.approx(np.mean(xx) + np.mean(yy) - 2 * np.mean(xy), rel=1e-12)


def test_equal_distributions_are_at_zero_on_average() -> None:
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(600, 2, 20, 3))
    found = np.array([mmd2(x, y) for x, y in pairs])
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean()) < 3 * error
    assert (found < 0).any()
    # with the pairs of an example with itself it would be off by (E k(x, x) - E k(x, y)) / 10 for 20 each
    own = np.mean(
        [k(x, x) - k(x, y) for pair in pairs[:, 0] for x, y in zip(pair[:-1], pair[1:], strict=True)]
    )
    assert own / 10 > 10 * error


def test_normals_have_the_distance_of_their_moments() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 1)), rng.normal(size=(4000, 1)) + 1
    # E(x x' + 1)^3 = (E x^3)^2 + 3 (E x^2)^2 + 3 (E x)^2 + 1: 4 for N(0, 1), 32 for N(1, 1), 7 across
    found = kernel_distance(x, y, subsets=40, subset_size=1000)
    assert found.mean == pytest.approx(4 + 32 - 2 * 7, abs=3 * found.error)
    assert 0.2 < found.error < 2


def test_the_error_is_what_other_data_would_change() -> None:
    rng = np.random.default_rng(0)
    found = [
        kernel_distance(rng.normal(size=(200, 4)), rng.normal(size=(200, 4)) + 0.7, 10, 50)
        for _ in range(150)
    ]
    spread = np.std([each.mean for each in found])
    told = np.sqrt(np.mean([each.error**2 for each in found]))
    assert told == pytest.approx(spread, rel=0.25)
    # while that of drawing subsets alone is far too small
    assert np.mean([each.std for each in found]) / np.sqrt(10) < 0.6 * spread


def test_all_there_is_has_no_error() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 30, 4))
    found = kernel_distance(x, y, subsets=3, subset_size=30)
    assert np.isnan(found.error)
    assert found.mean == pytest.approx(mmd2(x, y))


def test_the_seed_draws_the_subsets() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 50, 4))
    one, same, other = (kernel_distance(x, y, 4, 10, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one.mean != other.mean


@pytest.mark.parametrize(("subsets", "size"), [(1, 10), (5, 1), (5, 31)])
def test_impossible_subsets(subsets: int, size: int) -> None:
    with pytest.raises(ConfigError, match=rf"{subsets} subsets of {size} out of 30"):
        kernel_distance(np.zeros((30, 2)), np.zeros((40, 2)), subsets, size)


def test_equals_torchmetrics_on_the_subsets_of_torch_fidelity() -> None:
    oracle = pytest.importorskip("torchmetrics.image.kid").poly_mmd
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 6)), rng.normal(size=(90, 6)) + 0.3
    draw = np.random.RandomState(7)
    expected = []
    for _ in range(5):
        some_x = torch.from_numpy(x[draw.choice(80, 20, replace=False)])
        some_y = torch.from_numpy(y[draw.choice(90, 20, replace=False)])
        expected.append(oracle(some_x, some_y).item())
    found = kernel_distance(x, y, subsets=5, subset_size=20, seed=7)
    assert found.mean == pytest.approx(np.mean(expected), rel=1e-9)
    assert found.std == pytest.approx(np.std(expected), rel=1e-9)


def test_equals_torch_fidelity() -> None:
    oracle = pytest.importorskip("torch_fidelity.metric_kid").kid_features_to_metric
    x, y = np.random.default_rng(0).normal(size=(2, 90, 6))
    expected = oracle(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=5, kid_subset_size=20, rng_seed=7, verbose=False
    )
    found = kernel_distance(x, y, subsets=5, subset_size=20, seed=7)
    assert found.mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-9)
    assert found.std == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-9)
