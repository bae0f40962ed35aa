"""Intervals of shares, of their differences and ratios, and of means."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, hypot, log, sqrt

import numpy as np
from scipy.stats import beta, norm
from scipy.stats import t as student

from simulacra.audit.shared.findings import LEVEL, Estimate


def wilson(k: float, n: float, level: float = LEVEL) -> Estimate:
    """A share k / n; score interval (Wilson 1927).

    >>> round(wilson(81, 263).low, 4), round(wilson(81, 263).high, 4)
    (0.2553, 0.3662)

    Raises:
        ValueError: n is 0.
    """
    p = _share(k, n)
    # (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
    z = float(norm.ppf((1 + level) / 2))
    scale = 1 + z * z / n
    centre, half = (p + z * z / (2 * n)) / scale, z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale
    # rounding puts the ends of 0 and 1 on the wrong side of them
    return Estimate(p, min(max(centre - half, 0.0), p), max(min(centre + half, 1.0), p))


def clopper_pearson(k: int, n: int, level: float = LEVEL) -> Estimate:
    """A share k / n; exact interval (Clopper and Pearson 1934), never too narrow.

    >>> round(clopper_pearson(0, 10).high, 4)
    0.3085
    """
    p, tail = _share(k, n), (1 - level) / 2
    # quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k)
    low = float(beta.ppf(tail, k, n - k + 1)) if k else 0.0
    return Estimate(p, low, float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0)


def _share(k: float, n: float) -> float:
    if not 0 <= k <= n or n == 0:
        raise ValueError(f"no share: {k} of {n}")
    return k / n


def newcombe(k1: int, n1: int, k2: int, n2: int, level: float = LEVEL) -> Estimate:
    """The difference k1 / n1 - k2 / n2 of independent shares; Newcombe 1998, method 10.

    >>> round(newcombe(805, 1795, 349, 1488).low, 3)
    0.182
    """
    return share_difference(wilson(k1, n1, level), wilson(k2, n2, level))


def share_difference(first: Estimate, second: Estimate, correlation: float = 0.0) -> Estimate:
    """The difference of two shares, from their intervals and the correlation of their errors; Newcombe 1998.

    >>> share_difference(Estimate(0.5, 0.4, 0.6), Estimate(0.5, 0.4, 0.6), 1.0)
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    (p1, (l1, u1)), (p2, (l2, u2)) = ((e.value, e.ends) for e in (first, second))
    # d - sqrt((p1 - l1)^2 - 2 rho (p1 - l1) (u2 - p2) + (u2 - p2)^2), and the other end alike
    down, up = _third_side(p1 - l1, u2 - p2, correlation), _third_side(u1 - p1, p2 - l2, correlation)
    return Estimate(p1 - p2, max(p1 - p2 - down, -1.0), min(p1 - p2 + up, 1.0))


def katz(k1: int, n1: int, k2: int, n2: int, level: float = LEVEL) -> Estimate | None:
    """The ratio (k1 / n1) / (k2 / n2) of independent shares; log interval (Katz et al. 1978), not where a
    share is 1 and its error would be 0.

    None where either count is 0: the ratio, or its interval, has no end.

    >>> round(katz(805, 1795, 349, 1488).low, 2), round(katz(805, 1795, 349, 1488).high, 2)
    (1.72, 2.12)
    """
    if k1 == 0 or k2 == 0:
        return None
    ratio = (k1 / n1) / (k2 / n2)
    if k1 == n1 or k2 == n2:
        # 1/k - 1/n of a share of 1 is 0: Wilson's intervals of both, on the log scale (Zou and Donner 2008)
        (l1, u1), (l2, u2) = wilson(k1, n1, level).ends, wilson(k2, n2, level).ends
        p1, p2 = k1 / n1, k2 / n2
        down, up = hypot(log(p1 / l1), log(u2 / p2)), hypot(log(u1 / p1), log(p2 / l2))
        return Estimate(ratio, ratio * exp(-down), ratio * exp(up))
    # exp(log ratio +- z sqrt(1/k1 - 1/n1 + 1/k2 - 1/n2))
    half = float(norm.ppf((1 + level) / 2)) * sqrt(max(1 / k1 - 1 / n1 + 1 / k2 - 1 / n2, 0.0))
    return Estimate(ratio, ratio * exp(-half), ratio * exp(half))


def mean(total: float, squares: float, n: int, level: float = LEVEL) -> Estimate:
    """A mean, from the sum of n numbers and that of their squares; Student's interval.

    >>> round(mean(6.0, 14.0, 3).high, 3)
    4.484

    Raises:
        ValueError: n is below 2.
    """
    if n < 2:
        raise ValueError(f"no interval from {n} numbers")
    half = float(student.ppf((1 + level) / 2, n - 1)) * sqrt(variance(total, squares, n) / n)
    return Estimate(total / n, total / n - half, total / n + half)


def mean_of(values: np.ndarray, level: float = LEVEL) -> Estimate:
    """The mean of numbers `(N,)`; Student's interval."""
    return mean(float(values.sum()), float((values**2).sum()), len(values), level)


def welch(
    first: tuple[float, float, int], second: tuple[float, float, int], level: float = LEVEL
) -> Estimate:
    """The difference of two independent means, each as sum, sum of squares, n; Welch 1947."""
    (s1, _, n1), (s2, _, n2) = first, second
    v1, v2 = variance(*first) / n1, variance(*second) / n2
    d = s1 / n1 - s2 / n2
    if v1 + v2 == 0:
        return Estimate(d, d, d)
    # degrees of freedom (v1 + v2)^2 / (v1^2 / (n1 - 1) + v2^2 / (n2 - 1)), Satterthwaite
    freedom = (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    half = float(student.ppf((1 + level) / 2, freedom)) * sqrt(v1 + v2)
    return Estimate(d, d - half, d + half)


def paired(both: int, first: int, second: int, n: int, level: float = LEVEL) -> Estimate:
    """The difference of two shares of the same n people; Newcombe 1998 (paired data), method 10.

    Args:
        both: people counted in both.
        first: people counted in the first, `both` among them.
        second: people counted in the second, likewise.
        n: all people.

    >>> e = paired(36, 48, 38, 50)
    >>> round(e.value, 4), round(e.low, 4), round(e.high, 4)
    (0.2, 0.0569, 0.3404)
    """
    p1, p2 = wilson(first, n, level), wilson(second, n, level)
    # phi = (a d - b c) / sqrt((a + b) (c + d) (a + c) (b + d)); a positive numerator less n / 2, not below 0
    products = first * (n - first) * second * (n - second)
    above = both * (n - first - second + both) - (first - both) * (second - both)
    phi = (max(above - n / 2, 0.0) if above > 0 else above) / sqrt(products) if products else 0.0
    return share_difference(p1, p2, phi)


def paired_of(first: np.ndarray, second: np.ndarray, level: float = LEVEL) -> Estimate:
    """`paired` of two bool columns `(N,)` of the same people."""
    return paired(int((first & second).sum()), int(first.sum()), int(second.sum()), len(first), level)


def _third_side(a: float, b: float, cosine: float) -> float:
    return sqrt(max(a * a - 2 * cosine * a * b + b * b, 0.0))


def combined(terms: Sequence[tuple[float, Estimate]]) -> Estimate:
    """The sum of weight times number of independent numbers, from their intervals; Zou and Donner 2008.

    Newcombe's interval of a difference is the same of two shares.

    >>> d = combined([(1, wilson(805, 1795)), (-1, wilson(349, 1488))])
    >>> d.value == newcombe(805, 1795, 349, 1488).value, round(d.low, 3), round(d.high, 3)
    (True, 0.182, 0.245)
    """
    total = sum(weight * e.value for weight, e in terms)
    # total - sqrt(sum (x - lowest)^2), total + sqrt(sum (highest - x)^2) with x = weight times number
    ends = [(weight * e.value, *sorted(weight * end for end in e.ends)) for weight, e in terms]
    down = sqrt(sum((x - low) ** 2 for x, low, _ in ends))
    up = sqrt(sum((high - x) ** 2 for x, _, high in ends))
    return Estimate(total, total - down, total + up)


def variance(total: float, squares: float, n: int) -> float:
    """Of n numbers, with n - 1 below."""
    return max(squares - total * total / n, 0.0) / (n - 1)
