"""Scores of sampled rows: against sdmetrics, and in cases with known answers."""

import numpy as np
import pandas as pd
import pytest
from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
from sdmetrics.single_column import KSComplement, TVComplement

from simulacra.data.spec import DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.metrics.tables import (
    Values,
    column_fit,
    columns_of,
    pair_fit,
    prediction_score,
    row_distances,
    score_rows,
    two_sample_accuracy,
)

NAN = np.nan
RNG = np.random.default_rng(0)


def numbers(values: object) -> Values:
    return Values("n", np.asarray(values, dtype=np.float64))


def categories(values: object, n: int) -> Values:
    return Values("c", np.asarray(values, dtype=np.int64), n)


@pytest.mark.parametrize("digits", [0, 3])
def test_fit_of_numbers_equals_sdmetrics(digits: int) -> None:
    # with 0 digits there are ties
    a, b = RNG.normal(size=200).round(digits), RNG.normal(0.3, 2, size=150).round(digits)
    expected = KSComplement.compute(pd.Series(a), pd.Series(b))
    assert column_fit(numbers(a), numbers(b)) == pytest.approx(expected, abs=1e-12)


def test_fit_of_categories_equals_sdmetrics() -> None:
    a, b = RNG.integers(0, 5, 200), RNG.integers(1, 6, 150)
    expected = TVComplement.compute(pd.Series(list(map(str, a))), pd.Series(list(map(str, b))))
    # sdmetrics rounds shares to some 1e-9
    assert column_fit(categories(a, 6), categories(b, 6)) == pytest.approx(expected, abs=1e-7)


def test_missing_numbers_are_part_of_the_fit() -> None:
    # of the numbers alone the fit would be 1
    assert column_fit(numbers([1, 2]), numbers([1, 2, NAN, NAN])) == pytest.approx(0.5)
    assert column_fit(numbers([NAN, 1]), numbers([1, NAN])) == 1


def test_fit_of_two_numbers_equals_sdmetrics() -> None:
    a, b = RNG.normal(size=(2, 100)), RNG.normal(size=(2, 120))
    a[1] += a[0]
    expected = CorrelationSimilarity.compute(pd.DataFrame(a.T), pd.DataFrame(b.T), "Pearson")
    pairs = ([numbers(row) for row in a], [numbers(row) for row in b])
    assert pair_fit(*pairs, (np.empty(0),) * 2) == pytest.approx(expected, abs=1e-12)


def test_fit_of_two_categories_equals_sdmetrics() -> None:
    a, b = RNG.integers(0, 3, (2, 100)), RNG.integers(0, 3, (2, 120))
    expected = ContingencySimilarity.compute(pd.DataFrame(a.T.astype(str)), pd.DataFrame(b.T.astype(str)))
    pairs = ([categories(row, 3) for row in a], [categories(row, 3) for row in b])
    assert pair_fit(*pairs, (np.empty(0),) * 2) == pytest.approx(expected, abs=1e-12)


def test_a_number_beside_a_category_is_binned() -> None:
    # bins below 1.5, above it, and missing; the joint shares differ in a quarter of the rows
    a = (numbers([1, 2, 1, NAN]), categories([0, 1, 0, 1], 2))
    b = (numbers([1, 2, 2, NAN]), categories([0, 1, 0, 1], 2))
    assert pair_fit(a, b, (np.array([1.5]), np.empty(0))) == pytest.approx(0.75)


def test_pairs_with_a_constant_number_have_no_fit() -> None:
    pair = (numbers([1, 1, 1]), numbers([1, 2, 3]))
    assert pair_fit(pair, pair, (np.empty(0),) * 2) is None


def test_two_samples_of_known_overlap() -> None:
    # N(0, 1) and N(2, 1): the best classifier is right with probability Phi(1) = 0.8413
    n = 2000
    a, b = RNG.normal(size=n), RNG.normal(2, size=n)
    assert two_sample_accuracy([numbers(a)], [numbers(b)], 0) == pytest.approx(0.8413, abs=0.025)
    assert two_sample_accuracy([numbers(a)], [numbers(b - 2)], 0) == pytest.approx(0.5, abs=0.03)


def test_predictions_by_a_copy_and_by_noise() -> None:
    n = 400
    c, d = RNG.integers(0, 2, (2, n))
    noise = RNG.normal(size=n)
    # a category that equals another is predicted, one of two independent categories half of the times
    copied = [categories(c, 2), categories(c, 2)]
    assert prediction_score(copied, copied, 0) == 1
    rows = [categories(c, 2), categories(d, 2)]
    assert prediction_score(rows, [categories(d, 2), categories(c[::-1], 2)], 0) == pytest.approx(
        0.5, abs=0.1
    )
    # R^2 of noise is 0, not negative
    assert prediction_score([numbers(noise), numbers(noise[::-1])], [numbers(noise)] * 2, 0) < 0.1


def test_gower_distances_by_hand() -> None:
    a = [numbers([0, NAN]), categories([0, 1], 3)]
    b = [numbers([5, NAN, 1]), categories([0, 0, 2], 3)]
    # row 0: (5/10 + 0)/2, (1 + 0)/2, (1/10 + 1)/2; row 1: (1 + 1)/2, (0 + 1)/2, (1 + 1)/2
    assert row_distances(a, b, np.array([10.0, 2.0])).tolist() == [0.25, 0.5]


def test_columns_of_a_mixed_row() -> None:
    schema = Schema((
        Column("gain", "number", special=("0", "")),
        Column("colour", "category", ("blue", "red")),
    ))  # fmt: skip
    x = np.array([[7, 1, 0, 0, 0, 1], [3, 0, 1, 0, 1, 0], [3, 0, 0, 1, 1, 0]])
    spec = DataSpec("vector", (6,), columns=schema.names, schema=schema)
    gain, colour = columns_of(spec, x)
    np.testing.assert_array_equal(gain.values, [7, 0, NAN])
    assert (colour.name, colour.values.tolist(), colour.categories) == ("colour", [1, 0, 0], 2)


def mixed_rows(n: int, seed: int) -> np.ndarray:
    """Rows of a number, a number with missing cells, and a category that depends on the first."""
    rng = np.random.default_rng(seed)
    u, v, missing = rng.normal(size=n), rng.normal(size=n), rng.random(n) < 0.2
    c = (u + rng.normal(size=n) > 0).astype(int)
    return np.column_stack([u, v + u, np.eye(2)[missing.astype(int)], np.eye(2)[c]]).astype(np.float32)


SCHEMA = Schema((
    Column("u", "number"),
    Column("v", "number", special=("",)),
    Column("c", "category", ("no", "yes")),
))  # fmt: skip
SPEC = DataSpec("vector", (6,), columns=SCHEMA.names, schema=SCHEMA)


def test_rows_of_the_same_distribution_score_as_real_ones() -> None:
    samples, test, train = (mixed_rows(1500, seed) for seed in range(3))
    scores = score_rows(SPEC, samples, test, train)
    for key in ("column_fit", "pair_fit", "two_sample_accuracy", "prediction_score"):
        assert scores[key] == pytest.approx(scores[f"{key}_real"], abs=0.04), key
    assert scores["two_sample_accuracy"] == pytest.approx(0.5, abs=0.03)
    assert scores["nearer_to_train"] == pytest.approx(0.5, abs=0.04)
    assert scores["row_distance"] == pytest.approx(scores["row_distance_real"], rel=0.1)


def test_copies_of_training_rows_are_seen() -> None:
    test, train = (mixed_rows(500, seed) for seed in (1, 2))
    scores = score_rows(SPEC, train[::-1], test, train)
    assert scores["row_distance"] == 0 < scores["row_distance_real"]
    assert scores["nearer_to_train"] > 0.95


def test_independent_columns_are_seen() -> None:
    samples, test, train = (mixed_rows(1500, seed) for seed in range(3))
    shuffled = np.column_stack([RNG.permutation(part) for part in np.split(samples, [1, 4], axis=1)])
    scores = score_rows(SPEC, shuffled, test, train)
    # the columns alone are right
    assert scores["column_fit"] == pytest.approx(scores["column_fit_real"], abs=0.04)
    assert scores["pair_fit"] < scores["pair_fit_real"] - 0.1
    assert scores["two_sample_accuracy"] > 0.6
    assert scores["prediction_score"] < scores["prediction_score_real"] - 0.15
