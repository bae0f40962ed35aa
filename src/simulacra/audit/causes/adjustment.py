"""What an intervention would do, from a table and the columns to adjust for; and whether columns depend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
import pandas as pd
from scipy.stats import t as student

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.source import MOST_GROUPS, NO, YES

# numbers with no more different values are groups to adjust for, one by one
FEW_VALUES = 10
# rows that groups of several columns crossed need on average; with fewer, their shares are added up
ROWS_EACH = 20


@dataclass(frozen=True)
class Column:
    """A column of a table, as numbers.

    Attributes:
        name: of the column.
        values: float `(N,)`; of a column with two values 1 where it is `one`.
        one: of a column with two values the one that is counted; "" where it holds numbers, or more groups.
        codes: groups, int `(N,)`, where it has few values; None where it holds many numbers.
        groups: their names.
    """

    name: str
    values: np.ndarray
    one: str = ""
    codes: np.ndarray | None = None
    groups: tuple[str, ...] = ()

    @property
    def text(self) -> bool:
        """It holds more than two groups with names: nothing that has a mean."""
        return bool(self.groups) and not self.one and np.isnan(self.values).any()

    @property
    def indicators(self) -> np.ndarray:
        """`(N, K)`: the numbers, or of groups with names one column for each but the last."""
        if not self.text:
            return self.values[:, None]
        assert self.codes is not None
        return (self.codes[:, None] == np.arange(len(self.groups) - 1)).astype(float)


def column(cells: pd.Series, one: str | None = None) -> Column:
    """Take a column of text cells, none of them missing, for what it is.

    Args:
        cells: `(N,)`; its name is the column's.
        one: of two values the one to count; that which says yes, or the rarer one, when not given.

    Raises:
        ValueError: it does not vary, or holds text with too many different values.
    """
    name, counts = str(cells.name), cells.value_counts()
    if len(counts) < 2:
        raise ValueError(f"column '{name}' holds '{counts.index[0]}' in every row; leave it out of the graph")
    groups = tuple(sorted(counts.index, key=_order))
    codes = pd.Categorical(cells, groups).codes.astype(int)
    if len(groups) == 2:
        if one is None:
            says = [g for g in groups if g.casefold() in YES]
            one = (
                says[0]
                if says and _other(groups, says[0]).casefold() in NO
                else min(groups[::-1], key=counts.get)
            )
        return Column(name, (cells == one).to_numpy(dtype=float), one, codes, groups)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    finite = np.isfinite(values)
    if finite.all():
        few = len(groups) <= FEW_VALUES
        return Column(name, values, "", codes if few else None, groups if few else ())
    if len(groups) > MOST_GROUPS:
        odd = cells.to_numpy()[~finite][0]
        raise ValueError(
            f"column '{name}' holds more than {MOST_GROUPS} different values, and '{odd}' is no number"
        )
    return Column(name, np.full(len(cells), np.nan), "", codes, groups)


def _order(cell: str) -> tuple[float, str]:
    try:
        return float(cell), cell
    except ValueError:
        return np.inf, cell


def _other(two: Sequence[str], one: str) -> str:
    return two[1] if two[0] == one else two[0]


@dataclass(frozen=True)
class Effect:
    """An association, and what is left of it when x is set from outside.

    Attributes:
        n: rows it rests on.
        dropped: rows without anybody like them under another x.
        observed: how much higher y is where x is higher by 1.
        effect: how much higher y would be if x were set higher by 1.
        gap: observed less effect.
        now: mean of y.
        done: mean of y if x were set to a value for everybody.
        undone: of an x with two values, the mean of y if it were set to the other one.
    """

    n: int
    dropped: int
    observed: Estimate
    effect: Estimate
    gap: Estimate
    now: Estimate
    done: Estimate
    undone: Estimate | None


@dataclass(frozen=True)
class _Told:
    """An estimate with the influence of every row on it, `(N,)`."""

    value: float
    influence: np.ndarray

    def __sub__(self, other: _Told) -> _Told:
        return _Told(self.value - other.value, self.influence - other.influence)

    def estimate(self, parameters: int, level: float = LEVEL) -> Estimate:
        n = len(self.influence)
        free = n - parameters
        # rounding is no effect
        value = 0.0 if abs(self.value) < 1e-12 * float(np.abs(self.influence).max()) else self.value
        # the variance of an estimate is that of its influence function by n (van der Vaart 1998, 5.3)
        half = float(student.ppf((1 + level) / 2, free)) * sqrt(float((self.influence**2).mean()) / free)
        return Estimate(value, value - half, value + half)


def effect(x: Column, y: Column, given: Sequence[Column], value: float) -> Effect | None:
    """Backdoor adjustment: E[y | do(x)] = sum_z p(z) E[y | x, z] (Pearl 2009, eq. 3.19).

    Columns with few values cut the rows into groups, in each of which y has a line in x of its own. Of other
    columns y depends along straight lines, whose slopes may depend on x. Rows of groups in which x does not
    vary are left out. Intervals allow for any spread of y about the lines.

    Args:
        x: what is set; numbers, or two values.
        y: what may change; numbers, or two values.
        given: columns to adjust for.
        value: to which x is set; of an x with two values 1.

    Returns:
        None where x and the columns given cannot be told apart.
    """
    cells, numbers = _groups(given, len(x.values))
    # within a group, a line needs an x that varies
    spread = pd.Series(x.values).groupby(cells).transform(lambda part: part.max() - part.min()).to_numpy()
    use = spread > 0
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
    if n <= phi.shape[1] + 1 or np.linalg.matrix_rank(phi) < phi.shape[1]:
        return None
    line = np.stack([np.ones(n), xs], axis=1)
    seen = _mean(line, ys, np.tile([0.0, 1.0], (n, 1)))
    did = _mean(phi, ys, slope)
    done = _mean(phi, ys, design(np.full(n, value)))
    undone = _mean(phi, ys, design(np.zeros(n))) if x.one else None
    K = phi.shape[1]
    return Effect(
        n,
        len(use) - n,
        seen.estimate(2),
        did.estimate(K),
        (seen - did).estimate(K),
        _Told(float(ys.mean()), ys - ys.mean()).estimate(1),
        done.estimate(K),
        None if undone is None else undone.estimate(K),
    )


def _mean(phi: np.ndarray, y: np.ndarray, c: np.ndarray) -> _Told:
    """The mean over rows of c theta, with theta of least squares; all `(N, K)` but y `(N,)`."""
    theta = np.linalg.lstsq(phi, y, rcond=None)[0]
    value = float((c @ theta).mean())
    # influence of row i: mean(c)' (phi' phi / n)^-1 phi_i e_i + c_i' theta - mean
    weights = np.linalg.lstsq(phi.T @ phi / len(y), c.mean(axis=0), rcond=None)[0]
    return _Told(value, phi @ weights * (y - phi @ theta) + c @ theta - value)


def _groups(given: Sequence[Column], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups of all columns with few values crossed, int `(N,)`, and the numbers `(N, K)`, at scale 1."""
    few = [c for c in given if c.codes is not None]
    many = [c.values for c in given if c.codes is None]
    cells = np.zeros(n, dtype=int)
    for c in few:
        assert c.codes is not None
        cells = np.unique(cells * len(c.groups) + c.codes, return_inverse=True)[1]
    if len(few) > 1 and n < ROWS_EACH * (int(cells.max()) + 1):
        many += [i for c in few for i in _shares(c)]
        cells = np.zeros(n, dtype=int)
    numbers = np.array(many).reshape(len(many), n).T
    return cells, (numbers - numbers.mean(axis=0)) / np.maximum(numbers.std(axis=0), 1e-300)


def _shares(c: Column) -> list[np.ndarray]:
    assert c.codes is not None
    return [(c.codes == k).astype(float) for k in range(len(c.groups) - 1)]


def dependence(
    table: Mapping[str, Column], a: str, b: str, given: Sequence[str], level: float = LEVEL
) -> Estimate | None:
    """How two columns go together once others are known: the correlation of what is left of both.

    What the columns given explain is taken out of both as in `effect`: group by group, and along straight
    lines. The interval allows for any spread (the generalised covariance measure, Shah and Peters 2020,
    with the correlation's own variance). Of columns with groups, the two that go together most surely.

    Returns:
        None where the columns given leave nothing of one of them.
    """
    cells, numbers = _groups([table[name] for name in given], len(table[a].values))
    # nuisances: a mean for each group, a slope for each number
    K = int(cells.max()) + 1 + numbers.shape[1]
    left, right = (_residuals(table[name].indicators, cells, numbers) for name in (a, b))
    n = len(cells)
    pairs = [(u, v) for u in left.T for v in right.T]
    kept = [(u, v) for u, v in pairs if min(u @ u, v @ v) > 1e-12 * n]
    if not kept or n - K < 3:
        return None
    # Bonferroni over groups
    level = 1 - (1 - level) / len(kept)
    estimates = [_correlation(u, v, n - K, level) for u, v in kept]
    return max(estimates, key=lambda e: (max(e.ends[0], -e.ends[1]), abs(e.value)))


def _residuals(y: np.ndarray, cells: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    y, numbers = (
        pd.DataFrame(part).groupby(cells).transform(lambda c: c - c.mean()).to_numpy(dtype=float)
        if part.shape[1]
        else part
        for part in (y / np.maximum(y.std(axis=0), 1e-300), numbers)
    )
    if not numbers.shape[1]:
        return y
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
    half = (
        float(student.ppf((1 + level) / 2, free)) * sqrt(float((influence**2).mean()) / free) / (1 - rho**2)
    )
    return Estimate(rho, tanh(atanh(rho) - half), tanh(atanh(rho) + half))
