"""How far predictions lean further than the data a model was trained on: the numbers.

The two tables are those of Zhao et al. 2017: rows with an object (what is said of somebody) and a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.intervals import combined, newcombe, paired
from simulacra.audit.shared.phrasing import some
from simulacra.audit.shared.rates import counted
from simulacra.audit.shared.source import Field, Group, Source
from simulacra.errors import nearest

# more different objects, and they are no objects
MOST_OBJECTS = 2000
Key = Literal["object", "group"]
OBJECT: Key = "object"
GROUP: Key = "group"


@dataclass(frozen=True)
class Tables:
    """What two tables hold, counted.

    Attributes:
        train: `object`, `group`, and how often (`n`) they occur together.
        preds: the same of the predictions, with `true object` and `true group` where they are known.
        groups: of the training data, most common first.
        names: `object` and `group` -> what sentences call them.
        predicted: which of the two were predicted.
    """

    train: pd.DataFrame
    preds: pd.DataFrame
    groups: tuple[str, ...]
    names: dict[Key, str]
    predicted: frozenset[Key]

    @property
    def n(self) -> int:
        """Rows of predictions."""
        return int(self.preds["n"].sum())

    def known(self, key: Key) -> bool:
        """Whether the truth stands beside the predictions."""
        return f"true {key}" in self.preds


def read(train: Source, preds: Source, columns: dict[Key, str], true: dict[Key, str | None]) -> Tables:
    """Count two tables.

    Args:
        train: what the model was trained on.
        preds: what it said.
        columns: of objects and groups, called alike in both tables.
        true: columns of `preds` that hold what objects and groups really were; None where nobody knows. The
            same column as in `columns`: it was not predicted.

    Raises:
        DataError: a column or a cell cannot be used, or the tables have nothing in common.
    """
    seen = counted(train.parts(_fields(train, columns)), list(columns)).rename("n").reset_index()
    told = {f"true {key}": name for key, name in true.items() if name is not None}
    said = counted(preds.parts(_fields(preds, {**columns, **told})), [*columns, *told])
    said = said.rename("n").reset_index()
    groups = _common(seen, GROUP)
    if len(groups) < 2:
        raise train.error(f"column '{columns[GROUP]}' holds one group only, '{groups[0]}'")
    for key, column in ((GROUP, columns[GROUP]), (f"true {GROUP}", true[GROUP])):
        if key in said and (lost := sorted(set(said[key]) - set(groups))):
            raise preds.error(
                f"column '{column}' holds '{lost[0]}', a group that {train.title} does not have, "
                f"{nearest(lost[0], groups)}; leave the cell empty where no group was predicted"
            )
    if not set(seen[OBJECT]) & set(said[OBJECT]):
        names = some(sorted(set(seen[OBJECT])), 5)
        raise preds.error(f"column '{columns[OBJECT]}' holds no object of {train.title} ({names})")
    if f"true {OBJECT}" in said and not set(seen[OBJECT]) & set(said[f"true {OBJECT}"]):
        names = some(sorted(set(seen[OBJECT])), 5)
        raise preds.error(f"column '{true[OBJECT]}' holds no object of {train.title} ({names})")
    predicted = frozenset(key for key in columns if true[key] is None or true[key] != columns[key])
    return Tables(seen, said, tuple(groups), columns, predicted)


def _fields(source: Source, columns: Mapping[Any, str]) -> dict[str, Field]:
    return {
        key: Group(source.column(name), MOST_OBJECTS) if key.endswith(OBJECT) else source.group(name)
        for key, name in columns.items()
    }


def _common(counts: pd.DataFrame, key: str) -> list[str]:
    """The values of a column, most common first."""
    sizes = counts.groupby(key)["n"].sum().sort_values(ascending=False, kind="stable")
    return [str(name) for name in sizes.index]


@dataclass(frozen=True)
class Leanings:
    """Counts c(o, g) of objects (rows) and groups (columns) in training and predictions, `(O, G)` each.

    >>> both = Leanings(("cook",), ("f", "m"), np.array([[67, 33]]), np.array([[84, 16]]))
    >>> both.bias().tolist(), round(both.amplification().value, 2), both.amplified()
    ([[0.67, 0.33]], 0.17, 1)
    """

    objects: tuple[str, ...]
    groups: tuple[str, ...]
    train: np.ndarray
    pred: np.ndarray

    def bias(self, predicted: bool = False) -> np.ndarray:
        """b(o, g) = c(o, g) / sum_g' c(o, g'), `(O, G)`; Zhao et al. 2017, section 3."""
        counts = self.pred if predicted else self.train
        return counts / counts.sum(axis=1, keepdims=True)

    @property
    def leans(self) -> np.ndarray:
        """Whether b*(o, g) > 1 / |G| in training, `(O, G)`; counts are whole, so that a tie is a tie."""
        return self.train * len(self.groups) > self.train.sum(axis=1, keepdims=True)

    def further(self, o: int, groups: np.ndarray, level: float = LEVEL) -> Estimate:
        """b~ - b* of an object with some of the groups, bool `(G,)`; Newcombe's interval."""
        k, k_train = self.pred[o][groups].sum(), self.train[o][groups].sum()
        return newcombe(int(k), int(self.pred[o].sum()), int(k_train), int(self.train[o].sum()), level)

    def amplification(self, toward: int | None = None) -> Estimate:
        """Mean amplification over all objects, or over those that lean towards one group.

        1 / |O| sum_g sum_{o: b*(o, g) > 1 / |G|} b~(o, g) - b*(o, g); an object that does not lean adds
        nothing, and counts in |O| (Zhao et al. 2017, section 3). All groups that one object leans towards
        are counted as one share, so that objects are independent of each other.

        Raises:
            ValueError: no object leans towards the group.
        """
        leans = self.leans if toward is None else self.leans & (np.arange(len(self.groups)) == toward)
        rows = np.flatnonzero(leans.any(axis=1))
        size = len(self.objects) if toward is None else len(rows)
        if size == 0:
            raise ValueError("no object leans that way")
        return combined([(1 / size, self.further(int(o), leans[o])) for o in rows])

    def amplified(self, toward: int | None = None) -> int:
        """How many objects lean further in the predictions, of all or of those that lean towards a group."""
        leans = self.leans if toward is None else self.leans & (np.arange(len(self.groups)) == toward)
        # shares compared without dividing: k~ n* > k* n~
        said, seen = (self.pred * leans).sum(axis=1), (self.train * leans).sum(axis=1)
        return int((said * self.train.sum(axis=1) > seen * self.pred.sum(axis=1)).sum())

    def violations(self, margin: float) -> np.ndarray:
        """Whether |b~(o, g) - b*(o, g)| is above the margin for any group, bool `(O,)`."""
        # compared as it is: of the 107 verbs that Zhao et al. count, one lies on the margin, and rounds above
        return np.asarray(np.abs(self.bias(True) - self.bias()).max(axis=1) > margin)


def leanings(tables: Tables, minimum: int) -> tuple[Leanings, list[str]]:
    """The objects with at least `minimum` rows in both tables, and what the others are called."""
    train, pred = (
        frame.pivot_table(index=OBJECT, columns=GROUP, values="n", aggfunc="sum", fill_value=0)
        for frame in (tables.train, tables.preds)
    )
    train = train.reindex(columns=tables.groups)
    pred = pred.reindex(index=train.index, columns=tables.groups, fill_value=0)
    # those with most rows in training first
    train = train.loc[_common(tables.train, OBJECT)]
    pred = pred.loc[train.index]
    kept = (train.sum(axis=1) >= minimum) & (pred.sum(axis=1) >= minimum)
    small = [
        f"{name} ({int(train.loc[name].sum()):,} and {int(pred.loc[name].sum()):,})"
        for name in train.index[~kept]
    ]
    names = tuple(str(name) for name in train.index[kept])
    counts = [table[kept].to_numpy().astype(np.int64) for table in (train, pred)]
    return Leanings(names, tables.groups, counts[0], counts[1]), small


@dataclass(frozen=True)
class Direction:
    """Directional amplification, from one thing that is known to another that is predicted.

    Attributes:
        total: BiasAmp; None where nothing is large enough.
        parts: what is known, rows, and what it adds to the mean; None where it is too small.
        lifted: what is known -> the options that are more common with it than overall.
    """

    total: Estimate | None
    parts: list[tuple[str, int, Estimate | None]]
    lifted: dict[str, list[str]]


def direction(tables: Tables, given: Key, minimum: int) -> Direction:
    """A -> T (`given` the group) or T -> A (`given` the object); Wang and Russakovsky 2021, section 4.

    BiasAmp = 1 / (|A| |T|) sum_{a, t} y_at D_at + (1 - y_at) (-D_at), with y_at = 1 where a and t occur
    together in training more often than by chance, P(a, t) > P(a) P(t). A -> T: D_at = P(t^ | a) - P(t | a);
    T -> A: D_at = P(a^ | t) - P(a | t). Shares of one condition add up to 1, so that its sum is twice the
    difference of P(t in S), S the options with y = 1. The truth is that of the same rows where it is known,
    else training's; what is known is taken from the predictions' table where no truth is given.

    Args:
        tables: counts.
        given: what is known.
        minimum: rows that a condition needs in both tables.
    """
    option: Key = OBJECT if given == GROUP else GROUP
    # c(given, option) of training
    seen = tables.train.pivot_table(index=given, columns=option, values="n", aggfunc="sum", fill_value=0)
    c = seen.to_numpy().astype(np.int64)
    lifted = c * c.sum() > c.sum(axis=1, keepdims=True) * c.sum(axis=0, keepdims=True)
    preds, truth = tables.preds, f"true {option}" if tables.known(option) else None
    condition = f"true {given}" if tables.known(given) else given
    options = set(seen.columns) | set(preds[option]) | (set(preds[truth]) if truth else set())
    parts: list[tuple[str, int, Estimate | None]] = []
    names: dict[str, list[str]] = {}
    for row, name in enumerate(seen.index):
        inside = [str(one) for one in seen.columns[lifted[row]]]
        here = preds[preds[condition] == name]
        n, n_train, count = int(here["n"].sum()), int(c[row].sum()), here["n"].to_numpy()
        said = here[option].isin(inside).to_numpy()
        d = None
        if min(n, n if truth else n_train) >= minimum:
            if truth:
                was = here[truth].isin(inside).to_numpy()
                both, k, k_true = (int(count[mask].sum()) for mask in (said & was, said, was))
                d = paired(both, k, k_true, n)
            else:
                d = newcombe(int(count[said].sum()), n, int(c[row][lifted[row]].sum()), n_train)
        parts.append((str(name), n, d))
        names[str(name)] = inside
    kept = [(name, n, d) for name, n, d in parts if d is not None]
    # 1 / |T| sum_t (2 y - 1) D = 2 / |T| (P(t^ in S) - P(t in S))
    each = {name: combined([(2 / len(options), d)]) for name, _, d in kept}
    total = combined([(1 / len(kept), e) for e in each.values()]) if kept else None
    return Direction(total, [(name, n, each.get(name)) for name, n, _ in parts], names)


def priors(tables: Tables, level: float = LEVEL) -> list[tuple[str, int, Estimate]]:
    """B_o = P(said o) - P(o): how much more often each object is said than it occurs, and how often it is.

    Of one object against all others this is B(h) = E[h(x) - y] (Leino et al. 2019, definition 1). What
    occurs is the truth of the same rows, where it is known, else training.
    """
    preds, said = tables.preds, tables.preds.groupby(OBJECT)["n"].sum()
    n, found = tables.n, []
    truth = f"true {OBJECT}"
    real = preds.groupby(truth)["n"].sum() if truth in preds else tables.train.groupby(OBJECT)["n"].sum()
    for name in sorted({*said.index, *real.index}):
        k, was = int(said.get(name, 0)), int(real.get(name, 0))
        if truth in preds:
            both = int(preds["n"][(preds[OBJECT] == name) & (preds[truth] == name)].sum())
            e = paired(both, k, was, n, level)
        else:
            e = newcombe(k, n, was, int(real.sum()), level)
        found.append((str(name), was, e))
    return sorted(found, key=lambda one: -one[1])


def widest(found: Sequence[tuple[str, int, Estimate]]) -> tuple[str, int, Estimate]:
    """The row whose number is most surely above 0: that with the highest lower end."""
    return max(found, key=lambda one: (one[2].ends[0], one[2].value))
