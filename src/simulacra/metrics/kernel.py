"""The kernel distance of two sets of features (KID): a squared maximum mean discrepancy, unbiased."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from simulacra.errors import ConfigError
from simulacra.metrics.registry import Metric, Score, register

if TYPE_CHECKING:
    from simulacra.metrics.sample_scores import Comparison

# numbers of a block of the kernel matrix
BLOCK = 2**22
# examples of a subset; half of what there is, if that is less
SUBSET = 1000


@dataclass(frozen=True)
class KernelDistance:
    """An estimate and how sure it is.

    Attributes:
        mean: of MMD^2 over the subsets. Unbiased: zero on average where the distributions are equal, so
            that it may come out below zero.
        error: its standard error, for the examples it is of and the subsets that were drawn; nan where a
            subset is all there is.
        std: of MMD^2 over the subsets (divided by their number), what torch-fidelity calls the deviation.
    """

    mean: float
    error: float
    std: float


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased MMD^2 of features x `(M, F)` and y `(N, F)` under k(x, y) = (x . y / F + 1)^3.

    Gretton et al. 2012, eq. 3, with the kernel of Binkowski et al. 2018, section 4. In float64, by blocks.

    >>> x, y = np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])
    >>> mmd2(x, y)  # k(0, 1) + k(2, 3) - 2 mean of k(0, 2), k(0, 3), k(1, 2), k(1, 3)
    297.5
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    m, n = len(x), len(y)
    return (_sum(x) / (m * (m - 1)) + _sum(y) / (n * (n - 1))) - 2 * _sum(x, y) / (m * n)


def kernel_distance(
    x: np.ndarray, y: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> KernelDistance:
    """Kernel distance of features x `(M, F)` and y `(N, F)`: with those of Inception, the KID.

    The mean of `mmd2` over subsets (Binkowski et al. 2018, section 4). They are drawn as torch-fidelity
    draws them from the same seed, with x as its first input.

    The error is that of the mean as an estimate of what all examples there could be would give. Subsets
    overlap, so that it does not go to zero as they become more: were v the variance of MMD^2 over
    independent subsets of m examples, then subsets out of N examples vary by v (1 - m / N), and the mean
    over all of them by v m / N (Hoeffding 1948, for the leading term; where the distributions are equal it
    varies less).

    Args:
        x: features of the one set.
        y: of the other.
        subsets: how many, at least 2.
        subset_size: examples in a subset, at least 2; not more than there are.
        seed: of the draws.

    Raises:
        ConfigError: too few subsets, or examples.

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 500, 8))
    >>> kid = kernel_distance(x, y, subsets=20, subset_size=100)
    >>> abs(kid.mean) < 3 * kid.error
    True
    """
    fewest = min(len(x), len(y))
    if subsets < 2 or not 2 <= subset_size <= fewest:
        raise ConfigError(
            f"kernel distance: {subsets} subsets of {subset_size} out of {fewest} examples; "
            "take at least 2 subsets of at least 2 examples, and not more than there are"
        )
    draw = np.random.RandomState(seed)
    distances = np.array(
        [
            mmd2(
                x[draw.choice(len(x), subset_size, replace=False)],
                y[draw.choice(len(y), subset_size, replace=False)],
            )
            for _ in range(subsets)
        ]
    )
    error = float("nan")
    if subset_size < fewest:
        error = float(distances.std(ddof=1)) * sqrt(1 / subsets + subset_size / (fewest - subset_size))
    return KernelDistance(float(distances.mean()), error, float(distances.std()))


def _sum(x: np.ndarray, y: np.ndarray | None = None) -> float:
    """The sum of k over all pairs of x and y, or of two different rows of x."""
    other = x if y is None else y
    rows = max(1, BLOCK // len(other))
    total = sum(_kernel(x[i : i + rows] @ other.T, x.shape[1]).sum() for i in range(0, len(x), rows))
    if y is None:
        total -= _kernel((x * x).sum(axis=1), x.shape[1]).sum()
    return float(total)


def _kernel(products: np.ndarray, features: int) -> np.ndarray:
    k = products / features + 1
    return k * k * k


def _kid(comparison: Comparison) -> dict[str, float]:
    # a subset of all there is has no error
    subset_size = min(SUBSET, comparison.size // 2)
    samples, real = comparison.samples.features, comparison.real.features
    kid = kernel_distance(samples, real, comparison.subsets, subset_size, comparison.seed)
    return {
        "kid": kid.mean,
        "kid_error": kid.error,
        "kid_subsets": comparison.subsets,
        "kid_subset_size": subset_size,
    }


KID = register(Score(
    name="kid",
    metrics=(
        Metric("kid", "kernel distance",
            meaning="squared maximum mean discrepancy of the features (KID), 0 for equal distributions",
            better="lower", error="kid_error"),
        Metric("kid_error", "its standard error", meaning="of the kernel distance, over subsets"),
    ),
    settings=("kid_subsets", "kid_subset_size"), score=_kid, fewest=4, in_training=True, whole=True,
    reference=True, order=110,
))  # fmt: skip
