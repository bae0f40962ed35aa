"""Samples against data: whether they lie where the data lie, and vary as much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.capabilities import Samples
from simulacra.metrics.neighbours import distances
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# A sample belongs to a mode when it is this many standard deviations from its centre, or nearer.
NEAR = 4.0
# A mode is covered when it has this share of the samples it would have by right.
ENOUGH = 0.1


@dataclass(frozen=True)
class Coverage:
    """How samples spread over modes that are equally likely in the data.

    Attributes:
        covered: modes with at least a tenth of their share of samples within 4 sigma.
        near: share of the samples within 4 sigma of a mode.
        counts: samples within 4 sigma of each mode, `(K,)`.
    """

    covered: int
    near: float
    counts: np.ndarray


def mode_coverage(samples: np.ndarray, modes: np.ndarray, sigma: float) -> Coverage:
    """Samples `(N, D)` against modes `(K, D)` of standard deviation `sigma`.

    >>> mode_coverage(np.zeros((10, 2)), np.array([[0.0, 0.0], [1.0, 0.0]]), sigma=0.1)
    Coverage(covered=1, near=1.0, counts=array([10,  0]))
    """
    distance = np.linalg.norm(samples[:, None] - modes, axis=2)  # (N, K)
    nearest = distance.argmin(axis=1)
    inside = distance[np.arange(len(samples)), nearest] <= NEAR * sigma
    counts = np.bincount(nearest[inside], minlength=len(modes))
    enough = max(1.0, ENOUGH * len(samples) / len(modes))
    return Coverage(int((counts >= enough).sum()), float(inside.mean()), counts)


def mean_distance(samples: np.ndarray, data: np.ndarray) -> float:
    """|mean of samples - mean of data|, in standard deviations of the data (root of their total variance)."""
    difference = samples.mean(axis=0, dtype=np.float64) - data.mean(axis=0, dtype=np.float64)
    return float(np.linalg.norm(difference) / max(np.sqrt(_total_variance(data)), 1e-12))


def variance_ratio(samples: np.ndarray, data: np.ndarray) -> float:
    """Total variance of the samples over that of the data: 1 where both vary equally, 0 after a collapse.

    >>> variance_ratio(np.zeros((10, 2)), np.eye(2))
    0.0
    """
    return float(_total_variance(samples) / max(_total_variance(data), 1e-12))


def diversity(samples: np.ndarray, data: np.ndarray) -> float:
    """Mean distance of two samples over that of two examples of the data; `(M, ...)`, `(N, ...)`, at least 2.

    1 where both vary equally, 0 after a collapse.

    >>> diversity(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [4.0], [8.0]]))
    0.25
    """
    return _mean_pair_distance(samples) / max(_mean_pair_distance(data), 1e-12)


def _mean_pair_distance(x: np.ndarray) -> float:
    x = x.reshape(len(x), -1)
    # a sum over all pairs, each twice, and over each row with itself, which is 0
    total = sum(d.sum().item() for _, d in distances(x, x))
    return total / (len(x) * (len(x) - 1))


def _total_variance(x: np.ndarray) -> float:
    return float(x.var(axis=0, dtype=np.float64).sum())


def _samples(evaluation: Evaluation) -> dict[str, Any]:
    """As many samples as examples; `mode_shares` are the shares of all samples at each mode."""
    samples, truth = evaluation.samples, evaluation.data.truth
    n = len(samples)
    samples, data = samples.reshape(n, -1), evaluation.dataset.x.reshape(len(evaluation.dataset), -1)
    numbers: dict[str, Any] = {
        "samples": n,
        "mean_distance": mean_distance(samples, data),
        "variance_ratio": variance_ratio(samples, data),
    }
    if truth.modes is not None and truth.sigma is not None:
        coverage = mode_coverage(samples, truth.modes, truth.sigma)
        numbers |= {
            "modes": len(truth.modes),
            "modes_covered": coverage.covered,
            "within_4_sigma": coverage.near,
            "mode_shares": (coverage.counts / n).tolist(),
        }
    return numbers


SAMPLES = register(Measurement(
    name="samples", needs=(Samples,),
    metrics=(
        Metric("mean_distance", "distance of the means",
            meaning="of samples and data, in standard deviations of the data; 0 is best"),
        Metric("variance_ratio", "variance ratio",
            meaning="total variance of samples over that of the data: 1 where both vary equally, 0 after a"
            " collapse"),
        Metric("modes_covered", "modes covered",
            meaning="modes of the data that get at least a tenth of their share of samples; all is best",
            out_of="modes"),
        Metric("within_4_sigma", "samples at a mode", "%", "within 4 standard deviations of one", "higher"),
    ),
    settings=("samples", "modes", "mode_shares"), compute=_samples, order=50,
))  # fmt: skip
