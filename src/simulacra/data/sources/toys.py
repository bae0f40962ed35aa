"""Toy densities in the plane, each with its log density known exactly.

    gaussians-8     8 normals on a circle of radius 2
    gaussians-25    25 normals on a square grid from -4 to 4
    rings           4 concentric circles of radius 0.5, 1, 1.5 and 2
    moons           two interleaved half circles
    swiss-roll      a spiral of one and a half turns
    checkerboard    uniform on the 8 dark squares of a 4 x 4 board on [-4, 4]^2

All but the last are points or curves smeared by isotropic normal noise.

Sources: the 8 normals, L. Metz et al., Unrolled Generative Adversarial Networks (ICLR 2017); the 25, A.
Srivastava et al., VEEGAN (NeurIPS 2017); the moons and the roll, scikit-learn's `make_moons` and
`make_swiss_roll`; the board, W. Grathwohl et al., FFJORD (ICLR 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulacra.data.sources.arguments import read
from simulacra.data.sources.simulated import COUNT, gauss_legendre, log_mixture, simulate
from simulacra.data.spec import Data, Dataset, DataSpec, Options, Truth

Rule = tuple[np.ndarray, np.ndarray]

# the integral over a constant curve: one node is exact
POINT: Rule = (np.zeros(1), np.ones(1))


def trapezoid(n: int) -> Rule:
    """Nodes and weights of the integral over one period, [0, 1): two arrays `(n,)`.

    >>> t, w = trapezoid(8)
    >>> bool(abs(w @ np.sin(2 * np.pi * t) ** 2 - 0.5) < 1e-15)
    True
    """
    return np.arange(n) / n, np.full(n, 1 / n)


@dataclass(frozen=True)
class Smear:
    """x = c_k(t) + sigma e with k uniform on 0..K-1, t uniform on [0, 1], e ~ N(0, I).

    Attributes:
        K: how many curves there are.
        sigma: the standard deviation of the noise along each axis.
        curve: c, from k `(N,)` and t `(N,)` to `(N, 2)`.
        rule: nodes, closer along the curves than sigma, and weights of the integral over t.
    """

    K: int
    sigma: float
    curve: Callable[[np.ndarray, np.ndarray], np.ndarray]
    rule: Rule

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """n points, float32 `(n, 2)`; row i depends on the seed and on i alone, not on n.

        >>> bool((TOYS["moons"].sample(3) == TOYS["moons"].sample(500)[:3]).all())
        True
        """
        k = np.floor(self.K * np.random.default_rng([seed, 0]).random(n))
        t = np.random.default_rng([seed, 1]).random(n)
        e = np.random.default_rng([seed, 2]).standard_normal((n, 2))
        return (self.curve(k, t) + self.sigma * e).astype(np.float32)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) = log 1/K sum_k integral of N(x; c_k(t), sigma^2 I) dt, nats, `(N, 2)` to `(N,)`.

        >>> TOYS["gaussians-8"].log_density(np.array([[2.0, 0.0]])).round(4).tolist()
        [3.9067]
        """
        weights = np.tile(self.rule[1] / self.K, self.K)
        return log_mixture(x, self._centres(), weights, self.sigma)

    def truth(self) -> Truth:
        """The log density; of normals also their centres and their sigma."""
        if len(self.rule[0]) == 1:
            return Truth(self.log_density, modes=self._centres(), sigma=self.sigma)
        return Truth(self.log_density)

    def _centres(self) -> np.ndarray:
        t = self.rule[0]
        return self.curve(np.repeat(np.arange(self.K), len(t)), np.tile(t, self.K))


class Checkerboard:
    """Uniform on the squares of side 2 of [-4, 4]^2 whose column and row are both even or both odd."""

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        """n points, float32 `(n, 2)`, none on an edge; row i depends on the seed and on i alone, not on n.

        >>> TOYS["checkerboard"].sample(5).shape
        (5, 2)
        """
        square = np.floor(8 * np.random.default_rng([seed, 0]).random(n))
        column = square // 2
        row = 2 * (square % 2) + column % 2
        # odd multiples of 2^-22 below 4 are float32 numbers: rounding carries no point over an edge
        within = (np.random.default_rng([seed, 1]).integers(2**22, size=(n, 2)) + 0.5) / 2**21
        return (2 * np.stack([column, row], 1) - 4 + within).astype(np.float32)

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x) = -log 32 on dark squares, -inf elsewhere, nats, `(N, 2)` to `(N,)`.

        >>> TOYS["checkerboard"].log_density(np.array([[1, 1], [1, -1], [9, 9]])).round(3).tolist()
        [-3.466, -inf, -inf]
        """
        on_board = (np.abs(x) < 4).all(1)
        dark = np.floor(np.clip(x, -4, 4) / 2).sum(1) % 2 == 0
        return np.where(on_board & dark, -np.log(32), -np.inf)

    def truth(self) -> Truth:
        """The log density."""
        return Truth(self.log_density)


def _polar(r: np.ndarray | float, angle: np.ndarray) -> np.ndarray:
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1)


def _octagon(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    return _polar(2.0, 2 * np.pi * k / 8)


def _grid(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    return 2.0 * np.stack([k // 5, k % 5], 1) - 4


def _rings(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    return _polar((k + 1) / 2, 2 * np.pi * t)


def _moons(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    # the upper moon, or the same moon turned by half a turn and moved: (1 - cos, 1/2 - sin)
    upper = _polar(1.0, np.pi * t)
    return np.where(k[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)


def _roll(k: np.ndarray, t: np.ndarray) -> np.ndarray:
    # angles from 3/2 pi to 9/2 pi, where the radius is 2
    angle = 1.5 * np.pi * (1 + 2 * t)
    return _polar(angle / (2.25 * np.pi), angle)


# enough nodes for errors below 1e-11 nats for |x| up to 3
TOYS: dict[str, Smear | Checkerboard] = {
    "gaussians-8": Smear(8, 0.02, _octagon, POINT),
    "gaussians-25": Smear(25, 0.05, _grid, POINT),
    "rings": Smear(4, 0.05, _rings, trapezoid(512)),
    "moons": Smear(2, 0.1, _moons, gauss_legendre(8)),
    "swiss-roll": Smear(1, 0.05, _roll, gauss_legendre(48)),
    "checkerboard": Checkerboard(),
}


def load(name: str, argument: str, options: Options) -> Data:
    """`NAME` or `NAME:N` for a name in `TOYS`: N points, 50,000 if not given, always the same.

    `moons:1000` is the beginning of `moons:20000`.

    >>> data = load("gaussians-25", "200", Options())
    >>> data.spec.columns, data.truth.modes.shape
    (('x_1', 'x_2'), (25, 2))

    Raises:
        DataError: N is out of range.
    """
    source, values = read(name, argument, COUNT)
    toy = TOYS[name]
    spec = DataSpec("vector", (2,), columns=("x_1", "x_2"))
    return simulate(source, lambda: Dataset(spec, toy.sample(values["N"])), toy.truth())
