"""Grammars: the notation, and probabilities against an enumeration of all derivations."""

from collections import Counter
from itertools import product
from math import prod, sqrt
from random import Random

import pytest

from simulacra.data.text.pcfg import Grammar

# "fish swim fast" has two derivations; "fish" is singular, plural and a verb
TINY = """
    n = 2 singular | plural
    m = singular | plural
    Sentence -> 3 Phrase[n] Verb[n] | Phrase[n] Verb[n] Phrase[m]
              | 2 Noun[n] Manner Verb[n]
    Sentence -> Noun[plural] Slow
    Phrase[n] -> Noun[n] | the Noun[n] | the very big Noun[n]
    Noun[singular] -> 3 fish | dog
    Noun[plural] -> fish | 2 dogs
    Verb[singular] -> swims | fishes
    Verb[plural] -> swim | fish | swim Manner
    Slow -> swim Manner
    Manner -> fast | 4 slowly
"""


def derivations(grammar: Grammar, symbol: str) -> Counter[tuple[str, ...]]:
    """The probability of each text that a symbol derives, by writing out all derivations."""
    if symbol not in grammar.rules:
        return Counter({(symbol,): 1.0})
    texts: Counter[tuple[str, ...]] = Counter()
    for p, body in grammar.rules[symbol]:
        for parts in product(*(derivations(grammar, child).items() for child in body)):
            texts[sum((words for words, _ in parts), ())] += p * prod(q for _, q in parts)
    return texts


def test_probabilities_are_those_of_an_enumeration_and_add_up_to_1() -> None:
    grammar = Grammar(TINY)
    texts = derivations(grammar, "Sentence")
    assert sum(texts.values()) == pytest.approx(1, abs=1e-12)
    for words, p in texts.items():
        assert sum(grammar.inside(words, "Sentence").values()) == pytest.approx(p, rel=1e-12)
    # no other text of these words has a probability
    for n in range(4):
        for words in product(sorted(grammar.words), repeat=n):
            if words not in texts:
                assert grammar.inside(words, "Sentence") == {}


def test_a_text_with_several_derivations_has_the_sum_of_their_probabilities() -> None:
    found = Grammar(TINY).inside(("fish", "swim", "fast"), "Sentence")
    assert found == {
        ("Phrase[plural]", "Verb[plural]"): pytest.approx(3 / 7 / 3 / 3 / 3 / 3 / 5),
        ("Noun[plural]", "Slow"): pytest.approx(1 / 7 / 3 / 5),
    }


def test_samples_have_their_probabilities_as_frequencies() -> None:
    grammar, random, n = Grammar(TINY), Random(0), 20_000
    counts = Counter(tuple(grammar.sample(random, "Sentence")) for _ in range(n))
    texts = derivations(grammar, "Sentence")
    assert counts.keys() <= texts.keys()
    for words, p in texts.items():
        assert abs(counts[words] / n - p) < 4.5 * sqrt(p * (1 - p) / n)


def test_a_variable_agrees_with_the_left_side_and_is_drawn_by_its_weights_on_the_right_side() -> None:
    rules = Grammar(TINY).rules
    assert rules["Phrase[plural]"] == [
        (1 / 3, ("Noun[plural]",)),
        (1 / 3, ("the", "Noun[plural]")),
        (1 / 3, ("the", "very", "big", "Noun[plural]")),
    ]
    assert rules["Sentence"][:2] == [
        (pytest.approx(3 / 7 * 2 / 3), ("Phrase[singular]", "Verb[singular]")),
        (pytest.approx(3 / 7 * 1 / 3), ("Phrase[plural]", "Verb[plural]")),
    ]


def test_the_longest_derivation_is_counted() -> None:
    grammar = Grammar(TINY)
    assert grammar.length("Sentence") == max(map(len, derivations(grammar, "Sentence"))) == 10


def test_a_symbol_without_a_rule_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"The symbol Noun\[dual\] has no rule\."):
        Grammar("Sentence -> Noun[dual]")
