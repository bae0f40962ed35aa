"""`bishop-inverse`: predict t from x = t + 0.3 sin(2 pi t) + noise, where up to three t lead to one x.

The noise is normal with standard deviation 0.05, not Bishop's uniform on (-0.1, 0.1). The spread is
about the same (a uniform one has 0.058), but p(t | x) has no edges, which no finite mixture of normals
could match.

Source: C. M. Bishop, Mixture Density Networks (Aston University NCRG/94/004, 1994).
"""

from __future__ import annotations

import numpy as np

from simulacra.data.sources.arguments import read
from simulacra.data.sources.simulated import COUNT, gauss_legendre, log_mixture, simulate
from simulacra.data.spec import Data, Dataset, DataSpec, Options, Truth

SIGMA = 0.05
# enough for errors below 1e-11 nats for |x| up to 6
PANELS = 8


def forward(t: np.ndarray) -> np.ndarray:
    """The x without noise, t + 0.3 sin(2 pi t), of any shape.

    >>> forward(np.array([[0.25], [0.5]])).tolist()
    [[0.55], [0.5]]
    """
    x: np.ndarray = t + 0.3 * np.sin(2 * np.pi * t)
    return x


def sample(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n pairs (x, t), each float32 `(n, 1)`; row i depends on the seed and on i alone, not on n.

    >>> x, t = sample(1000)
    >>> bool(abs(np.std(x - forward(t)) - SIGMA) < 0.005)
    True
    """
    t = np.random.default_rng([seed, 0]).random((n, 1))
    x = forward(t) + SIGMA * np.random.default_rng([seed, 1]).standard_normal((n, 1))
    return x.astype(np.float32), t.astype(np.float32)


def log_marginal(x: np.ndarray) -> np.ndarray:
    """log p(x) = log integral of N(x; t + 0.3 sin(2 pi t), sigma^2) dt over [0, 1], nats.

    Args:
        x: `(N, 1)`.

    Returns:
        float64 `(N,)`.

    >>> log_marginal(np.array([[0.5], [2.0]])).round(3).tolist()
    [1.049, -204.977]
    """
    t, w = gauss_legendre(PANELS)
    return log_mixture(x, forward(t)[:, None], w, SIGMA)


def log_conditional(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """log p(t | x) = log p(x | t) + log p(t) - log p(x), nats; -inf for t outside [0, 1].

    Args:
        x: `(N, 1)`.
        t: `(N, 1)`.

    Returns:
        float64 `(N,)`.

    >>> log_conditional(np.array([[0.5], [0.5]]), np.array([[0.5], [1.5]])).round(3).tolist()
    [1.027, -inf]
    """
    x, t = np.asarray(x, np.float64), np.asarray(t, np.float64)
    log_likelihood = log_mixture(x - forward(t), np.zeros((1, 1)), np.ones(1), SIGMA)
    inside = ((t >= 0) & (t <= 1)).all(1)
    return np.where(inside, log_likelihood - log_marginal(x), -np.inf)


TRUTH = Truth(log_marginal, log_conditional, forward=forward)


def load(name: str, argument: str, options: Options) -> Data:
    """`bishop-inverse` or `bishop-inverse:N`: N pairs, 50,000 if not given, always the same.

    >>> data = load("bishop-inverse", "200", Options())
    >>> data.spec.columns, data.spec.target.columns
    (('x',), ('t',))

    Raises:
        DataError: N is out of range.
    """
    source, values = read(name, argument, COUNT)
    spec = DataSpec("vector", (1,), columns=("x",), target=DataSpec("vector", (1,), columns=("t",)))

    def draw() -> Dataset:
        x, t = sample(values["N"])
        return Dataset(spec, x, target=t)

    return simulate(source, draw, TRUTH)
