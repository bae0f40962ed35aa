"""Correlations of all pairs of columns: intervals, false discoveries, and whether rows are independent."""

from __future__ import annotations

from math import atanh, log1p, sqrt, tanh

import numpy as np
from scipy.special import stdtr
from scipy.stats import false_discovery_control, norm

from simulacra.audit.shared.findings import LEVEL, Estimate

# of a single test, and the share of false discoveries after the correction
ALPHA = 1 - LEVEL
# rows that a pair needs: Fisher's interval divides by n - 3
FEWEST = 4


def standardised(x: np.ndarray) -> np.ndarray:
    """Columns `(N, D)` with mean 0 and variance 1; NaN stays, and a constant column is NaN."""
    # to the size of 1 first: squares of large numbers overflow, and small ones vanish beside a large mean
    with np.errstate(divide="ignore", invalid="ignore"):
        x = x / np.max(np.abs(x), axis=0, initial=0.0, where=~np.isnan(x))
        n = np.maximum((~np.isnan(x)).sum(axis=0), 1)
        x = x - np.nansum(x, axis=0) / n
        s = np.sqrt(np.nansum(x * x, axis=0) / n)
        return np.asarray(np.where(s > 1e-14, x / s, np.nan))


def correlate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson's r of all pairs of columns, over the rows that have both.

    Args:
        x: `(N, D)`, NaN where there is no value.

    Returns:
        r `(D, D)`, NaN where a column is constant or fewer than `FEWEST` rows have both; n `(D, D)`.

    >>> r, n = correlate(np.array([[1.0, 2], [2, 1], [3, 4], [4, 3], [5, np.nan]]))
    >>> round(float(r[0, 1]), 3), int(n[0, 1])
    (0.6, 4)
    """
    z = standardised(x)
    there = (~np.isnan(z)).astype(float)
    z = np.where(np.isnan(z), 0.0, z)
    n = there.T @ there
    # sums over the rows that have both: of z_i, of z_i^2, of z_i z_j
    total, squares = z.T @ there, (z * z).T @ there
    with np.errstate(divide="ignore", invalid="ignore"):
        across = z.T @ z - total * total.T / n
        within = squares - total * total / n
        r = across / np.sqrt(within * within.T)
        # what varies by rounding only is constant
        constant = within <= 1e-12 * n
        r[constant | constant.T | (n < FEWEST)] = np.nan
    return np.clip(r, -1, 1), np.asarray(np.rint(n).astype(int))


def p_value(r: np.ndarray | float, n: np.ndarray | float) -> np.ndarray:
    """How often |r| is as large or larger where two normal columns are independent; two-sided.

    >>> round(float(p_value(0.6660, 11)), 4)
    0.0253
    """
    r, n = np.asarray(r, dtype=float), np.asarray(n, dtype=float)
    # t = r sqrt((n - 2) / (1 - r^2)) has n - 2 degrees of freedom (Fisher 1915)
    with np.errstate(divide="ignore"):
        t = np.abs(r) * np.sqrt((n - 2) / (1 - r * r))
    return np.asarray(2 * stdtr(n - 2, -t))


def family_wise_error(p: float, tests: int) -> float:
    """The probability that at least one of independent tests of true null hypotheses has p or less.

    100 columns of noise, each compared with the same other column in 11 rows, are 100 tests; given that
    column, they are independent. A correlation of .6660 or more has p = .0253 in each of them, and at least
    one of the 100 has it in 92 of 100 tables. All pairs of the 101 columns are 5,050 tests, and the
    probability is 1.

    >>> p = float(p_value(0.6660, 11))
    >>> round(family_wise_error(p, 100), 3), round(family_wise_error(p, 5050), 6)
    (0.923, 1.0)
    """
    # 1 - (1 - p)^tests
    return float(-np.expm1(tests * log1p(-p))) if p < 1 else 1.0


def correlation(r: float, n: int, level: float = LEVEL) -> Estimate:
    """r with Fisher's interval (Fisher 1921).

    >>> round(correlation(0.5, 103).low, 3), round(correlation(0.5, 103).high, 3)
    (0.339, 0.632)

    Raises:
        ValueError: n is below `FEWEST`.
    """
    if n < FEWEST:
        raise ValueError(f"no interval of a correlation of {n} rows")
    if abs(r) >= 1:
        return Estimate(r, r, r)
    # tanh(artanh r +- z / sqrt(n - 3))
    half = float(norm.ppf((1 + level) / 2)) / sqrt(n - 3)
    return Estimate(r, tanh(atanh(r) - half), tanh(atanh(r) + half))


def discoveries(p: np.ndarray, share: float = ALPHA) -> np.ndarray:
    """Which tests are significant after the correction of Benjamini and Hochberg (1995), bool as `p`.

    Among them no more than `share` are false on average, where tests are independent or positively dependent
    (Benjamini and Yekutieli 2001).

    >>> discoveries(np.array([0.001, 0.045, 0.012, 0.9])).tolist()
    [True, False, True, False]
    """
    return np.asarray(false_discovery_control(p) <= share) if len(p) else np.zeros(0, dtype=bool)


def shuffled(x: np.ndarray, times: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs of columns look related when every column is shuffled on its own: each is false.

    Args:
        x: `(N, D)`.
        times: shuffles S.
        rng: of the shuffles.

    Returns:
        Pairs with p <= `ALPHA`, and `discoveries` among them, int `(S,)` each.
    """
    upper = np.triu_indices(x.shape[1], 1)
    raw, corrected = np.zeros(times, dtype=int), np.zeros(times, dtype=int)
    for s in range(times):
        r, n = correlate(rng.permuted(x, axis=0))
        usable = ~np.isnan(r[upper])
        p = p_value(r[upper][usable], n[upper][usable])
        raw[s], corrected[s] = (p <= ALPHA).sum(), discoveries(p).sum()
    return raw, corrected


def serial_correlation(x: np.ndarray) -> tuple[float, float]:
    """The correlation of neighbouring rows of a column `(N,)`, and its p; NaN is left out.

    p compares with all orders of the same numbers, whose mean and variance are exact, on the normal curve
    (Wald and Wolfowitz 1943, not circular).

    >>> r, p = serial_correlation(np.arange(20.0))
    >>> round(r, 2), p < 0.001
    (0.85, True)
    """
    x = standardised(x[~np.isnan(x), None])[:, 0]
    n = len(x)
    if n < FEWEST or np.isnan(x).any():
        return 0.0, 1.0
    # c = sum_t x_t x_{t+1}; with sum x = 0: E c = -S2 / n,
    # E c^2 = (S2^2 - S4) / n + (S2^2 - 2 S4) / (n (n - 1))
    s2, s4 = float((x**2).sum()), float((x**4).sum())
    c, mean = float(x[1:] @ x[:-1]), -s2 / n
    variance = (s2**2 - s4) / n + (s2**2 - 2 * s4) / (n * (n - 1)) - mean**2
    return c / s2, float(2 * norm.sf(abs(c - mean) / sqrt(variance))) if variance > 0 else 1.0
