from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from simulacra.data.text.vocabulary import END, PADDING, SPECIAL, UNKNOWN, Vocabulary

TEXTS = [
    "The cat's well-known owner said: \u201cno\u201d.",
    "na\u00efve caf\u00e9 \U0001f600 \u05e9\u05dc\u05d5\u05dd, 3.5% (or so)!",
    'A man, in a hat ... "sits"',
]


@pytest.mark.parametrize("kind", ["words", "pairs"])
def test_texts_come_back(kind: Literal["words", "pairs"]) -> None:
    vocabulary = Vocabulary.of(TEXTS * 2, kind, 400)
    x = vocabulary.encode(TEXTS, 80)
    assert vocabulary.decode(x) == TEXTS
    assert x.dtype == np.int32
    assert x.max() < len(vocabulary)
    again = Vocabulary(vocabulary.kind, vocabulary.entries)
    assert again == vocabulary
    assert again.tokens == vocabulary.tokens


def test_the_most_frequent_words_are_known() -> None:
    vocabulary = Vocabulary.of(["a a a b b c", "a b d d"], "words", len(SPECIAL) + 2)
    assert vocabulary.tokens == (*SPECIAL, "\u2581a", "\u2581b")
    assert vocabulary.encode(["b c"], 4).tolist() == [[4, UNKNOWN, END, PADDING]]
    assert vocabulary.decode(np.array([[3, UNKNOWN, END, 3]])) == ["a <unknown>"]


def test_words_that_occur_once_are_unknown_unless_all_do() -> None:
    assert "\u2581b" not in Vocabulary.of(["a a b"], "words", 10).tokens
    assert "\u2581b" in Vocabulary.of(["a b"], "words", 10).tokens


def test_a_sentence_that_is_too_long_is_named() -> None:
    with pytest.raises(ValueError, match="sentence 1 has 3 tokens; the most are 2"):
        Vocabulary.of(["a b c"], "words", 10).encode(["a", "a b c"], 3)
