"""Confusion of classes against scikit-learn, Wilson's intervals against SciPy."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

import simulacra as sim
from simulacra.metrics.confusion import Confusion, Share


def test_shares_of_every_class() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 5, (2, 300))
    y[y == 3] = 4
    confusion = Confusion.of(y, predicted, 5)
    assert np.array_equal(confusion.counts, confusion_matrix(y, predicted, labels=range(5)))
    expected = precision_recall_fscore_support(y, predicted, labels=range(5), zero_division=np.nan)
    for share, values in zip((confusion.precision, confusion.recall), expected[:2], strict=True):
        assert share.value == pytest.approx(values, nan_ok=True)
    # scikit-learn gives no F1 for a class without examples
    there = [0, 1, 2, 4]
    assert confusion.f1.value[there] == pytest.approx(expected[2][there])
    for low, value, high in zip(confusion.f1.low, confusion.f1.value, confusion.f1.high, strict=True):
        assert 0 <= low <= value <= high <= 1


def test_intervals_are_those_of_wilson() -> None:
    k, n = np.array([0, 3, 50, 7]), np.array([4, 10, 63, 7])
    share = Share.of(k, n)
    for i in range(len(k)):
        expected = binomtest(int(k[i]), int(n[i])).proportion_ci(method="wilson")
        assert (share.low[i], share.high[i]) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert np.isnan(Share.of(np.array([0]), np.array([0])).value).all()


def test_an_interval_of_f1_covers_it() -> None:
    # of 40 examples of each class 80% are right: precision, recall and F1 are about .8
    rng, inside = np.random.default_rng(0), []
    y = np.repeat([0, 1], 40)
    for _ in range(400):
        predicted = np.where(rng.random(80) < 0.8, y, 1 - y)
        f1 = Confusion.of(y, predicted, 2).f1
        inside.append(f1.low[0] <= 0.8 <= f1.high[0])
    assert 0.9 < np.mean(inside) < 1


def test_the_largest_mistakes_come_first() -> None:
    confusion = Confusion(np.array([[5, 2, 0], [0, 9, 4], [0, 0, 3]]))
    assert confusion.most_confused(9) == [(1, 2, 4), (0, 1, 2)]
    assert confusion.most_confused(1) == [(1, 2, 4)]


def test_an_evaluation_has_the_numbers_of_each_class(tmp_path: Path) -> None:
    data = sim.load_data("digits")
    model = sim.train("classifier", "digits", tmp_path / "run", steps=30)
    numbers = sim.evaluate(model, data, metrics=["prediction"])
    each = json.loads(json.dumps(numbers))["by_class"]
    assert list(each) == list(data.spec.classes)
    assert [one["examples"] for one in each.values()] == list(data.test.class_counts)
    right = sum(one["predicted_as"].get(name, 0) for name, one in each.items())
    assert right / len(data.test) == pytest.approx(numbers["accuracy"])
    assert numbers["accuracy_of_majority"] == pytest.approx(np.bincount(data.test.y).max() / len(data.test))
    assert numbers["balanced_accuracy"] == pytest.approx(np.mean([one["recall"] for one in each.values()]))
