"""What each action costs under each outcome, and which action costs least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulacra.audit.shared.documents import read_yaml
from simulacra.errors import nearest

EXAMPLE = "actions: {search: {carries: 0, innocent: 1}, let go: {carries: 5, innocent: 0}}"


@dataclass(frozen=True)
class Costs:
    """A cost matrix.

    Attributes:
        actions: their names, A of them; of actions that cost the same, the first is taken.
        outcomes: their names, K of them. With two, a score is the probability of the first.
        matrix: cost of an action (row) under an outcome (column), `(A, K)`.
        unit: what is counted.

    >>> costs = Costs(("search", "let go"), ("carries", "innocent"), np.array([[0.0, 1.0], [5.0, 0.0]]))
    >>> costs.best(np.array([[0.1, 0.9], [0.2, 0.8]])).tolist(), costs.threshold()  # 1 / (1 + 5)
    ([1, 0], 0.16666666666666666)
    """

    actions: tuple[str, ...]
    outcomes: tuple[str, ...]
    matrix: np.ndarray
    unit: str = "units"

    def expected(self, p: np.ndarray) -> np.ndarray:
        """Expected cost of every action, `(N, A)`, under probabilities of the outcomes `(N, K)`."""
        # E[cost of a] = sum_k p_k C[a, k]
        return np.asarray(p @ self.matrix.T)

    def best(self, p: np.ndarray) -> np.ndarray:
        """The action that costs least, int `(N,)`, under probabilities of the outcomes `(N, K)`."""
        return np.asarray(self.expected(p).argmin(axis=1))

    def scaled(self, outcome: int, factor: float) -> Costs:
        """The same with all costs under one outcome so many times as high."""
        matrix = self.matrix.copy()
        matrix[:, outcome] *= factor
        return Costs(self.actions, self.outcomes, matrix, self.unit)

    def right(self) -> tuple[int, ...]:
        """The action that costs least under each outcome, were it known."""
        return tuple(int(k) for k in self.matrix.argmin(axis=0))

    def threshold(self) -> float | None:
        """p*, from which on the first outcome's action costs least; of two actions and two outcomes.

        None where one action is at least as good under both outcomes.
        """
        if self.matrix.shape != (2, 2):
            return None
        act, leave = self.right()
        if act == leave:
            return None
        # c_FP = C[act, -] - C[leave, -], c_FN = C[leave, +] - C[act, +], p* = c_FP / (c_FP + c_FN)
        c_fp = self.matrix[act, 1] - self.matrix[leave, 1]
        c_fn = self.matrix[leave, 0] - self.matrix[act, 0]
        return float(c_fp / (c_fp + c_fn))

    def spans(self) -> list[tuple[int, float, float]]:
        """With two outcomes: which action costs least from which probability of the first to which.

        >>> mail = Costs(("delete", "junk", "inbox"), ("spam", "ham"), np.array([[0, 10], [1, 3], [4, 0.0]]))
        >>> [(mail.actions[a], round(low, 3), round(high, 3)) for a, low, high in mail.spans()]
        [('inbox', 0.0, 0.5), ('junk', 0.5, 0.875), ('delete', 0.875, 1.0)]
        """
        slope, start = self.matrix[:, 0] - self.matrix[:, 1], self.matrix[:, 1]
        # the lower envelope of the lines start + slope p: between crossings one action is the best
        cuts = {0.0, 1.0}
        for a in range(len(start)):
            for b in range(a):
                if slope[a] != slope[b]:
                    cuts.add(float((start[b] - start[a]) / (slope[a] - slope[b])))
        ends = sorted(cut for cut in cuts if 0 <= cut <= 1)
        spans: list[tuple[int, float, float]] = []
        for low, high in zip(ends, ends[1:], strict=False):
            middle = (low + high) / 2
            a = int(self.best(np.array([[middle, 1 - middle]]))[0])
            if spans and spans[-1][0] == a:
                low = spans.pop()[1]
            spans.append((a, low, high))
        return spans


def break_even(hits: float) -> float:
    """How many times a wrongful action a miss would have to cost for acting to pay at this share of hits.

    >>> round(break_even(0.02), 6)
    49.0
    """
    # h c_FN = (1 - h) c_FP
    return (1 - hits) / hits


def read_costs(path: Path) -> Costs:
    """Read costs.yaml.

        unit: wrongful searches          # what is counted; may be left out
        actions:
          search: {carries: 0, innocent: 1}
          let go: {carries: 5, innocent: 0}

    With two outcomes a score is the probability of the first one named.

    Raises:
        DataError: the file is missing or says something else.
    """
    return read_yaml(path, _costs, EXAMPLE)


def _costs(document: Any) -> Costs:
    if not isinstance(document, Mapping) or not isinstance(document.get("actions"), Mapping):
        raise ValueError(f"names no actions; write {EXAMPLE}")
    if unknown := [key for key in document if key not in ("actions", "unit")]:
        raise ValueError(f"unknown setting '{unknown[0]}', {nearest(str(unknown[0]), ['actions', 'unit'])}")
    actions = {_name(key): value for key, value in document["actions"].items()}
    if len(actions) < 2:
        raise ValueError("names one action only; there must be another one to compare it with")
    rows: list[list[float]] = []
    outcomes: tuple[str, ...] = ()
    for action, value in actions.items():
        if not isinstance(value, Mapping):
            raise ValueError(f"action '{action}': name the cost of each outcome, {EXAMPLE}")
        given = {_name(key): cost for key, cost in value.items()}
        outcomes = outcomes or tuple(given)
        if set(given) != set(outcomes):
            lost = next(iter(set(outcomes) ^ set(given)))
            raise ValueError(f"action '{action}': the outcomes are {', '.join(outcomes)}; look at '{lost}'")
        for outcome, cost in given.items():
            if isinstance(cost, bool) or not isinstance(cost, int | float) or not np.isfinite(cost):
                raise ValueError(f"action '{action}', outcome '{outcome}': '{cost}' is no number")
        rows.append([float(given[outcome]) for outcome in outcomes])
    if len(outcomes) < 2:
        raise ValueError("names one outcome only; nothing depends on it")
    return Costs(tuple(actions), outcomes, np.array(rows), str(document.get("unit", "units")))


def _name(key: Any) -> str:
    # YAML reads yes and no as true and false
    return {True: "yes", False: "no"}[key] if isinstance(key, bool) else str(key)
