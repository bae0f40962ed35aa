"""Feature-wise bias amplification of a linear classifier, and its experts: Leino et al. 2019."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy.stats import norm

from simulacra.audit.amplification.measures import MOST_OBJECTS, OBJECT
from simulacra.audit.shared.auc import auc
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section
from simulacra.audit.shared.intervals import paired, wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, told
from simulacra.audit.shared.random_rows import sampled
from simulacra.audit.shared.source import Field, Group, Source

# numbers of columns that are tried on either side
TRIED = 100
LIMITS = (
    "Whether the model in question does the same: this is a linear stand-in on the same columns. What the "
    "columns mean, and whether any of them ought to be used."
)


def bayes(p: float, d: float) -> float:
    """B(h) of the best rule for two unit Gaussians d apart, the first of share p; never 0 but for p = 1/2.

    >>> round(bayes(0.7, 1.0), 4), round(bayes(0.7, 0.5), 4), abs(round(bayes(0.5, 2.0), 4))
    (0.1285, 0.2596, 0.0)
    """
    # x > -log(p / (1 - p)) / d between means at -d / 2 and d / 2; B(h) = P(h) - p
    shift = log(p / (1 - p)) / d
    said = p * norm.cdf(d / 2 + shift) + (1 - p) * norm.cdf(-d / 2 + shift)
    return float(said - p)


def amplified(h: np.ndarray, y: np.ndarray) -> float:
    """B(h) = E[h(x) - y] (Leino et al. 2019, definition 1).

    Args:
        h: what is predicted, bool `(N,)`.
        y: what is so, bool `(N,)`.
    """
    return float(h.mean() - y.mean())


def experts(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The features of a linear classifier to keep: those with the largest weights on either side.

    Minimises |B(h)| over the numbers alpha of positive and beta of negative weights kept, while as many rows
    are right as with all of them (Leino et al. 2019, equation 7).

    >>> x = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    >>> experts(np.array([1.5, 1.0, 1.0]), 0.0, x, x[:, 0] > 0).tolist()  # all three say yes to both rows
    [True, True, False]

    Args:
        w: weights, `(D,)`.
        b: intercept; h(x) = 1 where w x + b > 0.
        x: features of rows that w was not learnt from, `(N, D)`.
        y: their truth, bool `(N,)`.

    Returns:
        Which features are kept, bool `(D,)`.
    """
    sides = [np.flatnonzero(w > 0), np.flatnonzero(w < 0)]
    # the largest weights first
    sides = [side[np.argsort(-np.abs(w[side]), kind="stable")] for side in sides]
    tried = [np.unique(np.linspace(0, len(side), TRIED + 1).round().astype(int)) for side in sides]
    # sum of w_j x_j over the first features of a side
    sums = [np.pad(np.cumsum(x[:, side] * w[side], axis=1), ((0, 0), (1, 0))) for side in sides]
    right = int(((x @ w + b > 0) == y).sum())
    best: tuple[float, int, int, int] | None = None
    for alpha in tried[0]:
        h = sums[0][:, [alpha]] + sums[1][:, tried[1]] + b > 0
        hits = (h == y[:, None]).sum(axis=0)
        off = np.abs(h.sum(axis=0) - int(y.sum()))
        for i in np.flatnonzero(hits >= right):
            # of those alike the most accurate, then that with most features
            one = (float(off[i]), -int(hits[i]), -int(alpha), -int(tried[1][i]))
            best = one if best is None else min(best, one)
    kept = np.ones(len(w), dtype=bool)
    if best is not None:
        kept[:] = False
        kept[sides[0][: -best[2]]] = True
        kept[sides[1][: -best[3]]] = True
    return kept


@dataclass(frozen=True)
class Linear:
    """A linear classifier with all features and with its experts, on rows that neither was made from.

    Attributes:
        y, all, experts: what is so, and what the two predict, bool `(N,)`.
        score: of the one with all features, `(N,)`.
        kept: which features are experts, bool `(D,)`.
    """

    y: np.ndarray
    all: np.ndarray
    experts: np.ndarray
    score: np.ndarray
    kept: np.ndarray


def linear(x: np.ndarray, y: np.ndarray, seed: int = 0) -> Linear:
    """Learn by SGD on half of the rows, choose experts on a quarter, predict the last quarter.

    Args:
        x: `(N, D)`.
        y: bool `(N,)`.
        seed: of the halves and the order of the rows.

    Raises:
        ValueError: one class only in the half that is learnt from.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier

    part = np.random.default_rng(seed).permutation(len(x)) % 4
    learn, choose, judge = part < 2, part == 2, part == 3
    mean, spread = x[learn].mean(axis=0), x[learn].std(axis=0)
    x = (x - mean) / np.where(spread > 0, spread, 1)
    with warnings.catch_warnings():
        # it is a stand-in as it is, converged or not
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SGDClassifier(loss="log_loss", random_state=seed).fit(x[learn], y[learn])
    w, b = model.coef_[0], float(model.intercept_[0])
    kept = experts(w, b, x[choose], y[choose])
    score = x[judge] @ w + b
    return Linear(y[judge], score > 0, x[judge] @ (w * kept) + b > 0, score, kept)


def section(source: Source, features: Sequence[str], column: str, name: str, minimum: int) -> Section:
    """Whether a linear classifier of columns says an object too often, and its experts less so.

    Args:
        source: the training data.
        features: columns of numbers.
        column: of objects.
        name: the object, against all others.
        minimum: rows that are needed with and without it.

    Raises:
        DataError: a column is missing, or holds no numbers.
    """
    fields: dict[str, Field] = {f"x{i}": source.number(feature) for i, feature in enumerate(features)}
    table = sampled(source, {**fields, OBJECT: Group(source.column(column), MOST_OBJECTS)})
    y = (table[OBJECT] == name).to_numpy()
    title = f"Would weak features say {name} too often?"
    what = f"B(h) = E[h(x) - y] of {name}, linear classifier"
    # the last quarter has to hold enough of both
    if min(y.sum(), len(y) - y.sum()) < 4 * minimum:
        words = f"Weak features: withheld, fewer than {4 * minimum:,} rows have {name}, or have not."
        findings = [Finding(key, words, "withheld", LIMITS, what) for key in ("weak-features", "experts")]
        return Section("weak-features", title, "predictions", findings)
    made = linear(table[list(fields)].to_numpy(), y)
    n, real = len(made.y), int(made.y.sum())
    before, after = (_off(h, made.y) for h in (made.all, made.experts))
    right = [int((h == made.y).sum()) for h in (made.all, made.experts)]
    gain = paired(int(((made.all == made.y) & (made.experts == made.y)).sum()), right[1], right[0], n)
    area = auc(made.score, made.y).value
    more = {"accuracy": wilson(right[0], n)}
    people = base(real / n, made.all.mean())
    sentence = (
        f"A linear classifier of {len(features):,} columns says {name} of "
        f"{frequency(made.all.mean(), people)} of {people:,}, where {frequency(real / n, people)} are: "
        f"{told(before)}."
    )
    if 0.5 < area < 1:
        # AUC = Phi(d / sqrt(2)) of two unit Gaussians d apart
        more["bayes"] = Estimate(bayes(real / n, sqrt(2) * float(norm.ppf(area))))
        sentence += (
            f" The best rule for two bell curves as hard to tell apart would be off by "
            f"{amount(more['bayes'].value)}."
        )
    weak = Finding(
        "weak-features", sentence, "no finding" if before.holds(0) else "finding", LIMITS, what, before, n,
        more, "weak-features",
    )  # fmt: skip
    sign = 1 if before.value >= 0 else -1
    both = int((made.all & made.experts).sum())
    k, k_experts = int(made.all.sum()), int(made.experts.sum())
    moved = paired(both, *((k, k_experts) if sign > 0 else (k_experts, k)), n)
    people = base(made.experts.mean(), made.all.mean(), real / n)
    fewer = Finding(
        "experts",
        f"With {int(made.kept.sum()):,} of {len(features):,} columns, those with the largest weights, it "
        f"says {name} of {frequency(made.experts.mean(), people)} of {people:,} instead of "
        f"{frequency(made.all.mean(), people)} ({frequency(real / n, people)} are), and is right for "
        f"{100 * right[1] / n:.1f} of 100 instead of {100 * right[0] / n:.1f} (difference {told(gain)}).",
        "no finding" if moved.holds(0) else "finding",
        LIMITS + " That the same columns would be chosen on other rows.",
        "share said less, towards what is so",
        moved,
        n,
        {"before": before, "after": after, "accuracy": wilson(right[1], n), "accuracy-gained": gain,
         "columns": Estimate(int(made.kept.sum()))},
        "weak-features",
    )  # fmt: skip
    drawn = [("all columns", n, before), (f"{int(made.kept.sum()):,} experts", n, after)]
    caption = (
        f"{name} said less {name} real, share of {n:,} rows that were neither learnt from nor chosen on; "
        "dotted: as often as it is. Intervals 95%, Newcombe's of pairs."
    )
    plot = Plot("weak-features", title, rows(drawn, "B(h), share of rows", 0.0), caption)
    return Section("weak-features", title, "predictions", [weak, fewer], [plot])


def _off(h: np.ndarray, y: np.ndarray) -> Estimate:
    return paired(int((h & y).sum()), int(h.sum()), int(y.sum()), len(y))
