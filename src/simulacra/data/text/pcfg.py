"""Probabilistic context-free grammars with features: notation, samples, exact probabilities."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, product
from math import prod
from random import Random

Body = tuple[str, ...]
Rule = tuple[float, Body]
# the name of a feature or of a variable, inside the brackets of a symbol
FEATURE = re.compile(r"(?<=[\[,])\w+")


class Grammar:
    """A probabilistic context-free grammar whose symbols have features, such as `Noun[plural]`.

    In the notation a line is a rule, `Symbol -> alternative | alternative`, or declares a variable,
    `n = value | value`; a line that begins with `|` continues the one above. An integer before an alternative
    is its weight, 1 if there is none, and several rules of one symbol add up. A variable among the features
    stands for each of its values. One that is on the left stands for the same value on the right: agreement.
    One that is only on the right is drawn from its values. A word is a symbol without a rule. No symbol may
    derive itself.

    Attributes:
        rules: for each symbol its alternatives with their probabilities, which add up to 1.

    Raises:
        ValueError: a symbol with features has no rule.

    >>> grammar = Grammar('''
    ... n = 3 singular | plural
    ... Sentence -> the Noun[n] Verb[n]
    ... Noun[singular] -> dog | cat
    ... Noun[plural] -> dogs
    ... Verb[singular] -> sleeps
    ... Verb[plural] -> sleep
    ... ''')
    >>> grammar.rules["Sentence"]
    [(0.75, ('the', 'Noun[singular]', 'Verb[singular]')), (0.25, ('the', 'Noun[plural]', 'Verb[plural]'))]
    >>> grammar.sample(Random(0), "Sentence")
    ['the', 'dogs', 'sleep']
    >>> sum(grammar.inside("the dog sleeps".split(), "Sentence").values())
    0.375
    """

    def __init__(self, notation: str) -> None:
        self.rules = _expand(notation)
        words = {child for rules in self.rules.values() for _, body in rules for child in body}
        self.words = frozenset(words - self.rules.keys())
        if undefined := sorted(word for word in self.words if "[" in word):
            raise ValueError(f"The symbol {undefined[0]} has no rule.")
        # for each symbol the cumulative probabilities of its alternatives, and these from right to left
        self._draws = {
            symbol: (list(accumulate(p for p, _ in rules))[:-1], [body[::-1] for _, body in rules])
            for symbol, rules in self.rules.items()
        }
        self._corners = {symbol: self._left_corners(symbol) for symbol in self.rules}

    def sample(self, random: Random, start: str) -> list[str]:
        """The words of a derivation of the symbol `start`."""
        words, stack, draws, uniform = [], [start], self._draws, random.random
        while stack:
            symbol = stack.pop()
            if symbol in draws:
                cumulative, bodies = draws[symbol]
                stack += bodies[bisect(cumulative, uniform())]
            else:
                words.append(symbol)
        return words

    def inside(self, words: Sequence[str], start: str) -> dict[Body, float]:
        """The probabilities of all derivations of the words, by the alternative of `start` they begin with.

        Their sum is the probability that `start` derives exactly these words. Alternatives that do not derive
        them are left out.

        Source: the inside algorithm of J. K. Baker, Trainable grammars for speech recognition (1979), over a
        chart that is filled from `start` downwards.
        """
        tokens = (*words, "")
        rules, corners = self.rules, self._corners
        chart: dict[tuple[str, int], dict[int, float]] = {}

        def derive(body: Body, i: int, p: float) -> dict[int, float]:
            ends = {i: p}
            for child in body:
                if child in rules:
                    further: dict[int, float] = {}
                    for j, left in ends.items():
                        for k, right in span(child, j).items():
                            further[k] = further.get(k, 0.0) + left * right
                    ends = further
                else:
                    ends = {j + 1: left for j, left in ends.items() if tokens[j] == child}
                if not ends:
                    break
            return ends

        def span(symbol: str, i: int) -> dict[int, float]:
            # beta(symbol, i, j) = sum over rules p(rule) prod over children beta(child, ...), by j
            known = chart.get((symbol, i))
            if known is None:
                known = chart[symbol, i] = {}
                for p, body in corners[symbol].get(tokens[i], ()):
                    for j, q in derive(body, i, p).items():
                        known[j] = known.get(j, 0.0) + q
            return known

        whole = {body: derive(body, 0, p).get(len(words), 0.0) for p, body in self.rules[start]}
        return {body: p for body, p in whole.items() if p > 0}

    def length(self, start: str) -> int:
        """The number of words of the longest derivation of `start`."""

        @cache
        def longest(symbol: str) -> int:
            if symbol not in self.rules:
                return 1
            return max(sum(map(longest, body)) for _, body in self.rules[symbol])

        return longest(start)

    def _left_corners(self, symbol: str) -> dict[str, list[Rule]]:
        # for each word the alternatives of the symbol that can begin with it
        corners: dict[str, list[Rule]] = {}
        for rule in self.rules[symbol]:
            for word in self._first(rule[1][0]):
                corners.setdefault(word, []).append(rule)
        return corners

    def _first(self, symbol: str) -> frozenset[str]:
        if symbol not in self.rules:
            return frozenset([symbol])
        return frozenset().union(*(self._first(body[0]) for _, body in self.rules[symbol]))


def _expand(notation: str) -> dict[str, list[Rule]]:
    values: dict[str, list[tuple[float, str]]] = {}
    weighted: dict[str, list[Rule]] = {}
    for line in filter(None, map(str.strip, re.sub(r"\n\s*\|", " |", notation).split("\n"))):
        head, sign, text = line.split(maxsplit=2)
        alternatives = [_alternative(part.split()) for part in text.split("|")]
        total = sum(weight for weight, _ in alternatives)
        if sign == "=":
            values[head] = [(weight / total, value) for weight, (value,) in alternatives]
            continue
        agreeing = _variables([head], values)
        for _, bound in _bindings(agreeing, values):
            rules = weighted.setdefault(_bind(head, bound), [])
            for weight, body in alternatives:
                for share, drawn in _bindings(_variables(body, values) - agreeing, values):
                    rules.append((weight * share, tuple(_bind(child, bound | drawn) for child in body)))
    totals = {symbol: sum(weight for weight, _ in rules) for symbol, rules in weighted.items()}
    return {symbol: [(w / totals[symbol], body) for w, body in rules] for symbol, rules in weighted.items()}


def _alternative(items: list[str]) -> Rule:
    return (float(items[0]), tuple(items[1:])) if items[0].isdigit() else (1.0, tuple(items))


def _variables(symbols: Sequence[str], values: dict[str, list[tuple[float, str]]]) -> set[str]:
    return {name for symbol in symbols for name in FEATURE.findall(symbol) if name in values}


def _bindings(
    variables: set[str], values: dict[str, list[tuple[float, str]]]
) -> Iterator[tuple[float, dict[str, str]]]:
    # each assignment of values to the variables, with its probability
    names = sorted(variables)
    for drawn in product(*(values[name] for name in names)):
        yield prod(p for p, _ in drawn), dict(zip(names, (value for _, value in drawn), strict=True))


def _bind(symbol: str, bound: dict[str, str]) -> str:
    return FEATURE.sub(lambda name: bound.get(name[0], name[0]), symbol)
