"""Shares and means of groups, and the difference between groups that the data are surest of."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol, TypeVar

from simulacra.audit.shared import intervals
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, slug
from simulacra.audit.shared.phrasing import amount, at_once, base, format_estimate, frequency, shorten

# people that a number of a group needs at least
MINIMUM = 30


@dataclass(frozen=True)
class Rate:
    """k of the n people of a group."""

    group: str
    k: int
    n: int

    @property
    def value(self) -> float:
        return self.k / self.n

    def estimate(self, level: float = LEVEL) -> Estimate:
        """The share, with Wilson's interval."""
        return intervals.wilson(self.k, self.n, level)

    def over(self, other: Rate, level: float = LEVEL) -> Estimate | None:
        """The ratio, with Katz's interval; None where a count is 0."""
        return intervals.katz(self.k, self.n, other.k, other.n, level)


@dataclass(frozen=True)
class Mean:
    """The sum of a number over the n people of a group, and that of its square."""

    group: str
    total: float
    squares: float
    n: int

    @property
    def value(self) -> float:
        return self.total / self.n

    def estimate(self, level: float = LEVEL) -> Estimate:
        """The mean, with Student's interval."""
        return intervals.mean(self.total, self.squares, self.n, level)


Measured = Rate | Mean


class HasValue(Protocol):
    """A number of a group."""

    @property
    def value(self) -> float: ...


K = TypeVar("K", bound=Hashable)
M = TypeVar("M", bound=HasValue)


@dataclass(frozen=True)
class Gap:
    """Two groups, the higher one first, and their difference with an interval good for all pairs at once."""

    high: Measured
    low: Measured
    difference: Estimate
    pairs: int
    level: float


def difference(first: Measured, second: Measured, level: float = LEVEL) -> Estimate:
    """First less second, with Newcombe's interval of shares or Welch's of means.

    Raises:
        TypeError: a share and a mean.
    """
    if isinstance(first, Rate) and isinstance(second, Rate):
        return intervals.newcombe(first.k, first.n, second.k, second.n, level)
    if isinstance(first, Mean) and isinstance(second, Mean):
        a, b = ((m.total, m.squares, m.n) for m in (first, second))
        return intervals.welch(a, b, level)
    raise TypeError("a share and a mean cannot be compared")


def enough(measured: Sequence[Measured], minimum: int = MINIMUM) -> list[Measured]:
    """The groups that are large enough to be spoken of."""
    return [m for m in measured if m.n >= minimum and m.n > 1]


def surest(numbers: Mapping[K, Estimate]) -> tuple[K, bool]:
    """Which of several differences leaves 0 out most clearly: its interval stays farthest from 0.

    Returns:
        Its key, and True; where no interval leaves 0 out, that of the largest difference, and False.

    >>> surest({"a": Estimate(0.3, 0.05, 0.6), "b": Estimate(-0.2, -0.3, -0.1)})
    ('b', True)
    """
    sure = [key for key, e in numbers.items() if not e.holds(0)]
    if sure:
        return max(sure, key=lambda key: numbers[key].clearance), True
    return max(numbers, key=lambda key: abs(numbers[key].value)), False


def all_pairs(measured: Sequence[M]) -> tuple[list[tuple[M, M]], float]:
    """All pairs, the one with the higher value first, and the level at which all their intervals hold at once
    with at least 95%: 1 - 0.05 / pairs (Bonferroni)."""
    both = list(combinations(sorted(measured, key=lambda m: -m.value), 2))
    return both, 1 - (1 - LEVEL) / max(len(both), 1)


def widest(measured: Sequence[Measured], minimum: int = MINIMUM) -> Gap | None:
    """The pair of groups whose difference is surest: the one with the highest lower end of its interval.

    With G groups large enough there are G (G - 1) / 2 pairs, and each interval is of level
    1 - 0.05 / pairs, so that all of them hold at once with at least 95% (Bonferroni). Where none leaves 0
    out, the pair that differs most.

    Returns:
        None where fewer than two groups have `minimum` people.

    >>> gap = widest([Rate("A", 805, 1795), Rate("B", 349, 1488), Rate("C", 2, 3)])
    >>> gap.high.group, gap.low.group, gap.pairs
    ('A', 'B', 1)
    """
    both, level = all_pairs(enough(measured, minimum))
    if not both:
        return None
    gaps = {pair: difference(*pair, level) for pair in both}
    pair, _ = surest(gaps)
    return Gap(*pair, gaps[pair], len(both), level)


def compared(
    name: str,
    measured: Sequence[Measured],
    *,
    what: str,
    of: str,
    did: str,
    column: str,
    does_not_show: str,
    plot: str | None = None,
    minimum: int = MINIMUM,
) -> Finding:
    """The finding about a number of several groups: the two that differ most surely, or withheld.

    Its number is the difference, higher less lower. Gates reach `higher` and `lower`, of shares also
    `ratio`, as `group.NAME` the number of every group that is large enough, and as `largest` the difference
    of the two largest groups where these are others.

    Args:
        name: of the finding.
        measured: a number of every group.
        what: what the number is, in the plural ("false-positive rates", "costs").
        of: who is counted ("people without two_year_recid").
        did: what happened to those who are counted in k ("were flagged"); of means what the number is,
            with its verb ("cost 1.2 euros each" has did="cost {} euros each").
        column: what the groups are groups of.
        does_not_show: as in `Finding`; groups that are too small are added.
        plot: as in `Finding`.
        minimum: people that a group needs.

    >>> rates = [Rate("A", 805, 1795), Rate("B", 349, 1488)]
    >>> compared("fpr.race", rates, what="rates", of="innocent people", did="were flagged", column="race",
    ...          does_not_show="Why.").sentence  # doctest: +NORMALIZE_WHITESPACE
    'Of 100 innocent people whose race is A, 45 were flagged; of 100 whose race is B, 23: ratio 1.91 (95% 1.72
     to 2.12), difference 0.214 (95% 0.182 to 0.245).'
    """
    gap, kept = widest(measured, minimum), enough(measured, minimum)
    small = shorten(f"{m.group} ({m.n:,})" for m in measured if m not in kept)
    if gap is None:
        why = "only one group has" if kept else "no group has"
        rest = f" Too small: {small}." if small else ""
        sentence = f"{what[0].upper()}{what[1:]} by {column}: withheld, {why} {minimum} {of} or more.{rest}"
        return Finding(name, sentence, "withheld", does_not_show, what, plot=plot)
    if small:
        does_not_show += f" Nothing about groups with fewer than {minimum} {of}: {small}."
    high, low = gap.high, gap.low
    more, numbers = {"higher": high.estimate(), "lower": low.estimate()}, []
    if isinstance(high, Rate) and isinstance(low, Rate):
        if ratio := high.over(low, gap.level):
            more["ratio"] = ratio
            numbers.append(f"ratio {format_estimate(ratio)}")
        people = base(high.value, low.value)
        sentence = (
            f"Of {people:,} {of} whose {column} is {high.group}, {frequency(high.value, people)} {did}; of "
            f"{people:,} whose {column} is {low.group}, {frequency(low.value, people)}"
        )
    else:
        sentence = (
            f"{of[0].upper()}{of[1:]} whose {column} is {high.group} {did.format(amount(high.value))}, those "
            f"whose {column} is {low.group} {amount(low.value)}"
        )
    numbers.append(f"difference {format_estimate(gap.difference)}")
    # the two largest groups, unless they are those of the gap
    two = sorted(sorted(kept, key=lambda m: -m.n)[:2], key=lambda m: -m.value)
    largest = ""
    if {m.group for m in two} != {high.group, low.group}:
        more["largest"] = difference(two[0], two[1], gap.level)
        people = base(*(m.value for m in two))
        count = [
            f"{frequency(m.value, people)} of {people:,}" if isinstance(m, Rate) else amount(m.value)
            for m in two
        ]
        largest = (
            f" The two largest groups: {two[0].group} {count[0]}, {two[1].group} {count[1]}, difference "
            f"{format_estimate(more['largest'])}."
        )
    found = not gap.difference.holds(0)
    return Finding(
        name,
        f"{sentence}: {', '.join(numbers)}{at_once(gap.pairs, 'pairs of groups')}."
        + ("" if found else " The data are compatible with no difference.")
        + largest,
        "finding" if found else "no finding",
        does_not_show,
        f"difference of {what}",
        gap.difference,
        high.n + low.n,
        keyed("group", ((m.group, m.estimate()) for m in kept), more),
        plot,
    )


def unique(name: str, taken: Iterable[str]) -> str:
    """A name that is not taken, numbered where necessary.

    >>> unique("a", ["a", "a-2"])
    'a-3'
    """
    taken, tried, i = set(taken), name, 2
    while tried in taken:
        tried, i = f"{name}-{i}", i + 1
    return tried


def keyed(
    prefix: str, estimates: Iterable[tuple[str, Estimate]], more: Mapping[str, Estimate] | None = None
) -> dict[str, Estimate]:
    """`Finding.more` with a number for each name, as `PREFIX.SLUG`, after those that it has.

    >>> list(keyed("group", [("Native American", Estimate(1)), ("native-american", Estimate(2))]))
    ['group.native-american', 'group.native-american-2']
    """
    found = dict(more or {})
    for name, e in estimates:
        found[unique(f"{prefix}.{slug(name)}", found)] = e
    return found
