"""Shares of groups behind what a classifier reads, corrected for the classifier's own errors.

Of examples with shares p of G groups a classifier that reads group g as class k with probability M[g, k]
reads the shares q = p M. Both are counted: reads n_k of the samples, and confusions c_gk of held-out examples
whose groups are known. From these

    p = arg max over the simplex of  sum_k n_k log (p M)_k,    M[g, k] = c_gk / sum_k c_gk

by expectation maximisation (Saerens, Latinne and Decaestecker 2002, of hard readings; with two groups it is
the estimate of Rogan and Gladen 1978, the "adjusted count" of Forman 2008, kept within [0, 1]; for
generators Teo, Abdollahzadeh and Cheung 2023). Counts of readings are used, not the classifier's
probabilities, because these would have to be calibrated on samples, which have no labels.

Intervals hold both sampling errors, of the reads and of the confusions: q and every row of M are drawn from
their posteriors Dirichlet(counts + 1/K), of two classes those of Jeffreys, p is solved for in every draw
without the constraint, and the quantiles are cut to [0, 1]. A bootstrap would take what never happened in the
counts (a class never read, an error never made) for impossible; the delta method goes below 0; draws that are
held on the simplex lean inwards at its edges, where groups that are hardly generated are. Cutting the
quantiles of unconstrained draws does neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulacra.audit.shared.findings import LEVEL, Estimate

DRAWS = 10_000
# of the expectation maximisation: it ends when no share moves by more
STILL, MOST_STEPS = 1e-10, 20_000
# singular values of confusions below this share of the largest: two groups are read alike
ALIKE = 1e-9


@dataclass(frozen=True)
class Unmixed:
    """Shares of G groups behind readings of K classes.

    Attributes:
        confusions: held-out examples of each group by what they are read as, `(G, K)`; every group has some.
        reads: samples by what they are read as, `(K,)`.
        seed: of the draws. Of the same confusions and seed, M is drawn alike whatever was read.
        stream: of the draws of q; of other samples another one.

    >>> of = Unmixed(np.array([[950, 50], [10, 190]]), np.array([1720, 280]))
    >>> of.shares.round(3), [round(end, 3) for end in of.estimate(1).ends]
    (array([0.9, 0.1]), [0.077, 0.122])
    """

    confusions: np.ndarray
    reads: np.ndarray
    seed: int = 0
    stream: int = 1

    @cached_property
    def shares(self) -> np.ndarray:
        """The likeliest shares `(G,)`."""
        M = self.confusions / self.confusions.sum(axis=1, keepdims=True)
        q = self.reads / self.reads.sum()
        p = np.full(len(M), 1 / len(M))
        for _ in range(MOST_STEPS):
            mixed = p @ M
            # p_g <- p_g sum_k q_k M_gk / (p M)_k
            new = p * (M @ np.divide(q, mixed, out=np.zeros_like(q), where=mixed > 0))
            # reads that no group explains leave less than 1
            new /= new.sum()
            if np.abs(new - p).max() < STILL:
                break
            p = new
        return new

    @cached_property
    def draws(self) -> np.ndarray:
        """Shares of the posterior, each row adding up to 1 but not held within [0, 1]; `(DRAWS, G)`."""
        rng = np.random.default_rng([self.seed, 0])
        G, K = self.confusions.shape
        M = np.stack([rng.dirichlet(row + 1 / K, DRAWS) for row in self.confusions], axis=1)  # (D, G, K)
        q = np.random.default_rng([self.seed, self.stream]).dirichlet(self.reads + 1 / K, DRAWS)
        if G < K:
            # the least squares weighted by 1 / q: fewer groups than classes
            weighted = M / q.mean(axis=0)
            M, q = weighted @ M.transpose(0, 2, 1), np.einsum("dgk,dk->dg", weighted, q)
        # p M = q, as M' p' = q'
        p = _solve(M.transpose(0, 2, 1), q)
        p /= p.sum(axis=1, keepdims=True)
        return p

    @property
    def told_apart(self) -> bool:
        """Whether the groups are read differently at all."""
        M = self.confusions / self.confusions.sum(axis=1, keepdims=True)
        values = np.linalg.svd(M, compute_uv=False)
        return bool(values[-1] > ALIKE * values[0])

    def estimate(self, g: int, level: float = LEVEL) -> Estimate:
        """The share of group g, with its interval."""
        return quantiles(float(self.shares[g]), self.draws[:, g], level, (0.0, 1.0))


def quantiles(
    value: float, draws: np.ndarray, level: float = LEVEL, within: tuple[float, float] = (-1.0, 1.0)
) -> Estimate:
    """A number and the quantiles of draws of it, cut to where it can lie; the number is inside."""
    ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]).clip(*within)
    return Estimate(value, min(ends[0], value), max(ends[1], value))


def discrepancy(shares: Sequence[float] | np.ndarray) -> float:
    """How far shares of k groups are from even ones: sqrt(sum (p - 1/k)^2); Choi et al. 2020.

    0 where all are alike, sqrt(1 - 1/k) where all examples are of one group.

    >>> round(discrepancy([0.99, 0.01]), 3), round(discrepancy([1, 0]), 4)
    (0.693, 0.7071)
    """
    p = np.asarray(shares, float)
    return float(np.sqrt(np.square(p - 1 / len(p)).sum()))


def apart(shares: Sequence[Estimate]) -> Estimate:
    """`discrepancy` of shares with intervals that hold at once: the least and the largest within them."""
    k = len(shares)
    ends = np.array([e.ends for e in shares]) - 1 / k
    least = np.maximum(0, np.maximum(ends[:, 0], -ends[:, 1]))
    largest = min(float(np.sqrt(np.square(ends).max(axis=1).sum())), (1 - 1 / k) ** 0.5)
    value = discrepancy([e.value for e in shares])
    return Estimate(value, min(float(np.sqrt(np.square(least).sum())), value), max(largest, value))


def _solve(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x of A x = b in every draw; draws that cannot be solved take the least squares."""
    try:
        x: np.ndarray = np.linalg.solve(A, b[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        x = np.einsum("dij,dj->di", np.linalg.pinv(A), b)
    return x
