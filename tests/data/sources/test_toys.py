"""The toy densities: samples and log densities agree with each other and with independent formulas."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import entr, i0e, logsumexp
from scipy.stats import chi2, multivariate_normal
from sklearn.datasets import make_moons

from simulacra.data import load
from simulacra.data.sources.toys import TOYS

N = 10_000
# cells along each axis of a coarse grid
CELLS = 16
# name -> (lowest and highest coordinate of all that has mass, points along an axis, a multiple of CELLS)
GRIDS = {
    "gaussians-8": (-2.2, 2.2, 28 * CELLS),
    "gaussians-25": (-4.5, 4.5, 23 * CELLS),
    "rings": (-2.4, 2.4, 9 * CELLS),
    "moons": (-2.0, 3.0, 7 * CELLS),
    "swiss-roll": (-2.5, 2.5, 13 * CELLS),
    "checkerboard": (-5.0, 5.0, 10 * CELLS),
}


@cache
def on_grid(name: str) -> tuple[np.ndarray, float]:
    """The density at the centres of a square grid, rows along x_1, and the area of a cell."""
    low, high, n = GRIDS[name]
    h = (high - low) / n
    axis = low + h * (np.arange(n) + 0.5)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), 2).reshape(-1, 2)
    return np.exp(TOYS[name].log_density(points)).reshape(n, n), h * h


def around(name: str) -> np.ndarray:
    """Samples, points anywhere in the plane, and points far from all mass."""
    anywhere = np.random.default_rng(0).uniform(-3, 3, (20, 2))
    return np.concatenate([TOYS[name].sample(20), anywhere, 2 * anywhere[:8]])


# --- log densities --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_densities_integrate_to_1(name: str) -> None:
    p, area = on_grid(name)
    assert p.sum() * area == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "centres", "sigma"),
    [
        ("gaussians-8", [2 * np.exp(2j * np.pi * k / 8) for k in range(8)], 0.02),
        ("gaussians-25", [a + 1j * b for a in range(-4, 5, 2) for b in range(-4, 5, 2)], 0.05),
    ],
)
def test_normals_are_those_of_scipy(name: str, centres: list[complex], sigma: float) -> None:
    x = around(name)
    terms = [multivariate_normal([c.real, c.imag], sigma**2).logpdf(x) for c in centres]
    expected = logsumexp(terms, axis=0) - np.log(len(centres))
    assert np.allclose(TOYS[name].log_density(x), expected, rtol=1e-12, atol=1e-10)


def test_rings_are_bessel_functions() -> None:
    x = around("rings")
    r, R, variance = np.hypot(*x.T)[:, None], np.array([0.5, 1.0, 1.5, 2.0]), 0.05**2
    # exp(-(r^2 + R^2) / 2s^2) I_0(r R / s^2) / (2 pi s^2), with I_0(z) = i0e(z) exp(z)
    terms = np.log(i0e(r * R / variance)) - (r - R) ** 2 / (2 * variance)
    expected = logsumexp(terms, axis=1) - np.log(4 * 2 * np.pi * variance)
    assert np.allclose(TOYS["rings"].log_density(x), expected, rtol=1e-11, atol=1e-11)


def simpson(n: int) -> np.ndarray:
    """Simpson's weights for n points over [0, 1], both ends among them, n odd."""
    weights = np.where(np.arange(n) % 2 == 0, 2.0, 4.0)
    weights[[0, -1]] = 1
    return weights / (3 * (n - 1))


def brute_force(x: np.ndarray, curve: np.ndarray, weights: np.ndarray, sigma: float) -> np.ndarray:
    """log sum_m w_m N(x; c_m, sigma^2 I), from the distances."""
    squares = np.array([((point - curve) ** 2).sum(1) for point in x])
    log_p: np.ndarray = logsumexp(-squares / (2 * sigma**2), axis=1, b=weights)
    return log_p - np.log(2 * np.pi * sigma**2)


def test_moons_are_those_of_scikit_learn() -> None:
    x, n = around("moons"), 20_001
    curve, _ = make_moons(2 * n, shuffle=False)
    expected = brute_force(x, curve, np.tile(simpson(n), 2) / 2, 0.1)
    assert np.allclose(TOYS["moons"].log_density(x), expected, rtol=0, atol=1e-6)


def test_the_roll_is_a_spiral() -> None:
    x, n = around("swiss-roll"), 100_001
    angle = np.pi * np.linspace(1.5, 4.5, n)
    curve = np.stack([angle * np.cos(angle), angle * np.sin(angle)], 1) * 2 / (4.5 * np.pi)
    expected = brute_force(x, curve, simpson(n), 0.05)
    assert np.allclose(TOYS["swiss-roll"].log_density(x), expected, rtol=0, atol=1e-4)


def test_the_board_is_flat_on_8_squares() -> None:
    axis = np.array([-5.0, -3.0, -1.0, 1.0, 3.0, 5.0])
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), 2).reshape(-1, 2)
    p = np.exp(TOYS["checkerboard"].log_density(points)).reshape(6, 6)
    board = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]) / 32
    assert np.allclose(p, np.pad(board, 1), rtol=1e-14, atol=0)
    far = np.array([[1e30, 1.0], [-np.inf, np.inf], [4.0001, 1.0], [-4.0001, -1.0]])
    assert np.all(TOYS["checkerboard"].log_density(far) == -np.inf)


@pytest.mark.parametrize("name", [name for name in TOYS if name != "checkerboard"])
def test_densities_are_finite_far_away(name: str) -> None:
    sigma = TOYS[name].sigma  # type: ignore[union-attr]  # not the board
    log_p = TOYS[name].log_density(np.array([[1e6, 0.0], [0.0, -1e6]]))
    # the distance to the curve is 1e6, give or take 6
    assert np.allclose(log_p, -1e12 / (2 * sigma**2), rtol=2e-5)


# --- samples --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_the_mean_log_density_of_samples_is_minus_the_entropy(name: str) -> None:
    p, area = on_grid(name)
    nll = -TOYS[name].log_density(TOYS[name].sample(N))
    error = nll.std() / np.sqrt(N)
    assert abs(nll.mean() - entr(p).sum() * area) < 4 * error + 1e-9


@pytest.mark.parametrize("name", TOYS)
def test_samples_fall_where_the_density_says(name: str) -> None:
    low, high, n = GRIDS[name]
    p, area = on_grid(name)
    k = n // CELLS
    expected = N * area * p.reshape(CELLS, k, CELLS, k).sum((1, 3))
    counts, _, _ = np.histogram2d(*TOYS[name].sample(N).T, bins=CELLS, range=[[low, high]] * 2)
    assert counts.sum() == N
    # cells with too few to count on are taken together
    many = expected > 10
    observed = np.append(counts[many], counts[~many].sum())
    wanted = np.append(expected[many], expected[~many].sum() + 1e-6)
    statistic = ((observed - wanted) ** 2 / wanted).sum()
    assert chi2(len(wanted) - 1).sf(statistic) > 1e-3


@pytest.mark.parametrize("name", TOYS)
def test_samples_depend_on_seed_and_row_alone(name: str) -> None:
    toy = TOYS[name]
    assert np.array_equal(toy.sample(100), toy.sample(3_001)[:100])
    assert not np.array_equal(toy.sample(100), toy.sample(100, seed=1))
    assert toy.sample(10).dtype == np.float32


def test_no_sample_is_on_an_edge_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    class Extremes:
        """Every square, and the least and the greatest number that can be drawn."""

        def random(self, n: int) -> np.ndarray:
            return np.arange(n) / 4 % 8 / 8

        def integers(self, high: int, size: tuple[int, int]) -> np.ndarray:
            return (np.arange(size[0])[:, None] // [1, 2] % 2) * (high - 1)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Extremes())
    x = TOYS["checkerboard"].sample(32)
    assert len(np.unique(x, axis=0)) == 32
    assert np.all(TOYS["checkerboard"].log_density(x) == -np.log(32))
    to_edge = np.abs(x / 2 - np.rint(x / 2))
    assert np.all((to_edge > 0) & (to_edge < 1e-6))


# --- what is known --------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "K", "sigma"), [("gaussians-8", 8, 0.02), ("gaussians-25", 25, 0.05)])
def test_modes_and_sigma_are_those_of_the_samples(name: str, K: int, sigma: float) -> None:
    truth = load(f"{name}:100").truth
    assert truth.modes is not None
    assert truth.modes.shape == (K, 2)
    assert truth.sigma == sigma
    x = TOYS[name].sample(N)
    offsets = x[:, None] - truth.modes
    nearest = (offsets**2).sum(2).argmin(1)
    counts = np.bincount(nearest, minlength=K)
    assert np.abs(counts - N / K).max() < 5 * np.sqrt(N / K)
    e = offsets[np.arange(N), nearest] / sigma
    assert np.abs(e.mean(0)).max() < 4 / np.sqrt(N)
    assert np.abs(np.cov(e.T) - np.eye(2)).max() < 6 / np.sqrt(N)


@pytest.mark.parametrize("name", TOYS)
def test_load_gives_the_samples_and_their_density(name: str) -> None:
    data = load(f"{name}:500")
    assert data.spec.shape == (2,)
    assert data.spec.columns == ("x_1", "x_2")
    assert data.spec.target is None
    assert data.truth.log_density is not None
    together = np.concatenate([data.train.x, data.validation.x, data.test.x])
    assert sorted(together.tolist()) == sorted(TOYS[name].sample(500).tolist())
    assert np.array_equal(data.truth.log_density(data.test.x), TOYS[name].log_density(data.test.x))
    assert (data.truth.modes is not None) == name.startswith("gaussians")


def test_50_000_points_if_not_said_otherwise() -> None:
    data = load("moons")
    assert len(data.train) + len(data.validation) + len(data.test) == 50_000
