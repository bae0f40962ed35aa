"""BLEU of sentences: their words, pairs, triples and quadruples of words that are in references too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp
from typing import Any

import numpy as np

# n-grams up to this n
N = 4
# of n-grams that have no match (Chen and Cherry 2014, method 1)
SMOOTHED = 0.1

Tokens = Sequence[Any]


def ngrams(tokens: Tokens, n: int) -> list[tuple[Any, ...]]:
    """The runs of n tokens of a sentence.

    >>> ngrams("abc", 2)
    [('a', 'b'), ('b', 'c')]
    """
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def corpus_bleu(sentences: Sequence[Tokens], references: Sequence[Tokens]) -> float:
    """BLEU-4 of sentences with one reference each, from 0 to 1, with n-grams counted over all sentences.

        BLEU = min(1, exp(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4)

    with p_n the share of the n-grams of sentences that are in their references, none more often than there,
    and r and c the tokens of all references and sentences (Papineni et al. 2002, section 2.3). It is not
    smoothed: 0 where no four tokens in a row match.

    >>> round(corpus_bleu([[1, 2, 3, 4, 5]], [[1, 2, 3, 4, 6]]), 4)
    0.6687
    """
    matches, totals = np.zeros(N), np.zeros(N)
    for x, y in zip(sentences, references, strict=True):
        for n in range(1, N + 1):
            counts, there = Counter(ngrams(x, n)), Counter(ngrams(y, n))
            matches[n - 1] += (counts & there).total()
            totals[n - 1] += counts.total()
    if not matches.all():
        return 0.0
    brevity = 1 - sum(map(len, references)) / sum(map(len, sentences))
    return float(exp(min(0.0, brevity)) * exp(np.log(matches / totals).mean()))


def self_bleu(sentences: Sequence[Tokens]) -> float:
    """The mean BLEU-4 of each sentence with all others as references: 1 where all are the same.

    Zhu et al. 2018, arXiv:1802.01886. BLEU of single sentences is smoothed: n-grams without a match count as
    0.1 of one, and sentences of fewer than 4 tokens as if they had one n-gram of each n.

    Args:
        sentences: at least two.

    >>> self_bleu(["abcd", "abcd"]), round(self_bleu(["abcd", "efgh"]), 4)
    (1.0, 0.0)
    """
    # the two largest counts of each n-gram in a sentence: one of them is that of another sentence
    counts = [[Counter(ngrams(x, n)) for x in sentences] for n in range(1, N + 1)]
    largest: dict[Any, tuple[int, int]] = {}
    for of_n in counts:
        for one in of_n:
            for gram, count in one.items():
                first, second = largest.get(gram, (0, 0))
                largest[gram] = (count, first) if count >= first else (first, max(second, count))
    lengths = Counter(map(len, sentences))

    def elsewhere(gram: Any, count: int) -> int:
        first, second = largest[gram]
        return second if count == first else first

    def score(i: int, length: int) -> float:
        own = [of_n[i] for of_n in counts]
        matches = [sum(min(k, elsewhere(gram, k)) for gram, k in one.items()) for one in own]
        # without a token in common there is no overlap
        if not matches[0]:
            return 0.0
        shares = [(k or SMOOTHED) / max(1, one.total()) for k, one in zip(matches, own, strict=True)]
        # the length that is closest, the shorter of two
        others = [other for other, k in lengths.items() if k > (other == length)]
        r = min(others, key=lambda other: (abs(other - length), other))
        return exp(min(0.0, 1 - r / length)) * float(np.exp(np.log(shares).mean()))

    return float(np.mean([score(i, len(x)) for i, x in enumerate(sentences)]))
