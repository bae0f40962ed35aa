"""Shares of groups from the predictions of a classifier, corrected for the classifier's errors.

If a classifier predicts class k for an example of group g with probability M[g, k], examples with shares p of
G groups are predicted in the shares q = p M. Both are counted: predictions n_k of the samples, and confusions
c_gk of held-out examples whose groups are known. From these

    p = arg max over the simplex of  sum_k n_k log (p M)_k,    M[g, k] = c_gk / sum_k c_gk

by expectation maximisation (Saerens, Latinne and Decaestecker 2002, for hard predictions; for two groups it
is the estimate of Rogan and Gladen 1978, the "adjusted count" of Forman 2008, kept within [0, 1]; for
generators Teo, Abdollahzadeh and Cheung 2023). Counts of predictions are used, not the classifier's
probabilities, since those would have to be calibrated on samples, which have no labels.

Intervals contain both sampling errors, of the predictions and of the confusions: q and every row of M are
drawn from their posteriors Dirichlet(counts + 1/K), for two classes those of Jeffreys, p is solved for in
every draw without the constraint, and the quantiles are clipped to [0, 1]. A bootstrap would rule out what
never happened in the counts (a class never predicted, an error never made); the delta method goes below 0;
draws kept on the simplex are biased inwards at its edges, where groups that are hardly generated are.
Clipping the quantiles of unconstrained draws does neither.

All of this assumes that the classifier errs on samples as on held-out data. If it does not, a share moves by
that difference times the range of a column of the inverse of M: 1 / (sensitivity + specificity - 1) for two
groups. A classifier that multiplies it by more than `MULTIPLIED` carries no number; neither does an interval
of a share that is wider than `WIDEST`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulacra.audit.shared.findings import LEVEL, Estimate

DRAWS = 10_000
# the expectation maximisation ends when no share changes by more
TOLERANCE, MOST_STEPS = 1e-10, 20_000
ROUNDING = 1e-6
# singular values of confusions below this part of the largest: two groups have the same predictions
SINGULAR = 1e-9
# by how much a correction may multiply errors of predicted shares, and the widest interval of use
MULTIPLIED, WIDEST = 4.0, 0.5


@dataclass(frozen=True)
class Prevalence:
    """Shares of G groups behind predictions of K classes.

    Attributes:
        confusions: held-out examples of each group by their predicted class, `(G, K)`; every group has some.
        predicted: samples by their predicted class, `(K,)`.
        seed: random seed; the draws of M depend on it and on the confusions only.
        stream: of the draws of q; other samples need another one.

    >>> of = Prevalence(np.array([[950, 50], [10, 190]]), np.array([1720, 280]))
    >>> of.shares.round(3), [round(end, 3) for end in of.estimate(1).ends]
    (array([0.9, 0.1]), [0.077, 0.122])
    """

    confusions: np.ndarray
    predicted: np.ndarray
    seed: int = 0
    stream: int = 1

    @cached_property
    def shares(self) -> np.ndarray:
        """The most likely shares `(G,)`."""
        M = self.confusions / self.confusions.sum(axis=1, keepdims=True)
        q = self.predicted / self.n
        p = np.full(len(M), 1 / len(M))
        for _ in range(MOST_STEPS):
            mixed = p @ M
            # p_g <- p_g sum_k q_k M_gk / (p M)_k
            new = p * (M @ np.divide(q, mixed, out=np.zeros_like(q), where=mixed > 0))
            # predictions that no group explains leave less than 1
            new /= new.sum()
            if np.abs(new - p).max() < TOLERANCE:
                break
            p = new
        # what is left of a group without samples is rounding
        new[new < ROUNDING] = 0.0
        return new / new.sum()

    @cached_property
    def draws(self) -> np.ndarray:
        """Shares from the posterior, each row summing to 1 but not kept within [0, 1]; `(DRAWS, G)`."""
        rng = np.random.default_rng([self.seed, 0])
        G, K = self.confusions.shape
        M = np.stack([rng.dirichlet(row + 1 / K, DRAWS) for row in self.confusions], axis=1)  # (D, G, K)
        q = np.random.default_rng([self.seed, self.stream]).dirichlet(self.predicted + 1 / K, DRAWS)
        if G < K:
            # least squares weighted by 1 / q: fewer groups than classes
            weighted = M / q.mean(axis=0)
            M, q = weighted @ M.transpose(0, 2, 1), np.einsum("dgk,dk->dg", weighted, q)
        # p M = q, as M' p' = q'
        A = M.transpose(0, 2, 1)
        try:
            p = np.linalg.solve(A, q[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            p = np.einsum("dij,dj->di", np.linalg.pinv(A), q)
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    @property
    def n(self) -> int:
        """Samples."""
        return int(self.predicted.sum())

    @property
    def identifiable(self) -> bool:
        """Whether the classifier's predictions differ between the groups."""
        M = self.confusions / self.confusions.sum(axis=1, keepdims=True)
        return bool(np.linalg.matrix_rank(M, rtol=SINGULAR) == len(M))

    @property
    def multiplied(self) -> np.ndarray:
        """By how much an error of predicted shares is multiplied in the share of each group, `(G,)`.

        >>> Prevalence(np.array([[61, 39], [39, 61]]), np.array([50, 50])).multiplied.round(2)
        array([4.55, 4.55])
        """
        inverse = np.linalg.pinv(self.confusions / self.confusions.sum(axis=1, keepdims=True))
        return np.asarray(np.ptp(inverse, axis=0))

    @property
    def weak(self) -> bool:
        """Whether the classifier's predictions hardly differ between some groups."""
        return not self.identifiable or float(self.multiplied.max()) > MULTIPLIED

    def width(self, level: float = LEVEL) -> float:
        """Of the widest interval of a share."""
        ends = [self.estimate(g, level).ends for g in range(len(self.confusions))]
        return max(high - low for low, high in ends)

    def estimate(self, g: int, level: float = LEVEL) -> Estimate:
        """The share of group g, with its interval."""
        return quantiles(float(self.shares[g]), self.draws[:, g], level, (0.0, 1.0))


def quantiles(
    value: float, draws: np.ndarray, level: float = LEVEL, within: tuple[float, float] = (-1.0, 1.0)
) -> Estimate:
    """A number with the quantiles of its draws, clipped to its range and extended to include the number."""
    ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]).clip(*within)
    return Estimate(value, min(ends[0], value), max(ends[1], value))


def discrepancy(shares: Sequence[float] | np.ndarray) -> float:
    """Distance of the shares of k groups from equal ones: sqrt(sum (p - 1/k)^2); Choi et al. 2020.

    0 if all are equal, sqrt(1 - 1/k) if all examples belong to one group.

    >>> round(discrepancy([0.99, 0.01]), 3), round(discrepancy([1, 0]), 4)
    (0.693, 0.7071)
    """
    p = np.asarray(shares, float)
    return float(np.sqrt(np.square(p - 1 / len(p)).sum()))


def discrepancy_interval(shares: Sequence[Estimate]) -> Estimate:
    """`discrepancy` of shares with simultaneous intervals: its least and largest value within them."""
    k = len(shares)
    value = discrepancy([e.value for e in shares])
    away = [e - 1 / k for e in shares]
    least = np.sqrt(np.square([max(0.0, e.clearance) for e in away]).sum())
    largest = np.sqrt(np.square([e.ends for e in away]).max(axis=1).sum())
    return Estimate(value, min(least, value), max(min(largest, (1 - 1 / k) ** 0.5), value))
