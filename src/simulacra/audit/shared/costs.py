"""What each action costs under each outcome, and which action costs least."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from simulacra.audit.shared.source import LARGEST
from simulacra.audit.shared.yaml_files import line_of, load
from simulacra.errors import nearest

KEYS = ("actions", "unit")
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
        DataError: the file is missing or does not fit.
    """
    return load(path, EXAMPLE, _parse)


def _parse(document: Any, root: yaml.Node | None) -> Costs:
    """The costs in a document; ValueError for the first fault, with its line."""

    def fault(words: str, *keys: str) -> ValueError:
        line = f"line {line_of(root, list(keys))}: " if root is not None else ""
        return ValueError(f"{line}{'.'.join(keys)}{': ' * bool(keys)}{words}")

    if not isinstance(document, dict):
        raise fault(f"must look like {EXAMPLE}")
    for key in document:
        if key not in KEYS:
            line = f"line {line_of(root, [key])}: " if root is not None else ""
            raise ValueError(f"{line}unknown key '{key}', {nearest(key, KEYS)}")
    actions, unit = document.get("actions"), document.get("unit", "units")
    if not isinstance(actions, dict):
        raise fault(f"must look like {EXAMPLE}", "actions")
    if not isinstance(unit, str):
        raise fault("must be text; put it in quotes", "unit")
    for action, row in actions.items():
        if not isinstance(row, dict):
            raise fault(f"must look like {EXAMPLE}", "actions", action)
        for outcome, cost in row.items():
            row[outcome] = _number(cost)
            if row[outcome] is None:
                raise fault(f"'{cost}' is not a number", "actions", action, outcome)
            if abs(row[outcome]) > LARGEST:
                raise fault(f"{cost} is too large; use another unit", "actions", action, outcome)
    if len(actions) < 2:
        raise fault("names one action only; there must be another one to compare it with", "actions")
    outcomes = tuple(next(iter(actions.values())))
    for action, row in actions.items():
        if lost := sorted(set(row) ^ set(outcomes)):
            raise fault(
                f"the outcomes of '{action}' are not {', '.join(outcomes)}; check '{lost[0]}'", "actions"
            )
    if len(outcomes) < 2:
        raise fault("names one outcome only; nothing depends on it", "actions")
    matrix = np.array([[row[outcome] for outcome in outcomes] for row in actions.values()])
    return Costs(tuple(actions), outcomes, matrix, unit.strip())


def _number(cell: object) -> float | None:
    try:
        value = float(cell) if isinstance(cell, str) else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None
