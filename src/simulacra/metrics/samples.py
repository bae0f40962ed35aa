"""Samples against data: whether they lie where the data lie, and vary as much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.metrics.neighbours import blocks, nearest_other
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# A sample belongs to a mode when it is this many standard deviations from its centre, or nearer.
NEAR = 4.0
# A mode is covered when it has this share of the samples it would have by right.
ENOUGH = 0.1
# So few different samples, or fewer, are a collapse; of so many samples at most.
FEW, VARIED = 20, 500


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


@dataclass(frozen=True)
class Variety:
    """How much samples vary, and how often they repeat, beside as many examples of the data.

    Attributes:
        diversity: mean distance of two samples over that of two examples: 1 where both vary equally, 0 after
            a collapse to one point.
        distinct: different samples there seem to be, at most as many as there are: were k different ones
            drawn equally often, two of them would be the same with probability 1 / k (the birthday test of
            Arora and Zhang 2017, arXiv 1706.08224). The same are those that are nearer than a quarter of the
            median distance of an example of the data to its nearest other.
        distinct_data: the same of the examples.
    """

    diversity: float
    distinct: float
    distinct_data: float


def variety(samples: np.ndarray, data: np.ndarray) -> Variety:
    """Of samples `(M, ...)` and data `(N, ...)`, at least 2 each.

    >>> rng = np.random.default_rng(0)
    >>> data, ten = rng.normal(size=(300, 8)), rng.normal(size=(10, 8))
    >>> found = variety(np.repeat(ten, 30, axis=0), data)
    >>> found.diversity > 0.8, round(found.distinct), found.distinct_data
    (True, 10, 300.0)
    """
    samples, data = (x.reshape(len(x), -1) for x in (samples, data))
    same = float(np.median(nearest_other(data)[1])) / 4
    (between, distinct), (of_data, distinct_data) = (_pairs(x, same) for x in (samples, data))
    return Variety(between / max(of_data, 1e-12), distinct, distinct_data)


def _pairs(x: np.ndarray, same: float) -> tuple[float, float]:
    """The mean distance of two rows, and the number of different ones."""
    n, total, equal = len(x), 0.0, 0
    limit = torch.tensor(same, dtype=torch.float64)
    for block in blocks(x, x):
        block.settle(limit)
        total += block.distance.sum().item()
        equal += int((block.distance <= limit).sum())
    # all pairs are there twice, and each row with itself
    pairs, equal = n * (n - 1), equal - n
    return total / pairs, min(float(n), pairs / max(1, equal))


def repeats(distinct: float, distinct_data: float) -> bool:
    """Whether there are so few different samples that they repeat, although examples of the data do not.

    >>> repeats(10, 500), repeats(200, 500), repeats(4, 4)
    (True, False, False)
    """
    return distinct <= min(FEW, distinct_data / 2)


def _total_variance(x: np.ndarray) -> float:
    return float(x.var(axis=0, dtype=np.float64).sum())


def describe_repeats(distinct: float, distinct_data: float) -> str:
    """A sentence, without its full stop."""
    return (
        f"samples repeat: they are as often the same as if there were {distinct:.0f} different ones; among"
        f" examples of the data there are {distinct_data:.0f}"
    )


def _rows(evaluation: Evaluation, x: np.ndarray) -> np.ndarray:
    """The numbers of each example in one row; of vectors standardised."""
    if evaluation.model.spec.kind != "vector":
        return x.reshape(len(x), -1)
    # a copy: tensors have to be writable
    return evaluation.raw.features(torch.from_numpy(np.array(x))).cpu().numpy()


def _samples(evaluation: Evaluation) -> dict[str, Any]:
    """As many samples as examples; `mode_shares` are the shares of all samples at each mode."""
    samples, truth = evaluation.samples, evaluation.data.truth
    n = len(samples)
    x, data = _rows(evaluation, samples), _rows(evaluation, evaluation.dataset.x)
    numbers: dict[str, Any] = {
        "samples": n,
        "mean_distance": mean_distance(x, data),
        "variance_ratio": variance_ratio(x, data),
    }
    if n > 1:
        real = random_subset(evaluation.dataset, VARIED, evaluation.seed).x
        found = variety(x[:VARIED], _rows(evaluation, real))
        numbers |= {"distinct": found.distinct, "distinct_of": min(n, VARIED)}
        numbers["real_against_real"] = {"distinct": found.distinct_data}
        if repeats(found.distinct, found.distinct_data):
            numbers["cautions"] = {"samples": describe_repeats(found.distinct, found.distinct_data)}
    if truth.modes is not None and truth.sigma is not None:
        coverage = mode_coverage(samples, truth.modes, truth.sigma)
        numbers |= {
            "modes": len(truth.modes),
            "modes_covered": coverage.covered,
            "within_4_sigma": coverage.near,
            "mode_shares": (coverage.counts / n).tolist(),
        }
    return numbers


DISTINCT = Metric("distinct_chart", "distinct samples",
    meaning="different ones there seem to be, judged by how often two are nearly the same: few where samples"
    " repeat")  # fmt: skip
SAMPLES = register(Measurement(
    name="samples", needs=(Samples,),
    metrics=(
        Metric("mean_distance", "distance of the means",
            meaning="of samples and data, in standard deviations of the data; columns of vectors are"
            " standardised; 0 is best"),
        Metric("variance_ratio", "variance ratio",
            meaning="total variance of samples over that of the data: 1 where both vary equally, 0 after a"
            " collapse; columns of vectors are standardised"),
        Metric("distinct", "distinct samples", "",
            "different ones there seem to be, judged by how often two are nearly the same", "higher",
            out_of="distinct_of", chart=DISTINCT, line="samples"),
        Metric("modes_covered", "modes covered",
            meaning="modes of the data that get at least a tenth of their share of samples; all is best",
            out_of="modes"),
        Metric("within_4_sigma", "samples at a mode", "%", "within 4 standard deviations of one", "higher"),
    ),
    settings=("samples", "modes", "mode_shares", "distinct_of"), compute=_samples, order=50,
))  # fmt: skip
