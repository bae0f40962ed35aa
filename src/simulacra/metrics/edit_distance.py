"""Edit distances of sentences, the nearest training sentence of each, and how many samples are copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.data.text.vocabulary import END, UNKNOWN
from simulacra.errors import DataError
from simulacra.metrics.neighbours import COMPARED_WITH
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# numbers of tables of distances that are held at a time
CELLS = 2**20
# samples, and held-out sentences, whose nearest training sentence is looked for, at most
SAMPLES = 500


def edit_distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The edit distance of each pair of sentences, a share of the tokens of the longer one; `(N,)` in [0, 1].

    The fewest tokens that are inserted, deleted or replaced to make one of the other (Levenshtein 1966). Ends
    and padding are no tokens. Different words may stand behind unknown tokens, so that no two are equal.

    Args:
        x: numbers of tokens `(N, T)`.
        y: as many sentences.

    >>> x, y = np.array([[3, 4, 5, 1], [3, 1, 0, 0]]), np.array([[3, 5, 1, 0], [4, 5, 1, 0]])
    >>> edit_distance(x, y).round(2)
    array([0.33, 1.  ])
    """
    lengths = np.stack([_lengths(x), _lengths(y)], axis=1)
    found = np.zeros(len(x))
    pairs, which = np.unique(lengths, axis=0, return_inverse=True)
    for k, (s, t) in enumerate(pairs.tolist()):
        rows = np.flatnonzero(which == k)
        found[rows] = _edits(x[rows, :s], y[rows, :t]) / max(s, t, 1)
    return found


def nearest(samples: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The training sentence nearest to each sample: its index and `edit_distance`, each `(M,)`.

    One of them, where several are equally near.

    Args:
        samples: numbers of tokens `(M, T)`.
        train: numbers of tokens `(N, T)`.

    Raises:
        DataError: there are no training sentences.

    >>> train = np.array([[3, 4, 1], [5, 4, 1], [6, 1, 0]])
    >>> nearest(np.array([[5, 4, 1], [3, 6, 1]]), train)
    (array([1, 0]), array([0. , 0.5]))
    """
    if not len(train):
        raise DataError("cannot find the nearest training sentences: there are none")
    lengths = _lengths(train)
    parts: list[tuple[int, np.ndarray, np.ndarray]] = []
    for t in np.unique(lengths).tolist():
        of_length = np.flatnonzero(lengths == t)
        size = max(1, CELLS // (t + 1))
        for start in range(0, len(of_length), size):
            rows = of_length[start : start + size]
            parts.append((t, rows, train[rows, :t]))
    index, distance = np.zeros(len(samples), np.int64), np.full(len(samples), np.inf)
    for i, (s, sample) in enumerate(zip(_lengths(samples).tolist(), samples, strict=True)):
        for t, rows, sentences in sorted(parts, key=lambda part: abs(part[0] - s)):
            longer = max(s, t, 1)
            # a sentence takes |s - t| edits at least
            if abs(s - t) / longer >= distance[i]:
                continue
            edits = _edits(sample[None, :s], sentences)
            best = int(edits.argmin())
            if edits[best] / longer < distance[i]:
                index[i], distance[i] = rows[best], edits[best] / longer
    return index, distance


def _lengths(x: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = (x > END).sum(axis=1)
    return lengths


def _edits(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The edit distances of sentences x of S tokens, `(M, S)` or `(1, S)`, to y of T tokens, `(M, T)`."""
    m, t = y.shape
    x, y = np.where(x == UNKNOWN, -1, x), np.ascontiguousarray(y.T)
    # D[i, j] = min(D[i-1, j-1] + [x_i != y_j], D[i-1, j] + 1, D[i, j-1] + 1) (Wagner and Fischer 1974);
    # with E[i, j] = D[i, j] - j the last term is the least of E[i, 0 ... j-1]
    above = np.zeros((t + 1, m), np.int32)
    row = np.empty_like(above)
    for i in range(x.shape[1]):
        row[0] = i + 1
        np.subtract(above[:-1], y == x[:, i], out=row[1:])
        above += 1
        np.minimum(row[1:], above[1:], out=row[1:])
        for j in range(t):
            np.minimum(row[j], row[j + 1], out=row[j + 1])
        above, row = row, above
    return above[-1] + t


def _memorisation(evaluation: Evaluation) -> dict[str, Any]:
    """Of at most 500 samples and as many of the examples."""
    train, x = evaluation.data.train.x, evaluation.samples[:SAMPLES]
    if not len(train):
        return {"left_out": "memorisation needs the training split"}
    numbers = _copied(x, train) | {"compared": len(x), "train": len(train)}
    if evaluation.held_out:
        real = random_subset(evaluation.dataset, len(x), evaluation.seed).x
        numbers["real_against_real"] = _copied(real, train)
    return numbers


def _copied(x: np.ndarray, train: np.ndarray) -> dict[str, Any]:
    _, distance = nearest(x, train)
    return {"copied": float((distance == 0).mean()), "nearest_distance": float(np.median(distance))}


OF = " (of {compared:,}" + COMPARED_WITH + ")"
MEMORISATION = register(Measurement(
    name="memorisation", needs=(Samples,), kinds=("text",),
    metrics=(
        Metric("copied", "copied samples", "%",
            "samples that are a training sentence word for word; far more than of held-out sentences indicate"
            " memorised ones", circumstances=OF),
        Metric("nearest_distance", "distance to the nearest training sentence",
            meaning="median edit distance, a share of the tokens of the longer sentence; far below that of"
            " held-out sentences it indicates memorised ones", circumstances=OF),
    ),
    settings=("compared", "train"), compute=_memorisation, slow=True, order=140,
))  # fmt: skip
