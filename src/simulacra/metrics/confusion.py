"""Predicted classes against true ones: the confusion matrix, and precision, recall and F1 of each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# of a standard normal: 95% lie within
Z = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """Shares k / n with 95% intervals, NaN where n is 0; float64 `(K,)` each.

    Attributes:
        value: k / n.
        low: the lower end.
        high: the upper end.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, k: np.ndarray, n: np.ndarray) -> Share:
        """k of n, with the score interval (Wilson 1927, doi:10.2307/2276774).

        >>> share = Share.of(np.array([81]), np.array([263]))
        >>> share.value.round(4), share.low.round(4), share.high.round(4)
        (array([0.308]), array([0.2553]), array([0.3662]))
        """
        k, n = k.astype(np.float64), np.where(n > 0, n, np.nan)
        # (k + z^2 / 2 -+ z sqrt(k (n - k) / n + z^2 / 4)) / (n + z^2)
        middle, half = k + Z**2 / 2, Z * np.sqrt(k * (n - k) / n + Z**2 / 4)
        low, high = ((middle + side) / (n + Z**2) for side in (-half, half))
        # at k = 0 and at k = n an end is exact, but for rounding
        return cls(k / n, low.clip(0), high.clip(max=1))


@dataclass(frozen=True)
class Confusion:
    """How often each class was predicted for each true class.

    Attributes:
        counts: int64 `(K, K)`; rows are true classes, columns predicted ones.

    >>> confusion = Confusion.of(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 2)
    >>> confusion.counts.tolist()
    [[2, 1], [0, 1]]
    >>> confusion.recall.value.round(3), confusion.precision.value, confusion.f1.value.round(3)
    (array([0.667, 1.   ]), array([1. , 0.5]), array([0.8  , 0.667]))
    """

    counts: np.ndarray

    @classmethod
    def of(cls, y: np.ndarray, predicted: np.ndarray, classes: int) -> Confusion:
        """Counts of true and predicted labels `(N,)` each, of so many classes."""
        pairs = np.bincount(y * classes + predicted, minlength=classes**2)
        return cls(pairs.reshape(classes, classes).astype(np.int64))

    @property
    def examples(self) -> np.ndarray:
        """Examples of each class, `(K,)`."""
        return np.asarray(self.counts.sum(axis=1))

    @property
    def predicted(self) -> np.ndarray:
        """Examples for which each class was predicted, `(K,)`."""
        return np.asarray(self.counts.sum(axis=0))

    @property
    def correct(self) -> np.ndarray:
        """Examples of each class for which it was predicted, `(K,)`."""
        return np.asarray(self.counts.diagonal())

    @property
    def precision(self) -> Share:
        """The share of the examples predicted to be of a class that are."""
        return Share.of(self.correct, self.predicted)

    @property
    def recall(self) -> Share:
        """The share of the examples of a class that are predicted to be."""
        return Share.of(self.correct, self.examples)

    @property
    def f1(self) -> Share:
        """The harmonic mean of precision and recall.

        It is 2 J / (1 + J), which grows with J, the share of correct ones among the examples that are of a
        class or predicted to be; the interval is that of J.
        """
        jaccard = Share.of(self.correct, self.examples + self.predicted - self.correct)
        return Share(*(2 * j / (1 + j) for j in (jaccard.value, jaccard.low, jaccard.high)))

    def most_confused(self, n: int) -> list[tuple[int, int, int]]:
        """At most n pairs of a true class and another predicted one, with their counts, largest first.

        >>> Confusion(np.array([[9, 1], [3, 7]])).most_confused(5)
        [(1, 0, 3), (0, 1, 1)]
        """
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:n]
        pairs = (np.unravel_index(place, wrong.shape) for place in order)
        return [(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]

    def by_class(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Plain numbers of each class by its name, ready for JSON; None for the share of no examples.

        >>> Confusion(np.array([[2, 1], [0, 0]])).by_class(["cat", "dog"])["dog"]
        {'examples': 0, 'precision': 0.0, 'recall': None, 'f1': 0.0, 'predicted_as': {}}
        """
        shares = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            name: {
                "examples": int(self.examples[k]),
                **{
                    key: None if np.isnan(share.value[k]) else float(share.value[k])
                    for key, share in shares.items()
                },
                "predicted_as": {names[j]: int(n) for j, n in enumerate(self.counts[k]) if n},
            }
            for k, name in enumerate(names)
        }
