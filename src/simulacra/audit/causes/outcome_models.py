"""Models of what may change if x is set, and the means that they imply, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import expit
from scipy.stats import t as student

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.intervals import share_difference, wilson


@dataclass(frozen=True)
class Mean:
    """A mean over rows, and every row's influence on it `(N,)`.

    A share has the share that its variance belongs to, which is never 0 or 1; a difference of two shares has
    these two.
    """

    value: float
    influence: np.ndarray
    share: float | None = None
    of: tuple[Mean, Mean] | None = None

    def __mul__(self, factor: float) -> Mean:
        return Mean(factor * self.value, factor * self.influence)

    def __sub__(self, other: Mean) -> Mean:
        shares = self.share is not None and other.share is not None
        return Mean(
            self.value - other.value,
            self.influence - other.influence,
            of=(self, other) if shares else None,
        )

    def estimate(self, parameters: int) -> Estimate:
        """With its interval: of a mean Student's, with the variance of the influence by n (van der Vaart
        1998, 5.3); of a share Wilson's, for as many independent rows as have that variance."""
        variance = float((self.influence**2).mean())
        if self.share is not None:
            n = len(self.influence) * self.share * (1 - self.share) / max(variance, 1e-300)
            return wilson(self.value * n, n) if n > 0 else Estimate(self.value, 0.0, 1.0)
        if self.of is not None:
            first, second = self.of
            both = float((first.influence * second.influence).mean())
            each = float((first.influence**2).mean()) * float((second.influence**2).mean())
            rho = float(np.clip(both / sqrt(each), -1, 1)) if each > 0 else 0.0
            return share_difference(first.estimate(parameters), second.estimate(parameters), rho)
        free = max(len(self.influence) - parameters, 1)
        # rounding is no effect
        value = 0.0 if abs(self.value) < 1e-12 * float(np.abs(self.influence).max()) else self.value
        half = float(student.ppf((1 + LEVEL) / 2, free)) * sqrt(variance / free)
        return Estimate(value, value - half, value + half)


class Strata:
    """Shares of y among rows of each group with either of two values of x: standardisation.

    Args:
        x: 0 or 1, `(N,)`; every group has both.
        y: 0 or 1, `(N,)`.
        cells: group of each row, int `(N,)`.

    >>> x, y = np.array([0, 0, 0, 0, 1, 1, 1, 1.0]), np.array([0, 0, 0, 1, 0, 0, 1, 1.0])
    >>> Strata(x, y, np.zeros(8, dtype=int)).mean(1.0).value
    0.5
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, cells: np.ndarray) -> None:
        self.x, self.y, self.cells, self.K = x, y, cells, 2 * (int(cells.max()) + 1)

    def mean(self, at: float) -> Mean:
        """The share of y if all had this x."""
        cells, mine = self.cells, self.x == at
        n = np.bincount(cells[mine], minlength=self.K // 2)
        k = np.bincount(cells[mine], self.y[mine], self.K // 2)
        # where all rows agree the variance is not known to be 0: that of Jeffreys' estimate
        smooth = (k + 0.5) / (n + 1)
        each, sure = (k / n)[cells], smooth[cells]
        weight = np.bincount(cells)[cells] / n[cells]
        error = np.where(self.y > 0, 1, -1) * np.sqrt(sure * (1 - sure))
        influence = np.where(mine, weight * error, 0.0) + each - each.mean()
        return Mean(float(each.mean()), influence, float(sure.mean()))


class Lines:
    """Least squares of y on groups, x in each group, numbers, and numbers times x.

    Args:
        x: `(N,)`.
        y: `(N,)`.
        cells: group of each row, int `(N,)`.
        numbers: `(N, K)` of mean 0.

    >>> x = np.arange(10.0)
    >>> lines = Lines(x, 2 * x + 1, np.zeros(10, dtype=int), np.empty((10, 0)))
    >>> round(lines.slope().value, 6), round(lines.mean(3.0).value, 6)
    (2.0, 7.0)
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, cells: np.ndarray, numbers: np.ndarray) -> None:
        self.y, self.numbers = y, numbers
        self.one = (cells[:, None] == np.arange(cells.max() + 1)).astype(float)
        self.phi = self._design(x)
        self.K = self.phi.shape[1]
        self.q, self.r = np.linalg.qr(self.phi)
        size = np.abs(np.diag(self.r))
        self.solvable = len(y) > self.K + 1 and bool(size.min() > 1e-9 * size.max())
        if self.solvable:
            self._fit()

    def _design(self, x: np.ndarray) -> np.ndarray:
        one, numbers = self.one, self.numbers
        return np.hstack([one, one * x[:, None], numbers, numbers * x[:, None]])

    def _fit(self) -> None:
        self.theta = np.linalg.solve(self.r, self.q.T @ self.y)
        # HC2: a residual's variance is less by 1 - leverage (MacKinnon and White 1985)
        self.error = (self.y - self.phi @ self.theta) / np.sqrt(np.maximum(1 - (self.q**2).sum(1), 1e-6))

    def mean(self, at: float) -> Mean:
        """The mean of y if all had this x."""
        return self._mean(self._design(np.full(len(self.y), at)))

    def slope(self) -> Mean:
        """How much y changes on average for each unit of x."""
        return self._mean(self._design(np.ones(len(self.y))) - self._design(np.zeros(len(self.y))))

    def _mean(self, c: np.ndarray) -> Mean:
        each = c @ self.theta
        # influence of row i: mean(c)' (phi' phi / n)^-1 phi_i e_i + c_i' theta - mean
        weights = len(self.y) * self.q @ np.linalg.solve(self.r.T, c.mean(axis=0))
        return Mean(float(each.mean()), weights * self.error + each - each.mean())


class Curves(Lines):
    """The same on the logit scale, with Jeffreys' prior: finite where x separates y (Firth 1993)."""

    def _fit(self) -> None:
        self.theta = np.zeros(self.K)
        for _ in range(200):
            p = expit(self.phi @ self.theta)
            self.root = np.sqrt(np.maximum(p * (1 - p), 1e-12))
            self.q, self.r = np.linalg.qr(self.root[:, None] * self.phi)
            # score sum_i phi_i (y_i - p_i + h_i (1/2 - p_i)), with the leverages h
            score = self.y - p + (self.q**2).sum(1) * (0.5 - p)
            step = np.linalg.solve(self.r, self.q.T @ (score / self.root))
            largest = float(np.abs(step).max())
            self.theta = self.theta + step * min(1.0, 2 / max(largest, 1e-12))
            if largest < 1e-8:
                break

    def _mean(self, c: np.ndarray) -> Mean:
        each = expit(c @ self.theta)
        gradient = (each * (1 - each)) @ c / len(c)
        # as above, with the residual's standard deviation sqrt(p (1 - p)) in the place of its size
        weights = len(self.y) * self.q @ np.linalg.solve(self.r.T, gradient)
        influence = weights * np.where(self.y > 0, 1, -1) + each - each.mean()
        return Mean(float(each.mean()), influence, float(each.mean()))
