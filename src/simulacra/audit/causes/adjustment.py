"""The effect of an intervention by backdoor adjustment, and the dependence of columns given others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import t as student

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.source import MOST_GROUPS, NO, YES

# a column of numbers with at most so many different values is adjusted for as groups
FEW_VALUES = 10
# rows that crossed groups of several columns need on average; with fewer, the columns are adjusted for singly
ROWS_EACH = 20


@dataclass(frozen=True)
class Column:
    """A column of a table, as numbers.

    Attributes:
        name: of the column.
        values: float `(N,)`; for a column with two values 1 where it is `positive`; NaN for categories.
        positive: for a column with two values, the one that is counted; otherwise "".
        codes: group of each row, int `(N,)`, of a column with few values; None for many numbers.
        groups: names of the groups.
    """

    name: str
    values: np.ndarray
    positive: str = ""
    codes: np.ndarray | None = None
    groups: tuple[str, ...] = ()

    @property
    def categorical(self) -> bool:
        """Whether it holds more than two groups with names, which have no mean."""
        return bool(self.groups) and not self.positive and bool(np.isnan(self.values).any())

    @property
    def indicators(self) -> np.ndarray:
        """The numbers `(N, 1)`, or an indicator of each group but the last `(N, K - 1)`."""
        return _indicators(self) if self.categorical else self.values[:, None]


def _indicators(c: Column) -> np.ndarray:
    assert c.codes is not None
    return (c.codes[:, None] == np.arange(len(c.groups) - 1)).astype(float)


def column(cells: pd.Series, positive: str | None = None) -> Column:
    """Take a column of text cells, none of them missing, as two values, numbers or categories.

    Args:
        cells: `(N,)`; its name is the column's.
        positive: which of two values to count; the one that means yes, or else the rarer one, when not given.

    Raises:
        ValueError: it does not vary, or holds text with too many different values.
    """
    name, counts = str(cells.name), cells.value_counts()
    if len(counts) < 2:
        raise ValueError(f"column '{name}' holds '{counts.index[0]}' in every row; leave it out of the graph")
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    finite = np.isfinite(values)
    groups = tuple(sorted(counts.index, key=_order))
    codes = pd.Categorical(cells, groups).codes.astype(int)
    if len(groups) == 2:
        if positive is None:
            yes = [g for g in groups if g.casefold() in YES]
            means_yes = len(yes) == 1 and any(g.casefold() in NO for g in groups)
            positive = yes[0] if means_yes else min(groups[::-1], key=counts.get)
        return Column(name, (cells == positive).to_numpy(dtype=float), positive, codes, groups)
    if finite.all():
        few = len(groups) <= FEW_VALUES
        return Column(name, values, "", codes if few else None, groups if few else ())
    if len(groups) > MOST_GROUPS:
        odd = cells.to_numpy()[~finite][0]
        raise ValueError(
            f"column '{name}' holds more than {MOST_GROUPS} different values, and '{odd}' is not a number"
        )
    return Column(name, np.full(len(cells), np.nan), "", codes, groups)


def _order(cell: str) -> tuple[float, str]:
    try:
        return float(cell), cell
    except ValueError:
        return np.inf, cell


@dataclass(frozen=True)
class Effect:
    """An association, and what remains of it when x is set from outside.

    Attributes:
        n: rows used.
        dropped: rows left out because no comparable row has another x.
        observed: how much higher y is where x is higher by 1.
        effect: how much higher y would be if x were set higher by 1.
        gap: observed less effect.
        now: mean of y.
        done: mean of y if x were set to a value for everybody.
        undone: for an x with two values, mean of y if x were set to the other one.
    """

    n: int
    dropped: int
    observed: Estimate
    effect: Estimate
    gap: Estimate
    now: Estimate
    done: Estimate
    undone: Estimate | None


def effect(x: Column, y: Column, given: Sequence[Column], value: float) -> Effect | None:
    """Backdoor adjustment: E[y | do(x)] = sum_z p(z) E[y | x, z] (Pearl 2009, eq. 3.19).

    Columns with few values divide the rows into groups, each with its own line of y on x. y depends linearly
    on other columns, with slopes that may depend on x. Rows of groups in which x does not vary are left out.
    Intervals are robust to any variance about the lines.

    Args:
        x: the column that is set; numbers, or two values.
        y: the column that may change; numbers, or two values.
        given: columns to adjust for.
        value: the value x is set to; 1 for an x with two values.

    Returns:
        None where x does not vary once the columns given are known.
    """
    cells, numbers = _groups(given, len(x.values))
    # within a group, a line needs an x that varies
    by_cell = pd.Series(x.values).groupby(cells)
    use = (by_cell.transform("max") > by_cell.transform("min")).to_numpy()
    n = int(use.sum())
    cells, numbers = np.unique(cells[use], return_inverse=True)[1], numbers[use]
    if n < 3:
        return None
    xs, ys = x.values[use], y.values[use]
    one = (cells[:, None] == np.arange(cells.max() + 1)).astype(float)
    numbers = numbers - numbers.mean(axis=0)

    def design(at: np.ndarray) -> np.ndarray:
        return np.hstack([one, one * at[:, None], numbers, numbers * at[:, None]])

    slope = np.hstack([np.zeros_like(one), one, np.zeros_like(numbers), numbers])
    phi = design(xs)
    K = phi.shape[1]
    if n <= K + 1 or np.linalg.matrix_rank(phi) < K:
        return None
    observed, influence = _mean(sm.add_constant(xs), ys, np.tile([0.0, 1.0], (n, 1)))
    adjusted, adjusted_influence = _mean(phi, ys, slope)
    return Effect(
        n,
        len(use) - n,
        _estimate(observed, influence, 2),
        _estimate(adjusted, adjusted_influence, K),
        _estimate(observed - adjusted, influence - adjusted_influence, K),
        _estimate(ys.mean(), ys - ys.mean(), 1),
        _estimate(*_mean(phi, ys, design(np.full(n, value))), K),
        _estimate(*_mean(phi, ys, design(np.zeros(n))), K) if x.positive else None,
    )


def _mean(phi: np.ndarray, y: np.ndarray, c: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean over rows of c theta, with theta by least squares, and every row's influence on it `(N,)`."""
    fit = sm.OLS(y, phi).fit()
    each = c @ fit.params
    # influence of row i: mean(c)' (phi' phi / n)^-1 phi_i e_i + c_i' theta - mean
    weights = len(y) * fit.normalized_cov_params @ c.mean(axis=0)
    return float(each.mean()), phi @ weights * fit.resid + each - each.mean()


def _estimate(value: float, influence: np.ndarray, parameters: int) -> Estimate:
    """Student's interval, with the variance of the influence by n (van der Vaart 1998, 5.3)."""
    free = len(influence) - parameters
    # rounding is no effect
    value = 0.0 if abs(value) < 1e-12 * float(np.abs(influence).max()) else value
    half = float(student.ppf((1 + LEVEL) / 2, free)) * sqrt(float((influence**2).mean()) / free)
    return Estimate(value, value - half, value + half)


def _groups(given: Sequence[Column], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Crossed groups of the columns with few values, int `(N,)`, and standardised numbers `(N, K)`."""
    few = [c for c in given if c.codes is not None]
    many = [c.values[:, None] for c in given if c.codes is None]
    cells = np.zeros(n, dtype=int)
    for c in few:
        cells = np.unique(cells * len(c.groups) + c.codes, return_inverse=True)[1]
    if len(few) > 1 and n < ROWS_EACH * (int(cells.max()) + 1):
        many += [_indicators(c) for c in few]
        cells = np.zeros(n, dtype=int)
    numbers = np.hstack([np.empty((n, 0)), *many])
    return cells, (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-300)


def dependence(
    table: Mapping[str, Column], a: str, b: str, given: Sequence[str], level: float = LEVEL
) -> Estimate | None:
    """The partial correlation of two columns given others.

    What the columns given explain is removed from both as in `effect`: group by group, and along straight
    lines. The interval is robust to any variance (the generalised covariance measure, Shah and Peters 2020,
    with the correlation's own variance). For columns with groups it is that of the two groups most certainly
    dependent.

    Returns:
        None where nothing of one of the columns remains.
    """
    n = len(table[a].values)
    cells, numbers = _groups([table[name] for name in given], n)
    # nuisances: a mean for each group, a slope for each number
    free = n - int(cells.max()) - 1 - numbers.shape[1]
    left, right = (_residuals(table[name].indicators, cells, numbers) for name in (a, b))
    pairs = [(u, v) for u in left.T for v in right.T if min(u @ u, v @ v) > 1e-12 * n]
    if not pairs or free < 3:
        return None
    # Bonferroni over groups
    level = 1 - (1 - level) / len(pairs)
    return max((_correlation(u, v, free, level) for u, v in pairs), key=lambda e: (e.clearance, abs(e.value)))


def _residuals(y: np.ndarray, cells: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    y = y / np.maximum(y.std(axis=0), 1e-300)
    both = pd.DataFrame(np.hstack([y, numbers]))
    centred = (both - both.groupby(cells).transform("mean")).to_numpy()
    y, numbers = np.hsplit(centred, [y.shape[1]])
    return np.asarray(y - numbers @ np.linalg.lstsq(numbers, y, rcond=None)[0])


def _correlation(u: np.ndarray, v: np.ndarray, free: int, level: float) -> Estimate:
    u, v = u / sqrt(float((u**2).mean())), v / sqrt(float((v**2).mean()))
    rho = float(np.clip((u * v).mean(), -1, 1))
    # rounding is no dependence
    rho = 0.0 if abs(rho) < 1e-12 else rho
    if 1 - abs(rho) < 1e-9:
        return Estimate(rho, rho, rho)
    # influence of a row: u v - rho (u^2 + v^2) / 2; on Fisher's scale by 1 - rho^2
    influence = u * v - rho * (u**2 + v**2) / 2
    error = sqrt(float((influence**2).mean()) / free) / (1 - rho**2)
    half = float(student.ppf((1 + level) / 2, free)) * error
    return Estimate(rho, tanh(atanh(rho) - half), tanh(atanh(rho) + half))
