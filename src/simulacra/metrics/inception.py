"""The Inception score: how sure a classifier is of each sample, and how unsure of which comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simulacra.errors import ConfigError
from simulacra.metrics.registry import Metric, Score, register

if TYPE_CHECKING:
    from simulacra.metrics.sample_scores import Comparison

# of the score; one for each sample, if these are fewer
SPLITS = 10


class InceptionScore(NamedTuple):
    """Over the splits: the mean, in [1, K] for K classes, and the standard deviation."""

    mean: float
    std: float


def inception_score(probs: np.ndarray, splits: int = 10, seed: int | None = 0) -> InceptionScore:
    """exp(E_x KL(p(y | x) || p(y))), p(y) the mean of p(y | x) over a split.

    Salimans et al. 2016, section 4. The order and the splits are torch-fidelity's from the same seed. The
    deviation divides by the number of splits, as there and in the paper's code; torchmetrics' by one less.

    Args:
        probs: of the classes for each sample, `(N, K)`; each row sums to 1.
        splits: parts of the samples that are scored on their own, at most N.
        seed: of the order; None keeps the one given.

    Raises:
        ConfigError: fewer samples than splits.

    >>> inception_score(np.eye(4), splits=1).mean
    4.0
    >>> inception_score(np.full((8, 4), 0.25), splits=2)
    InceptionScore(mean=1.0, std=0.0)
    """
    n = len(probs)
    if not 1 <= splits <= n:
        raise ConfigError(f"inception score: {n} samples cannot be cut into {splits} splits")
    if seed is not None:
        probs = probs[np.random.RandomState(seed).permutation(n)]
    scores = [_score(probs[i * n // splits : (i + 1) * n // splits]) for i in range(splits)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _score(probs: np.ndarray) -> float:
    p = probs.astype(np.float64)
    # E_x KL(p(y | x) || p(y)) = H(p(y)) - E_x H(p(y | x))
    return float(np.exp(_entropy(p.mean(axis=0)) - _entropy(p) / len(p)))


def _entropy(p: np.ndarray) -> float:
    """The sum of -p log p, with 0 log 0 = 0, over all numbers."""
    return -float((p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum())


def _is(comparison: Comparison) -> dict[str, float]:
    probs = comparison.samples.probabilities
    if probs is None:
        return {}
    splits = min(SPLITS, len(probs))
    score = inception_score(probs, splits, comparison.seed)
    return {"inception_score": score.mean, "inception_score_std": score.std, "splits": splits}


IS = register(Score(
    name="is",
    metrics=(
        Metric("inception_score", "Inception score",
            meaning="high where the class of each sample is certain and all classes are equally frequent",
            better="higher", error="inception_score_std"),
        Metric("inception_score_std", "its deviation", meaning="of the Inception score, over splits"),
    ),
    settings=("splits",), score=_is, classes=True, order=120,
))  # fmt: skip
