"""The effect of an intervention by backdoor adjustment, and the dependence of columns given others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh

import numpy as np
import pandas as pd
from scipy.stats import t as student

from simulacra.audit.causes.outcome_models import Curves, Lines, Mean, Strata
from simulacra.audit.causes.overlap import OUTSIDE, comparable, outside
from simulacra.audit.shared.findings import LEVEL, Estimate, Verdict
from simulacra.audit.shared.phrasing import amount, join_words, out_of
from simulacra.audit.shared.rates import MINIMUM
from simulacra.audit.shared.source import LARGEST, MOST_GROUPS, NO, YES

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
    if (np.abs(values[finite]) > LARGEST).any():
        raise ValueError(f"column '{name}' holds numbers beyond {LARGEST:g}; use another unit")
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

    Numbers that x changes are compared for each unit of x, or for the two values of x. Shares are too where x
    has two values; where x is a number, they are compared with the share now, so that they stay shares.

    Attributes:
        n: rows used.
        dropped: rows left out because no comparable row has another x.
        beyond: share of the rows used without a comparable row with the value, whose part follows a line.
        observed: how much higher y is where x is higher by 1, or is the value.
        effect: how much higher y would be if x were set higher by 1, or to the value.
        gap: observed less effect.
        now: mean of y.
        done: mean of y if x were set to a value for everybody; of numbers why there is none, where a line for
            each unit of x is known, but the mean at the value lies outside the data.
        undone: for an x with two values, mean of y if x were set to the other one.
    """

    n: int
    dropped: int
    beyond: float
    observed: Estimate
    effect: Estimate
    gap: Estimate
    now: Estimate
    done: Estimate | NoEffect
    undone: Estimate | None


@dataclass(frozen=True)
class NoEffect:
    """That an effect cannot be computed, and why; `outside` where nobody could be compared with."""

    why: str
    outside: bool = True

    @property
    def verdict(self) -> Verdict:
        """Of a finding about the effect."""
        return "outside the data" if self.outside else "withheld"


def effect(x: Column, y: Column, given: Sequence[Column], value: float) -> Effect | NoEffect:
    """Backdoor adjustment: E[y | do(x)] = sum_z p(z) E[y | x, z] (Pearl 2009, eq. 3.19).

    Columns with few values divide the rows into groups. Without other columns, an x with two values is
    compared within each group (standardisation). Otherwise y depends on x linearly in each group, and on
    other columns linearly, with slopes that may depend on x; on the logit scale where y has two values
    (g-computation, Robins 1986), so that shares stay in [0, 1]. Rows of groups that do not reach the value of
    x, or in which x does not vary, are left out. Intervals are robust to any variance about the lines.

    Args:
        x: the column that is set; numbers, or two values.
        y: the column that may change; numbers, or two values.
        given: columns to adjust for.
        value: the value x is set to; 1 for an x with two values.

    Returns:
        `NoEffect` where the number would be extrapolated: fewer than half of the rows are left, x does not
        vary once the columns given are known, for more than `OUTSIDE` of the rows no row with the value is
        comparable, or a line leaves the range of y. Where both are numbers, the change for each unit remains.
    """
    known = join_words([c.name for c in given])
    cells, numbers = _groups(given, len(x.values))
    use = comparable(x.values, cells, value)
    n, dropped = int(use.sum()), int((~use).sum())
    if few := _too_few(x, np.ones_like(use)):
        return few
    if 2 * n < len(use):
        where = f"are in groups of {known} in which {x.name} does not vary, or does not reach the value"
        where = where if given else f"have the same {x.name}"
        return NoEffect(f"{dropped:,} of {len(use):,} rows {where}: nobody to compare with")
    if few := _too_few(x, use):
        return few
    cells, numbers = np.unique(cells[use], return_inverse=True)[1], numbers[use]
    xs, ys = x.values[use], y.values[use]
    beyond, good = outside(xs, [0.0, 1.0] if x.positive else [value], cells, numbers)
    why = ""
    if beyond > OUTSIDE:
        why = f"for {out_of(beyond)} rows, no row with {'another ' * bool(x.positive)}{x.name}"
        why += f"{'' if x.positive else f' near {amount(value)}'} has a comparable {known}"
        if len(good) and not x.positive:
            why += f"; values from {amount(good.min())} to {amount(good.max())} are inside"
    if why and (x.positive or y.positive):
        return NoEffect(why)
    # to mean 0 and variance 1, for the arithmetic
    centre, scale = (0.0, 1.0) if x.positive else (float(xs.mean()), float(xs.std()))
    xs, at = (xs - centre) / scale, (value - centre) / scale
    model = _model(x, y, xs, ys, cells, numbers)
    plain = _model(x, y, xs, ys, np.zeros(n, dtype=int), np.empty((n, 0)))
    if model is None or plain is None:
        return NoEffect(f"{x.name} hardly varies once {known} is known: nobody to compare with")
    now = Mean(float(ys.mean()), ys - ys.mean(), float(ys.mean()) if y.positive else None)
    done = model.mean(at)
    undone = model.mean(0.0) if x.positive else None
    if not y.positive and not all(ys.min() <= m.value <= ys.max() for m in (done, undone) if m is not None):
        why = why or f"along a straight line {y.name} would leave the range that it has in the data"
        if x.positive:
            return NoEffect(why)
    if undone is not None:
        changed, seen = done - undone, plain.mean(1.0) - plain.mean(0.0)
    elif y.positive:
        changed, seen = done - now, plain.mean(at) - now
    else:
        assert isinstance(model, Lines) and isinstance(plain, Lines)  # noqa: PT018  # for the type checker
        changed, seen = model.slope() * (1 / scale), plain.slope() * (1 / scale)
    return Effect(
        n,
        dropped,
        beyond,
        seen.estimate(plain.K),
        changed.estimate(model.K),
        (seen - changed).estimate(model.K),
        now.estimate(1),
        NoEffect(why) if why else done.estimate(model.K),
        None if undone is None else undone.estimate(model.K),
    )


def _too_few(x: Column, use: np.ndarray) -> NoEffect | None:
    """That too few rows, or rows with one of two values of x, are used."""
    n = min(int((x.values[use] == k).sum()) for k in (0, 1)) if x.positive else int(use.sum())
    if n >= MINIMUM:
        return None
    which = f" with one of the values of {x.name}" if x.positive else ""
    return NoEffect(f"{n:,} rows{which}, {MINIMUM} are needed", outside=False)


def _model(
    x: Column, y: Column, xs: np.ndarray, ys: np.ndarray, cells: np.ndarray, numbers: np.ndarray
) -> Strata | Lines | None:
    """The model of y; None where x is determined by the other columns."""
    if x.positive and y.positive and not numbers.shape[1]:
        return Strata(xs, ys, cells)
    numbers = numbers - numbers.mean(axis=0)
    model = (Curves if y.positive else Lines)(xs, ys, cells, numbers)
    return model if model.solvable else None


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
