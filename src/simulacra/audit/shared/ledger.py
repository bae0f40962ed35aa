"""Who got which action under which outcome, and what it cost, from one reading of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulacra.audit.shared.calibration import Bins
from simulacra.audit.shared.costs import Costs
from simulacra.audit.shared.groups import Groups
from simulacra.audit.shared.rates import Mean, Rate
from simulacra.audit.shared.rows import Rows, Sums
from simulacra.audit.shared.source import Field, Source
from simulacra.errors import nearest

# factors on the costs under one outcome: the two of the findings, and those of the curve
FACTORS = (0.5, 2.0)
CURVE_FACTORS = tuple(float(x) for x in np.geomspace(0.1, 10, 41))
# by how much probabilities of a row may miss 1
ROUNDING = 1e-3


@dataclass(frozen=True)
class Ledger:
    """Decisions and what they cost.

    Attributes:
        costs: the matrix.
        labels: key of a grouping -> what sentences call it.
        rows: one for every combination of groups, `action` and `outcome` (-1 where it is not known) with
            `n` people, the sum of `cost` and of its `squares`, and of the probability of every outcome.
        known: whether the outcomes are known: costs are those that were paid, else those that are expected.
        changed: (outcome, factor) -> people who would get another action.
        taken: of two outcomes, people who would get each action if costs under the first were `CURVE_FACTORS`
            times as high, `(41, A)`.
        bins: of the score, of two outcomes that are known.
        scores: how many people have a probability of the first outcome in each hundredth, `(100,)`.
        minimum: people that a number of a group needs.
        rule: how actions are taken.
    """

    costs: Costs
    labels: dict[str, str]
    rows: Rows
    known: bool
    changed: dict[tuple[int, float], int]
    taken: np.ndarray
    bins: Bins | None
    scores: np.ndarray
    minimum: int
    rule: str = "by score"

    @property
    def n(self) -> int:
        """People."""
        return int(self.rows["n"].sum())

    def groups(self, key: str) -> list[str]:
        """The groups of a grouping, largest first."""
        n, of = self.rows["n"], self.rows[key]
        return sorted(map(str, dict.fromkeys(of)), key=lambda group: -int(n[of == group].sum()))

    def rate(self, group: str, of: Any, did: Any) -> Rate:
        """Of the rows that `of` chooses, the people of those that `did` chooses; both bool `(rows,)`."""
        n = self.rows["n"]
        return Rate(group, int(n[of & did].sum()), int(n[of].sum()))

    def mean(self, group: str, of: Any) -> Mean:
        """Cost for each person of the rows that `of` chooses."""
        rows = self.rows.where(of)
        return Mean(group, float(rows["cost"].sum()), float(rows["squares"].sum()), int(rows["n"].sum()))

    def always(self, action: int) -> Mean:
        """Cost for each person if all got one action."""
        rows = self.rows
        if self.known:
            cost, n = self.costs.matrix[action][rows["outcome"]], rows["n"]
            return Mean(f"{self.costs.actions[action]} for all", float(n @ cost), float(n @ cost**2), self.n)
        p = np.array([rows[f"p{k}"].sum() for k in range(len(self.costs.outcomes))])
        total = float(p @ self.costs.matrix[action])
        return Mean(f"{self.costs.actions[action]} for all", total, total**2 / self.n, self.n)


def read(
    source: Source, costs: Costs, scores: Sequence[str], y: str | None, group: str | None, minimum: int
) -> Ledger:
    """Read a table and decide for everybody in it.

    Args:
        source: the table.
        costs: of every action.
        scores: columns with the probabilities of the outcomes, or of the first of two.
        y: what turned out; of two outcomes a condition that the first holds, else a column of their names.
        group: columns of groups with commas between them.
        minimum: people that a number of a group needs.

    Raises:
        DataError: a column or a cell cannot be used.
    """
    K, A = len(costs.outcomes), len(costs.actions)
    groups = Groups(source, group)
    fields = {f"p{k}": source.probability(name) for k, name in enumerate(scores)} | groups.fields
    if y is not None:
        fields["y"] = source.condition(y) if K == 2 else source.group(y)
    bins = Bins(groups.labels) if y is not None and K == 2 else None
    what_if = {(k, f): costs.scaled(k, f) for k in range(K if K > 2 else 1) for f in FACTORS}
    drawn = [costs.scaled(0, f) for f in CURVE_FACTORS] if K == 2 else []
    changed, taken = dict.fromkeys(what_if, 0), np.zeros((len(drawn), A), dtype=int)
    hundredths = np.zeros(100, dtype=int)
    names = [f"p{k}" for k in range(K)]
    sums = Sums([*groups.labels, "action", "outcome"], ["cost", "squares", *names])
    for part in source.read(fields):
        if not len(part):
            continue
        part = groups.crossed(part)
        p = _probabilities(source, part, len(scores))
        action = costs.best(p)
        outcome = np.full(len(part), -1)
        if y is not None:
            outcome = np.where(part["y"], 0, 1) if K == 2 else _outcomes(source, fields["y"], part, costs)
        paid = costs.expected(p)[np.arange(len(p)), action] if y is None else costs.matrix[action, outcome]
        part["action"], part["outcome"], part["cost"], part["squares"] = action, outcome, paid, paid**2
        # by outcome, also where one of two was given
        part.columns.update(zip(names, p.T, strict=True))
        sums.add(part)
        for key, other in what_if.items():
            changed[key] += int((other.best(p) != action).sum())
        for i, other in enumerate(drawn):
            taken[i] += np.bincount(other.best(p), minlength=A)
        hundredths += np.bincount(np.minimum((p[:, 0] * 100).astype(int), 99), minlength=100)
        if bins is not None:
            bins.add(part, p[:, 0], outcome == 0)
    return Ledger(costs, groups.labels, sums.rows(), y is not None, changed, taken, bins, hundredths, minimum)


def _probabilities(source: Source, part: Rows, columns: int) -> np.ndarray:
    p = np.stack([part[f"p{k}"] for k in range(columns)], axis=1)
    if columns == 1:
        return np.concatenate([p, 1 - p], axis=1)
    total = p.sum(axis=1)
    if (off := np.abs(total - 1) > ROUNDING).any():
        i = int(off.argmax())
        raise source.error(f"row {part.index[i]}: the scores add up to {total[i]:.4g}, not to 1")
    return p


def _outcomes(source: Source, field: Field, part: Rows, costs: Costs) -> np.ndarray:
    place = {name: k for k, name in enumerate(costs.outcomes)}
    if lost := sorted(set(part["y"]) - set(place)):
        raise source.error(
            f"column '{field.column}' holds '{lost[0]}', for which there are no costs, "
            f"{nearest(lost[0], place)}"
        )
    return np.array([place[name] for name in part["y"]])
