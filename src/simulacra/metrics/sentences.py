"""Measures of sentences: how much of a reconstruction is right, and how varied samples are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.batch import by_length, in_order, random_subset
from simulacra.core.capabilities import Reconstructs, Samples
from simulacra.data.spec import Dataset
from simulacra.data.text.vocabulary import END, UNKNOWN
from simulacra.metrics.bleu import corpus_bleu, ngrams, self_bleu
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# sentences whose BLEU with all others is computed, at most
OTHERS = 500


def tokens(x: np.ndarray) -> list[list[int]]:
    """The tokens of sentences `(N, T)`, without their ends.

    >>> tokens(np.array([[3, 4, 1, 0], [5, 1, 0, 0]]))
    [[3, 4], [5]]
    """
    return [row[row > END].tolist() for row in x]


def without_unknown(dataset: Dataset) -> Dataset:
    """The sentences without unknown words, as samples are."""
    return dataset.take(np.flatnonzero((dataset.x != UNKNOWN).all(axis=1)))


def distinct(sentences: Sequence[Sequence[int]], n: int) -> float:
    """Different n-grams of all sentences, a share of all their n-grams (Li et al. 2016, arXiv:1510.03055).

    >>> distinct([[3, 4], [3, 5]], 1), distinct([[3, 4], [3, 4]], 2)
    (0.75, 0.5)
    """
    found = [gram for sentence in sentences for gram in ngrams(sentence, n)]
    return len(set(found)) / max(1, len(found))


def _reconstruction(evaluation: Evaluation) -> dict[str, Any]:
    """Unknown tokens are never reconstructed, and count as wrong."""
    model, dataset = evaluation.model, by_length(evaluation.dataset)
    parts = in_order(dataset, evaluation.batch_size, model.device, evaluation.seed)
    y = np.concatenate([model.reconstruct(batch.x).cpu().numpy() for batch in parts])
    x = np.pad(dataset.x, ((0, 0), (0, y.shape[1] - dataset.x.shape[1])))
    there, lengths = (x > END) | (y > END), (x > END).sum(axis=1)
    right = (x == y) & there
    of_length = [(n, lengths == n) for n in np.unique(lengths).tolist()]
    longest = int(there.any(axis=0).sum())
    return {
        "exact_match": float((x == y).all(axis=1).mean()),
        "token_accuracy": float(right.sum() / there.sum()),
        "bleu": corpus_bleu(tokens(y), tokens(x)),
        "accuracy_by_position": (right.sum(axis=0) / there.sum(axis=0).clip(min=1))[:longest].tolist(),
        "accuracy_by_length": [float(right[rows].sum() / there[rows].sum()) for _, rows in of_length],
        "lengths": [n for n, _ in of_length],
    }


RECONSTRUCTION = register(Measurement(
    name="reconstruction", needs=(Reconstructs,), kinds=("text",),
    metrics=(
        Metric("exact_match", "exact reconstructions", "%", "sentences that come back word for word",
            "higher"),
        Metric("token_accuracy", "token accuracy", "%",
            "tokens of reconstructions that are right at their place, of all places of the longer of original"
            " and reconstruction", "higher"),
        Metric("bleu", "BLEU-4 of reconstructions",
            meaning="words in ones to fours that the original has too, from 0 to 1 (Papineni et al. 2002)",
            better="higher"),
    ),
    settings=("accuracy_by_position", "accuracy_by_length", "lengths"), compute=_reconstruction, order=20,
))  # fmt: skip


def variety(x: np.ndarray) -> dict[str, float]:
    """How varied sentences `(N, T)` are; at least two."""
    rows = tokens(x)
    return {
        "distinct_sentences": len(set(map(tuple, rows))) / len(rows),
        "distinct_1": distinct(rows, 1),
        "distinct_2": distinct(rows, 2),
        "self_bleu": self_bleu(rows[:OTHERS]),
    }


def _samples(evaluation: Evaluation) -> dict[str, Any]:
    """As many samples as real sentences."""
    real = without_unknown(evaluation.dataset)
    n = min(len(evaluation.samples), len(real))
    if n < 2:
        return {"left_out": "samples needs two sentences without unknown words"}
    found = variety(evaluation.samples[:n])
    expected = variety(random_subset(real, n, evaluation.seed).x)
    numbers = found | {"samples": n, "real_against_real": expected}
    if found["distinct_sentences"] < expected["distinct_sentences"] / 2:
        many, most = (round(n * values["distinct_sentences"]) for values in (found, expected))
        text = f"samples repeat: {many:,} of {n:,} are different; of as many real sentences {most:,} are"
        numbers["cautions"] = {"samples": text}
    return numbers


AS_REAL = "; compare with as many real sentences"
SAMPLES = register(Measurement(
    name="samples", needs=(Samples,), kinds=("text",),
    metrics=(
        Metric("distinct_sentences", "different samples", "%", f"a share of all{AS_REAL}"),
        Metric("distinct_1", "distinct-1", "%",
            f"different words, a share of all words of the samples (Li et al. 2016){AS_REAL}"),
        Metric("distinct_2", "distinct-2", "%",
            f"different pairs of words, a share of all pairs (Li et al. 2016){AS_REAL}"),
        Metric("self_bleu", "self-BLEU-4",
            meaning=f"mean BLEU of each of at most {OTHERS} samples against the others, from 0 to 1: near 1"
            f" all are alike (Zhu et al. 2018){AS_REAL}"),
    ),
    settings=("samples",), compute=_samples, order=50,
))  # fmt: skip
