"""Feature-wise bias amplification of a linear classifier, and its experts: Leino et al. 2019."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import log, sqrt

import numpy as np
from scipy.stats import norm

from simulacra.audit.amplification.tables import MOST_OBJECTS, OBJECT
from simulacra.audit.shared.auc import auc
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import paired_of, wilson
from simulacra.audit.shared.phrasing import amount, base, format_estimate, frequency
from simulacra.audit.shared.random_rows import sampled
from simulacra.audit.shared.source import Field, Group, Source

# numbers of features that are tried on either side
TRIED = 100
LIMITS = (
    "Whether the audited model does the same: this is a linear classifier of the same columns. What the "
    "columns mean, and whether any of them should be used."
)


def bayes(p: float, d: float) -> float:
    """B(h) of the best rule for two unit Gaussians d apart, the first of share p; never 0 but for p = 1/2.

    >>> round(bayes(0.7, 1.0), 4), round(bayes(0.7, 0.5), 4), abs(round(bayes(0.5, 2.0), 4))
    (0.1285, 0.2596, 0.0)
    """
    # x > -log(p / (1 - p)) / d between means at -d / 2 and d / 2; B(h) = P(h) - p
    shift = log(p / (1 - p)) / d
    return float(p * norm.cdf(d / 2 + shift) + (1 - p) * norm.cdf(-d / 2 + shift) - p)


def experts(w: np.ndarray, b: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The features of a linear classifier to keep: those with the largest weights on either side.

    Minimises |B(h)| over the numbers alpha of positive and beta of negative weights kept, while as many rows
    are right as with all of them (Leino et al. 2019, equation 7).

    >>> x = np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    >>> experts(np.array([1.5, 1.0, 1.0]), 0.0, x, x[:, 0] > 0).tolist()  # all three: yes for both
    [True, True, False]

    Args:
        w: weights, `(D,)`.
        b: intercept; h(x) = 1 where w x + b > 0.
        x: features of rows that w was not learned from, `(N, D)`.
        y: their truth, bool `(N,)`.

    Returns:
        Which features are kept, bool `(D,)`.
    """
    # the largest weights first
    order = np.argsort(-np.abs(w), kind="stable")
    sides = [order[w[order] > 0], order[w[order] < 0]]
    tried = [np.unique(np.linspace(0, len(side), TRIED + 1).round().astype(int)) for side in sides]
    # sum of w_j x_j over the first features of a side
    sums = [np.pad(np.cumsum(x[:, side] * w[side], axis=1), ((0, 0), (1, 0))) for side in sides]
    right = int(((x @ w + b > 0) == y).sum())
    options = []
    for alpha in tried[0]:
        h = sums[0][:, [alpha]] + sums[1][:, tried[1]] + b > 0
        hits = (h == y[:, None]).sum(axis=0)
        off = np.abs(h.sum(axis=0) - int(y.sum()))
        options += [(off[i], hits[i], alpha, tried[1][i]) for i in np.flatnonzero(hits >= right)]
    # of equal |B| the most accurate, then that with most features
    _, _, alpha, beta = min(
        options,
        key=lambda option: (option[0], -option[1], -option[2], -option[3]),
        default=(0, right, len(sides[0]), len(sides[1])),
    )
    kept = np.zeros(len(w), dtype=bool)
    kept[sides[0][:alpha]] = kept[sides[1][:beta]] = True
    return kept


def linear(
    x: np.ndarray, y: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Learn by SGD on half of the rows, choose experts on a quarter, predict the last quarter.

    Args:
        x: `(N, D)`.
        y: bool `(N,)`.
        seed: of the halves and the order of the rows.

    Returns:
        Of the last quarter the truth, what all features and what the experts predict, bool `(N / 4,)`, and
        the score of all features; and which features are experts, bool `(D,)`.

    Raises:
        ValueError: one class only in the half that is learned from.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import SGDClassifier

    part = np.random.default_rng(seed).permutation(len(x)) % 4
    learn, choose, test = part < 2, part == 2, part == 3
    mean, sd = x[learn].mean(axis=0), x[learn].std(axis=0)
    x = (x - mean) / np.where(sd > 0, sd, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SGDClassifier(loss="log_loss", random_state=seed).fit(x[learn], y[learn])
    w, b = model.coef_[0], float(model.intercept_[0])
    kept = experts(w, b, x[choose], y[choose])
    score = x[test] @ w + b
    return y[test], score > 0, x[test] @ (w * kept) + b > 0, score, kept


def section(source: Source, features: Sequence[str], column: str, name: str, minimum: int) -> Section:
    """Whether a linear classifier of columns predicts an object too often, and its experts less so.

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
    title = f"Do weak features predict {name} too often?"
    what = f"B(h) = E[h(x) - y] of {name}, linear classifier"
    # the last quarter has to hold enough of both
    if min(y.sum(), len(y) - y.sum()) < 4 * minimum:
        sentence = f"Weak features: withheld, fewer than {4 * minimum:,} rows with or without {name}."
        findings = [Finding(key, sentence, "withheld", LIMITS, what) for key in ("weak-features", "experts")]
        return Section("weak-features", title, "predictions", findings)
    y, h, h_experts, score, chosen = linear(table[list(fields)].to_numpy(), y)
    n, kept, real, said, said_experts = len(y), int(chosen.sum()), y.mean(), h.mean(), h_experts.mean()
    before, after = paired_of(h, y), paired_of(h_experts, y)
    right, right_experts = h == y, h_experts == y
    gain = paired_of(right_experts, right)
    accuracy, accuracy_experts = wilson(int(right.sum()), n), wilson(int(right_experts.sum()), n)
    more = {"accuracy": accuracy}
    people = base(real, said)
    sentence = (
        f"A linear classifier of {len(features):,} columns predicts {name} for "
        f"{frequency(said, people)} of {people:,} rows; {frequency(real, people)} have "
        f"it: {format_estimate(before)}."
    )
    area = auc(score, y).value
    if 0.5 < area < 1:
        # AUC = Phi(d / sqrt(2)) of two unit Gaussians d apart
        more["bayes"] = Estimate(bayes(real, sqrt(2) * float(norm.ppf(area))))
        sentence += (
            " For two Gaussians that are as hard to tell apart, the best rule is off by "
            f"{amount(more['bayes'].value)}."
        )
    weak = conclude(
        not before.holds(0), "", "weak-features", sentence, LIMITS, what, before, n, more, "weak-features"
    )
    moved = paired_of(*((h, h_experts) if before.value >= 0 else (h_experts, h)))
    people = base(said_experts, said, real)
    sentence = (
        f"With {kept:,} of {len(features):,} columns, those with the largest weights, it predicts {name} for "
        f"{frequency(said_experts, people)} of {people:,} rows instead of "
        f"{frequency(said, people)} ({frequency(real, people)} have it), and is right "
        f"for {100 * accuracy_experts.value:.1f} of 100 instead of {100 * accuracy.value:.1f} (difference "
        f"{format_estimate(gain)})."
    )
    limits = f"{LIMITS} That the same columns would be chosen on other rows."
    number = "change of the share predicted, towards the truth"
    more = {"before": before, "after": after, "accuracy": accuracy_experts, "accuracy-gained": gain}
    more["columns"] = Estimate(kept)
    fewer = conclude(
        not moved.holds(0), "", "experts", sentence, limits, number, moved, n, more, "weak-features"
    )
    figure = rows([("all columns", n, before), (f"{kept:,} experts", n, after)], "B(h), share of rows", 0.0)
    caption = (
        f"{name} predicted less {name} real, share of {n:,} rows that were used neither for learning nor for "
        "choosing; dotted: as often as it occurs. Intervals 95%, Newcombe's of pairs."
    )
    plot = Plot("weak-features", title, figure, caption)
    return Section("weak-features", title, "predictions", [weak, fewer], [plot])
