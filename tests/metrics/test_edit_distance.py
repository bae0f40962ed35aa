"""Edit distances against the textbook's table, and memorised sentences."""

from __future__ import annotations

import numpy as np
import pytest

import simulacra as sim
from simulacra.data.text.vocabulary import END, UNKNOWN
from simulacra.errors import DataError
from simulacra.metrics import edit_distance as module
from simulacra.metrics.edit_distance import edit_distance, nearest
from tests.metrics.texts import Sampler, rows, sentence_data


def table(x: np.ndarray, y: np.ndarray) -> float:
    a, b = ([token for token in row.tolist() if token > END] for row in (x, y))
    d = {(i, 0): i for i in range(len(a) + 1)} | {(0, j): j for j in range(len(b) + 1)}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = a[i - 1] == b[j - 1] != UNKNOWN
            d[i, j] = min(d[i - 1, j] + 1, d[i, j - 1] + 1, d[i - 1, j - 1] + (not same))
    return d[len(a), len(b)] / max(len(a), len(b), 1)


def random_sentences(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.integers(2, 6, (n, 8))
    x[np.arange(8) == rng.integers(1, 8, n)[:, None]] = END
    return np.where((x == END).cumsum(axis=1) - (x == END) > 0, 0, x)


def test_distances_are_those_of_the_table() -> None:
    x, y = random_sentences(200, 0), random_sentences(200, 1)
    expected = [table(a, b) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(edit_distance(x, y), expected)
    assert len(set(expected)) > 10


def test_nearest_training_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    # several parts of a length
    monkeypatch.setattr(module, "CELLS", 40)
    x, train = random_sentences(30, 2), random_sentences(100, 3)
    distances = np.array([[table(a, b) for b in train] for a in x])
    index, distance = nearest(x, train)
    np.testing.assert_allclose(distance, distances.min(axis=1))
    np.testing.assert_allclose(distances[np.arange(30), index], distance)
    with pytest.raises(DataError, match="nearest training sentences: there are none"):
        nearest(x, train[:0])


def test_copied_samples_beside_held_out_sentences() -> None:
    train = ["a b c d", "b c d e", "e f g a"]
    data = sentence_data(train, ["a b c e", "b c d f", "a b", "g"])
    model = Sampler(rows([train[0], train[1], train[0], "d c b a"]))
    found = sim.evaluate(model, data, metrics=["memorisation"])
    assert found["copied"] == 0.75
    assert found["nearest_distance"] == 0
    assert (found["compared"], found["train"]) == (4, 3)
    # 1/4, 1/4, 1/2, 3/4
    assert found["real_against_real"] == {"copied": 0.0, "nearest_distance": 0.375}
    assert "real_against_real" not in sim.evaluate(model, data, "train", metrics=["memorisation"])
