"""Sampled rows of a table against real ones; every score beside that of real training rows in their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.data.spec import DataSpec
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# rows of a set that are compared at most: the scores need trainings of classifiers
MOST_ROWS = 5000
# bins of a number beside a category
BINS = 10
# parts of a cross-validation
FOLDS = 5
# columns that are predicted at most
PREDICTED = 12
# rows that the distances are computed for at a time
ROWS = 500


@dataclass(frozen=True)
class Values:
    """A column of rows.

    Attributes:
        name: of the column.
        values: numbers `(N,)`, NaN where missing; or indices of categories.
        categories: how many there are; 0 of numbers.
    """

    name: str
    values: np.ndarray
    categories: int = 0


def columns_of(spec: DataSpec, x: np.ndarray) -> list[Values]:
    """The columns of encoded rows `(N, D)`: numbers in their units, categories by their index.

    >>> spec = DataSpec("vector", (2,), columns=("width", "height"))
    >>> columns_of(spec, np.array([[1.0, 2.0]]))[1]
    Values(name='height', values=array([2.]), categories=0)
    """
    if spec.schema is None:
        names = spec.columns or [str(i + 1) for i in range(x.shape[1])]
        return [Values(name, x[:, i].astype(np.float64)) for i, name in enumerate(names)]
    columns = []
    for block in spec.schema.blocks:
        state = x[:, block.code].argmax(axis=1) if block.column.states else None
        if block.number is None:
            assert state is not None
            columns.append(Values(block.column.name, state, len(block.column.states)))
            continue
        values = x[:, block.number].astype(np.float64)
        if state is not None:
            special = block.column.numbers(block.column.special)
            values = np.where(state == 0, values, np.array([0.0, *special])[state])
        columns.append(Values(block.column.name, values))
    return columns


def column_fit(a: Values, b: Values) -> float:
    """1 - the distance of two samples of a column, in [0, 1]: 1 where they are equal in distribution.

    The distance is Kolmogorov's and Smirnov's of numbers, with missing ones above all others, and the total
    variation of categories (`KSComplement` and `TVComplement` of the package sdmetrics).

    >>> column_fit(Values("n", np.array([1.0, 2.0])), Values("n", np.array([1.0, 4.0])))
    0.5
    """
    if a.categories:
        return 1 - _total_variation(_shares(a.values, a.categories), _shares(b.values, b.categories))
    # NaN sorts behind all numbers
    places = np.unique(np.concatenate([a.values, b.values]), return_inverse=True)[1]
    p, q = (_shares(part, places.max() + 1) for part in np.split(places, [len(a.values)]))
    return 1 - float(abs(np.cumsum(p) - np.cumsum(q)).max())


def pair_fit(a: Sequence[Values], b: Sequence[Values], edges: Sequence[np.ndarray]) -> float | None:
    """1 - the distance of the dependence of two columns in two samples, in [0, 1].

    Of two numbers half the difference of their correlations (`CorrelationSimilarity` of sdmetrics); else the
    total variation of the joint shares, with numbers in bins (`ContingencySimilarity`). None where a number
    is constant.

    Args:
        a: the two columns of one sample.
        b: the same of the other.
        edges: of the bins of each column; empty for a category.
    """
    if not any(column.categories for column in a):
        r, s = (_correlation(*(column.values for column in pair)) for pair in (a, b))
        return None if np.isnan(r - s) else 1 - abs(r - s) / 2
    shares = []
    for pair in (a, b):
        cells = [_cells(column, edge) for column, edge in zip(pair, edges, strict=True)]
        (i, _), (j, wide) = cells
        shares.append(_shares(i * wide + j, cells[0][1] * wide))
    return 1 - _total_variation(*shares)


def two_sample_accuracy(a: Sequence[Values], b: Sequence[Values], seed: int) -> float:
    """Cross-validated accuracy of a classifier that tells two samples of equal size apart; 1/2 is best.

    Classifier two-sample test (Lopez-Paz and Oquab 2017, arXiv:1610.06545), by boosted trees.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    x = np.concatenate([_matrix(a), _matrix(b)])
    y = np.repeat([0, 1], [len(a[0].values), len(b[0].values)])
    # HistGradientBoosting takes up to 255 categories
    categories = [0 < column.categories <= 255 for column in a]
    classifier = HistGradientBoostingClassifier(
        max_iter=50, categorical_features=categories, early_stopping=False, random_state=seed
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(classifier, x, y, cv=folds).mean())


def prediction_score(train: Sequence[Values], test: Sequence[Values], seed: int) -> float:
    """How well random forests predict each column from the others: train on `train`, score on `test`.

    The mean over at most 12 columns of the accuracy of categories and of R^2 of numbers, which is 0 for no
    better than the mean ("train on synthetic, test on real", Esteban et al. 2017, arXiv:1706.02633).
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    chosen = np.linspace(0, len(train) - 1, min(len(train), PREDICTED)).round().astype(int)
    scores = []
    for j in chosen.tolist():
        x, x_test = (_one_hot([c for i, c in enumerate(rows) if i != j]) for rows in (train, test))
        y, y_test = train[j].values, test[j].values
        known, known_test = ~np.isnan(y.astype(float)), ~np.isnan(y_test.astype(float))
        if not known.any() or not known_test.any():
            continue
        kind = RandomForestClassifier if train[j].categories else RandomForestRegressor
        forest = kind(50, min_samples_leaf=5, max_features=1 / 3, random_state=seed)
        score = forest.fit(x[known], y[known]).score(x_test[known_test], y_test[known_test])
        scores.append(score if train[j].categories else max(0.0, score))
    return float(np.mean(scores))


def row_distances(a: Sequence[Values], b: Sequence[Values], ranges: np.ndarray) -> np.ndarray:
    """The distance of every row of `a` to the nearest of `b`, `(N,)` in [0, 1].

    Gower's: the mean over the columns of |difference| / range for numbers, and of 0 or 1 for categories and
    for one missing number.

    >>> a, b = (Values("n", np.array([0.0, 4.0])),), (Values("n", np.array([1.0, np.nan])),)
    >>> row_distances(a, b, np.array([10.0]))
    array([0.1, 0.3])
    """
    nearest = np.empty(len(a[0].values))
    for start in range(0, len(nearest), ROWS):
        part = slice(start, start + ROWS)
        total = np.zeros((len(nearest[part]), len(b[0].values)))
        for one, other, size in zip(a, b, ranges.tolist(), strict=True):
            u, v = one.values[part, None], other.values
            if one.categories:
                total += u != v
                continue
            d = np.minimum(abs(u - v) / size, 1)
            total += np.where(np.isnan(d), np.isnan(u) != np.isnan(v), d)
        nearest[part] = total.min(axis=1) / len(a)
    return nearest


def score_rows(
    spec: DataSpec, samples: np.ndarray, test: np.ndarray, train: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """Scores of sampled rows against test rows, and of as many training rows in their place.

    Args:
        spec: of the rows.
        samples: encoded rows `(N, D)`.
        test: as many real rows which the model was not trained on.
        train: rows which it was trained on, as many where there are.
        seed: of the classifiers and of their folds.

    >>> rng = np.random.default_rng(0)
    >>> x, y, z = rng.normal(size=(3, 400, 2))
    >>> scores = score_rows(DataSpec("vector", (2,), columns=("a", "b")), x, y, z)
    >>> scores["column_fit"] > 0.9, abs(scores["two_sample_accuracy"] - 0.5) < 0.1
    (True, True)
    """
    made, held_out, known = (columns_of(spec, x) for x in (samples, test, train))
    numbers: dict[str, Any] = {"rows": len(samples)}
    everything = [np.concatenate([u.values, v.values]) for u, v in zip(held_out, known, strict=True)]
    edges = [
        np.empty(0)
        if column.categories
        else np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
        for column, values in zip(known, everything, strict=True)
    ]
    ranges = np.array([max(np.nanmax(v) - np.nanmin(v), 1e-12) for v in everything])
    for end, rows in (("", made), ("_real", known)):
        numbers["column_fit" + end] = float(np.mean([*map(column_fit, rows, held_out)]))
        fits = [*_pair_fits(rows, held_out, edges)]
        if fits:
            numbers["pair_fit" + end] = float(np.mean(fits))
            numbers["prediction_score" + end] = prediction_score(rows, held_out, seed)
        numbers["two_sample_accuracy" + end] = two_sample_accuracy(rows, held_out, seed)
    to_train, to_test = (row_distances(made, rows, ranges) for rows in (known, held_out))
    numbers["row_distance"] = float(np.median(to_train))
    numbers["row_distance_real"] = float(np.median(row_distances(held_out, known, ranges)))
    # rows at equal distances count half
    numbers["nearer_to_train"] = float(((to_train < to_test) + 0.5 * (to_train == to_test)).mean())
    return numbers


def _pair_fits(a: Sequence[Values], b: Sequence[Values], edges: Sequence[np.ndarray]) -> Iterator[float]:
    for i, j in combinations(range(len(a)), 2):
        fit = pair_fit((a[i], a[j]), (b[i], b[j]), (edges[i], edges[j]))
        if fit is not None:
            yield fit


def _shares(index: np.ndarray, n: int) -> np.ndarray:
    return np.bincount(index, minlength=n) / len(index)


def _total_variation(p: np.ndarray, q: np.ndarray) -> float:
    return float(abs(p - q).sum() / 2)


def _correlation(u: np.ndarray, v: np.ndarray) -> float:
    """Pearson's, of the rows where neither is missing; NaN where one is constant."""
    known = ~np.isnan(u) & ~np.isnan(v)
    u, v = u[known], v[known]
    if len(u) < 2 or np.ptp(u) == 0 or np.ptp(v) == 0:
        return float("nan")
    return float(np.corrcoef(u, v)[0, 1])


def _cells(column: Values, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """The category or the bin of every row, and how many there are; missing numbers have their own."""
    if column.categories:
        return column.values, column.categories
    bins = np.searchsorted(edges, column.values, side="right")
    return np.where(np.isnan(column.values), len(edges) + 1, bins), len(edges) + 2


def _matrix(columns: Sequence[Values]) -> np.ndarray:
    return np.stack([column.values.astype(np.float64) for column in columns], axis=1)


def _one_hot(columns: Sequence[Values]) -> np.ndarray:
    parts = [np.eye(c.categories)[c.values] if c.categories else c.values[:, None] for c in columns]
    return np.concatenate(parts, axis=1)


def _table(evaluation: Evaluation) -> dict[str, Any]:
    """The scores of as many samples as test rows, of a table with columns."""
    spec, samples = evaluation.model.spec, evaluation.samples
    n = min(len(samples), MOST_ROWS)
    # the training rows of a run on arrays, or whose source is gone, are unknown
    n = min(n, len(evaluation.data.train))
    if not spec.columns or n < 2 * FOLDS:
        return {}
    seed = evaluation.seed
    train, test = (random_subset(rows, n, seed).x for rows in (evaluation.data.train, evaluation.dataset))
    scores = score_rows(spec, samples[:n], test, train, seed)
    real = {key: scores.pop(f"{key}_real") for key in [*scores] if f"{key}_real" in scores}
    return {**scores, "real_against_real": real}


TABLE = register(Measurement(
    name="table", needs=(Samples,),
    metrics=(
        Metric("column_fit", "fit of the columns",
            meaning="1 - distance of the distribution of a column, samples against test rows, mean over the"
            " columns", better="higher"),
        Metric("pair_fit", "fit of the pairs",
            meaning="1 - distance of the dependence of two columns, mean over all pairs", better="higher"),
        Metric("two_sample_accuracy", "two-sample accuracy", "%",
            meaning="of a classifier that tells samples from test rows; 50% is best"),
        Metric("prediction_score", "prediction score",
            meaning="train on samples, test on real rows: accuracy of categories and R² of numbers, each"
            " column from the others", better="higher"),
        Metric("row_distance", "distance to training rows",
            meaning="of samples to the nearest training row, median; real data: of test rows; far below that"
            " indicates copies"),
        Metric("nearer_to_train", "nearer to training rows", "%",
            meaning="samples nearer to a training row than to a test row; 50% for a model without memory"),
    ),
    settings=("rows",), compute=_table, order=60,
))  # fmt: skip
