"""Precision, recall, density and coverage by hand, by their definitions, and against the authors' package."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable

import numpy as np
import pytest

from simulacra.errors import ConfigError
from simulacra.metrics import neighbours
from simulacra.metrics.prdc import Prdc, prdc, radii


def column(*numbers: float) -> np.ndarray:
    return np.array(numbers)[:, None]


def by_definition(real: np.ndarray, fake: np.ndarray, k: int) -> Prdc:
    def radius(x: np.ndarray, i: int) -> float:
        return sorted(float(np.linalg.norm(x[i] - other)) for j, other in enumerate(x) if j != i)[k - 1]

    in_real = np.array([[np.linalg.norm(f - r) < radius(real, i) for f in fake] for i, r in enumerate(real)])
    in_fake = np.array([[np.linalg.norm(f - r) < radius(fake, j) for j, f in enumerate(fake)] for r in real])
    return Prdc(
        precision=in_real.any(axis=0).mean(),
        recall=in_fake.any(axis=1).mean(),
        density=in_real.sum() / (k * len(fake)),
        coverage=in_real.any(axis=1).mean(),
    )


def test_a_line_by_hand() -> None:
    # radii 1, 1, 1, 1, 7 of the real ones: 0.5 lies in two balls, 1.5 in two, 9 in one, 20 in none
    # radii 1, 1, 7.5, 11 of the fake ones: 0, 1, 2 within 1 of 0.5 or 1.5, 3 and 10 within 7.5 of 9
    # the ball of 3 holds no sample
    found = prdc(column(0, 1, 2, 3, 10), column(0.5, 1.5, 9, 20), k=1)
    assert found == Prdc(precision=0.75, recall=1.0, density=1.25, coverage=0.8)


def test_the_border_is_outside() -> None:
    # both real balls have the radius 1; the fake ones 3
    found = prdc(column(0, 1), column(2, 5), k=1)
    assert found == Prdc(precision=0.0, recall=1.0, density=0.0, coverage=0.0)
    # the fake balls have the radii 2, 1, 1: -2 lies on a border
    assert prdc(column(-2, 5), column(0, 2, 3), k=1).recall == 0


@pytest.mark.parametrize("block", [2**22, 40])
@pytest.mark.parametrize(("features", "k"), [(2, 1), (2, 3), (40, 4)])
def test_by_definition(monkeypatch: pytest.MonkeyPatch, features: int, k: int, block: int) -> None:
    monkeypatch.setattr(neighbours, "BLOCK", block)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(23, features)), 0.9 * rng.normal(size=(17, features)) + 0.1
    found = prdc(real, fake, k)
    assert vars(found) == pytest.approx(vars(by_definition(real, fake, k)))
    assert 0 < found.precision < 1 or 0 < found.recall < 1
    assert prdc(real, fake, k, radii(real, k)) == found


def bits(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 2, (300, 32)), rng.integers(0, 2, (300, 32))


def grey(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of four levels as images store them, divided by 255 in float32."""
    levels = 85 * rng.integers(0, 4, (2, 200, 48))
    return tuple(np.float32(levels) / np.float32(255))  # type: ignore[return-value]  # two of them


def standardised(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Columns of one bit each, with means and deviations of their own: no integers, many equal distances."""
    real, fake = bits(rng)
    mean, std = real.mean(axis=0), real.std(axis=0)
    return (real - mean) / std, (fake - mean) / std


@pytest.mark.parametrize("made", [bits, grey, standardised])
def test_ties_are_exact(made: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    real, fake = made(np.random.default_rng(0))
    # whole numbers where there are some
    known = [np.rint(255 * x) for x in (real, fake)] if made is grey else (real, fake)
    found = prdc(real, fake, k=5)
    assert vars(found) == pytest.approx(vars(brute(*known, k=5)), rel=1e-12)
    if made is bits:
        assert found.density == pytest.approx(0.672)


def brute(real: np.ndarray, fake: np.ndarray, k: int) -> Prdc:
    def all_pairs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.stack([np.sqrt(np.square(row - y).sum(axis=1)) for row in x])

    of_real, of_fake = (np.sort(all_pairs(x, x), axis=1)[:, k] for x in (real, fake))
    d = all_pairs(real, fake)
    inside = d < of_real[:, None]
    return Prdc(
        precision=inside.any(axis=0).mean(),
        recall=(d < of_fake).any(axis=1).mean(),
        density=inside.sum() / (k * len(fake)),
        coverage=inside.any(axis=1).mean(),
    )


def test_samples_elsewhere_and_the_data_itself() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    assert prdc(x, x + 100, k=5) == Prdc(0, 0, 0, 0)
    same = prdc(x, x.copy(), k=5)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)


def test_collapse_is_precise_and_covers_little() -> None:
    rng = np.random.default_rng(0)
    found = prdc(rng.normal(size=(200, 2)), 0.02 * rng.normal(size=(200, 2)), k=5)
    assert found.precision > 0.95
    assert found.recall < 0.05
    assert found.density > 1
    assert found.coverage < 0.1


def test_neighbours_have_to_be_there() -> None:
    with pytest.raises(ConfigError, match="5 examples have no 5 neighbours"):
        radii(np.zeros((5, 2)), k=5)


@pytest.mark.parametrize("features", [3, 64])
def test_equals_the_authors_package(features: int) -> None:
    oracle = pytest.importorskip("prdc").compute_prdc
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(150, features)), 0.8 * rng.normal(size=(120, features)) + 0.2
    with contextlib.redirect_stdout(io.StringIO()):
        expected = oracle(real, fake, nearest_k=5)
    assert vars(prdc(real, fake, k=5)) == pytest.approx({name: float(v) for name, v in expected.items()})
