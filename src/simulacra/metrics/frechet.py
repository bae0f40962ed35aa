"""The Fréchet distance of two sets of features (FID), from moments gathered in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulacra.errors import ConfigError, DataError
from simulacra.metrics.registry import Metric, Score, register

if TYPE_CHECKING:
    from simulacra.metrics.sample_scores import Comparison

# Rows that are gathered before their moments are taken: a product of matrices pays off with many rows.
BLOCK = 4096
# features whose covariance can still be worked with: 0.13 GB, some ten seconds
LARGEST = 4096


@dataclass(frozen=True)
class Moments:
    """Count, mean and scatter of rows, in float64; of two sets together: `a + b`.

    Attributes:
        count: the rows, N.
        mean: `(F,)`.
        scatter: the sum of (x - mean)(x - mean)^T over the rows, `(F, F)`.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray) -> Moments:
        """Of the rows of x `(N, F)`, at least one, of any type.

        >>> Moments.of(np.array([[0.0, 1.0], [2.0, 1.0]])).covariance
        array([[2., 0.],
               [0., 0.]])
        """
        centred = np.array(x, dtype=np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        return cls(len(x), mean, centred.T @ centred)

    def __add__(self, other: Moments) -> Moments:
        """Chan et al. 1983, pairwise: S = S_a + S_b + n_a n_b / (n_a + n_b) (m_b - m_a)(m_b - m_a)^T."""
        n = self.count + other.count
        difference = other.mean - self.mean
        weight = self.count * (other.count / n)
        scatter = self.scatter + other.scatter
        scatter += np.outer(weight * difference, difference)
        return Moments(n, self.mean + other.count / n * difference, scatter)

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased, scatter / (N - 1), `(F, F)`.

        Raises:
            DataError: there is one row only.
        """
        if self.count < 2:
            raise DataError("a covariance needs at least two examples")
        return self.scatter / (self.count - 1)


def moments(batches: Iterable[np.ndarray]) -> Moments:
    """Of all the rows of batches `(B, F)`, in one pass, holding a few thousand rows at a time.

    Raises:
        DataError: there are no rows.

    >>> moments(np.ones((1, 3)) * i for i in range(5)).mean
    array([2., 2., 2.])
    """
    total: Moments | None = None
    waiting: list[np.ndarray] = []

    def with_waiting() -> Moments:
        block = Moments.of(np.concatenate(waiting))
        return block if total is None else total + block

    for batch in batches:
        # cut: a batch may be all there is
        for start in range(0, len(batch), BLOCK):
            waiting.append(batch[start : start + BLOCK])
            if sum(map(len, waiting)) >= BLOCK:
                total, waiting = with_waiting(), []
    if waiting:
        total = with_waiting()
    if total is None:
        raise DataError("no examples to take moments of")
    return total


def frechet_distance(mu1: np.ndarray, sigma1: np.ndarray, mu2: np.ndarray, sigma2: np.ndarray) -> float:
    """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of two normal distributions, squared; 0 when equal.

    Dowson and Landau 1982; with the moments of Inception features it is the FID (Heusel et al.
    2017, eq. 6). Singular covariances, of fewer examples than features, are no special case: nothing is
    added to them. The estimate from examples is biased upwards, the more the fewer there are, so that
    only distances from equally many examples compare (Binkowski et al. 2018, section 4).

    Args:
        mu1: mean `(F,)` of the one.
        sigma1: its covariance `(F, F)`, symmetric, without negative eigenvalues.
        mu2: mean of the other.
        sigma2: its covariance.

    Raises:
        DataError: a number is not finite.

    >>> frechet_distance(np.zeros(2), np.eye(2), np.array([3.0, 4.0]), 4 * np.eye(2))
    27.0
    """
    mu1, sigma1, mu2, sigma2 = (np.asarray(a, dtype=np.float64) for a in (mu1, sigma1, mu2, sigma2))
    if not all(np.isfinite(a).all() for a in (mu1, sigma1, mu2, sigma2)):
        raise DataError("the Fréchet distance needs finite features; some are NaN or infinite")
    # S1 = A A^T: S1 S2 has the eigenvalues of the symmetric A^T S2 A, and zeros
    A = _factor(sigma1)
    eigenvalues = np.linalg.eigvalsh(A.T @ (sigma2 @ A))
    trace = np.sqrt(eigenvalues.clip(min=0)).sum()
    difference = mu1 - mu2
    distance = difference @ difference + np.trace(sigma1) + np.trace(sigma2) - 2 * trace
    # below zero by rounding only
    return max(0.0, float(distance))


def _factor(sigma: np.ndarray) -> np.ndarray:
    """A `(F, R)` with A A^T = sigma: by Cholesky, or by eigenvectors where sigma is singular."""
    try:
        return np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(sigma)
    # directions without spread are left out: the roots of their rounding errors would add up
    rank = values > len(sigma) * np.finfo(np.float64).eps * values[-1]
    return vectors[:, rank] * np.sqrt(values[rank])


def _fid(comparison: Comparison) -> dict[str, float]:
    features = comparison.samples.features.shape[1]
    if features > LARGEST:
        raise ConfigError(
            f"fid: the covariance of {features} features is too large to work with; "
            "choose another extractor, or smaller images"
        )
    a, b = comparison.samples.moments, comparison.real.moments
    return {"fid": frechet_distance(a.mean, a.covariance, b.mean, b.covariance)}


FID = register(Score(
    name="fid",
    metrics=(
        Metric("fid", "Fréchet distance",
            meaning="between normal distributions fitted to the features of samples and data (FID)",
            better="lower"),
    ),
    score=_fid, fewest=2, in_training=True, reference=True, covariance=True, order=100,
))  # fmt: skip
