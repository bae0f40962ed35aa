"""What all simulated sources share: the number of examples, and the density of a curve with normal noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simulacra.data.sources.arguments import in_memory
from simulacra.data.spec import Data, Dataset, Truth
from simulacra.data.splits import split_data

# the range of the number of examples
COUNT = (50_000, 10, 10_000_000)
# entries of a block of log densities, 2 MB of float64: they stay in the cache
BLOCK = 2**18


def simulate(source: str, draw: Callable[[], Dataset], truth: Truth) -> Data:
    """Draw all examples and split them by content.

    Raises:
        DataError: they do not fit in memory.
    """
    with in_memory(source):
        return split_data(source, draw(), truth=truth)


def gauss_legendre(panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the integral over [0, 1], cut in panels: two arrays `(M,)`.

    The panels are equal, but for the first and the last, which are halved six times towards the ends of
    [0, 1]: seen from afar, the density of a smeared curve falls off steeply from an end of the curve.

    >>> t, w = gauss_legendre(2)
    >>> bool(abs(w @ np.exp(t) - (np.e - 1)) < 1e-14)
    True
    """
    z, w = np.polynomial.legendre.leggauss(24)
    graded = 0.5 ** np.arange(1, 7) / panels
    edges = np.unique(np.concatenate([np.linspace(0, 1, panels + 1), graded, 1 - graded]))
    start, width = edges[:-1, None], np.diff(edges)[:, None]
    return (start + width * (z + 1) / 2).ravel(), (width * w / 2).ravel()


def log_mixture(x: np.ndarray, centres: np.ndarray, weights: np.ndarray, sigma: float) -> np.ndarray:
    """log sum_m w_m N(x; c_m, sigma^2 I), also where every term is too small for a float.

    With the nodes of a quadrature as centres this is the log density of a smeared curve,
    p(x) = integral of N(x; c(t), sigma^2 I) dt over [0, 1].

    Args:
        x: `(N, D)`.
        centres: `(M, D)`.
        weights: `(M,)`, positive.

    Returns:
        Nats, float64 `(N,)`.

    >>> two = np.array([[-1.0], [1.0]])
    >>> log_mixture(np.array([[0.0], [1e6]]), two, np.array([0.5, 0.5]), 1.0).round(3).tolist()
    [-1.419, -499999000002.112]
    """
    x = np.asarray(x, np.float64)
    variance = sigma**2
    # log N = x.c / s^2 - |c|^2 / 2s^2 - |x|^2 / 2s^2 - D/2 log 2 pi s^2
    offset = np.log(weights) - (centres**2).sum(1) / (2 * variance)
    slope = centres.T / variance
    log_sum = np.empty(len(x))
    rows = max(1, BLOCK // len(centres))
    for start in range(0, len(x), rows):
        chunk = slice(start, start + rows)
        # not a matrix product: with so few columns that is many times slower
        terms = offset + x[chunk, :1] * slope[0]
        for d in range(1, x.shape[1]):
            terms += x[chunk, d : d + 1] * slope[d]
        largest = terms.max(1)
        terms -= largest[:, None]
        # smaller terms are lost beside 1, and slow
        np.maximum(terms, -700, out=terms)
        log_sum[chunk] = largest + np.log(np.exp(terms, out=terms).sum(1))
    result: np.ndarray = log_sum - (x**2).sum(1) / (2 * variance)
    return result - x.shape[1] / 2 * np.log(2 * np.pi * variance)
