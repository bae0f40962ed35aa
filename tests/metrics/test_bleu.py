"""BLEU against values computed by hand, and against other libraries where they are installed."""

from __future__ import annotations

from math import exp, sqrt
from typing import Any

import numpy as np
import pytest

from simulacra.metrics.bleu import SMOOTHED, corpus_bleu, self_bleu


def sentences(n: int, seed: int) -> list[list[str]]:
    rng = np.random.default_rng(seed)
    return [[f"w{k}" for k in rng.integers(0, 4, length)] for length in rng.integers(4, 12, n)]


def test_corpus_bleu_by_hand() -> None:
    # 5/6, 3/5, 2/4, 1/3 of the n-grams; c = 6, r = 7
    x = [["the", "cat", "sat", "on", "a", "mat"]]
    y = [["the", "cat", "sat", "on", "the", "red", "mat"]]
    assert corpus_bleu(x, y) == pytest.approx(exp(1 - 7 / 6) * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # a word counts as often as in the reference
    assert corpus_bleu([["the", "the", "the", "the"], y[0]], [["the", "cat"], y[0]]) == pytest.approx(
        (8 / 11 * 6 / 9 * 5 / 7 * 4 / 5) ** 0.25
    )
    assert corpus_bleu([["a", "b", "c"]], [["a", "b", "c"]]) == 0
    assert corpus_bleu(y, y) == 1


def test_self_bleu_by_hand() -> None:
    # a b c d against a b c e: 3/4, 2/3, 1/2, and one without a match
    one = (3 / 4 * 2 / 3 * 1 / 2 * SMOOTHED) ** 0.25
    assert self_bleu(["abcd", "abce"]) == pytest.approx(one)
    # both a of the first are in the second, which has three
    pair = sqrt(sqrt(1 * 1 * SMOOTHED * SMOOTHED)) * exp(1 - 3 / 2), (2 / 3 * 1 / 2 * SMOOTHED**2) ** 0.25
    assert self_bleu(["aa", "aaa"]) == pytest.approx(np.mean(pair))
    assert self_bleu(["abcde"] * 3) == 1
    assert self_bleu(["abcd", "efgh", "ijkl"]) == 0


def test_values_are_those_of_sacrebleu() -> None:
    metric: Any = pytest.importorskip("sacrebleu").metrics.BLEU(tokenize="none", smooth_method="none")
    x, y = sentences(50, 0), sentences(50, 1)
    expected = metric.corpus_score([" ".join(one) for one in x], [[" ".join(one) for one in y]])
    assert 100 * corpus_bleu(x, y) == pytest.approx(expected.score)


def test_values_are_those_of_nltk() -> None:
    bleu: Any = pytest.importorskip("nltk.translate.bleu_score")
    x, y = sentences(20, 0), sentences(20, 1)
    assert corpus_bleu(x, y) == pytest.approx(bleu.corpus_bleu([[one] for one in y], x))
    smooth = bleu.SmoothingFunction().method1
    each = [bleu.sentence_bleu(x[:i] + x[i + 1 :], x[i], smoothing_function=smooth) for i in range(20)]
    assert self_bleu(x) == pytest.approx(np.mean(each))
