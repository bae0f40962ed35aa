"""`fallacy`: p(A | B) read as p(B | A), counted out in 10,000 people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit, Estimate, Finding, Plot, Section, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEOPLE = 10_000


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """How many in B have A, and how many with A are in B: from three numbers, or from a table."""

    table: tyro.conf.Positional[Path | None] = None
    """CSV with a row for each person; instead of the three numbers"""
    a: str = "A"
    """the attribute: with a table, a condition as COL, COL=VALUE or COL>=NUMBER; otherwise a name"""
    b: str = "B"
    """the group: with a table, a condition as COL, COL=VALUE or COL>=NUMBER; otherwise a name"""
    p_given: float | None = None
    """p(A | B): how many of those in B have A"""
    base: float | None = None
    """p(B): how many are in B"""
    other: float | None = None
    """p(A | not B): how many of the others have A"""
    minimum_n: int = 30
    """fewest people in B, not in B and with A; findings about fewer are withheld"""


@dataclass(frozen=True)
class Counts:
    """People, exact numbers or whole ones: with A in B, with A elsewhere, and how many are in B or not."""

    hits: float
    elsewhere: float
    group: float
    others: float

    @property
    def given(self) -> float:
        """p(A | B)"""
        return self.hits / self.group

    @property
    def reverse(self) -> float:
        """p(B | A) = p(A | B) p(B) / (p(A | B) p(B) + p(A | not B) p(not B)), Bayes' rule

        >>> round(Counts(117, 696, 1300, 8700).reverse, 3)
        0.144
        """
        return self.hits / (self.hits + self.elsewhere)

    def of(self, people: int) -> Counts:
        """The same shares of so many people."""
        factor = people / (self.group + self.others)
        return Counts(*(factor * x for x in (self.hits, self.elsewhere, self.group, self.others)))


def audit(arguments: Arguments) -> Audit:
    """Count both directions of a conditional probability.

    Raises:
        ConfigError: neither a table nor three numbers, or both.
        DataError: the table cannot be used.
    """
    from simulacra.errors import ConfigError

    a, b, table = arguments.a, arguments.b, arguments.table
    numbers = {name: getattr(arguments, name) for name in ("p_given", "base", "other")}
    given = [name for name, value in numbers.items() if value is not None]
    if (table is None) == (not given) or (given and len(given) < 3):
        raise ConfigError("fallacy: give --p-given, --base and --other, or a table with --a and --b")
    for name in given:
        if not (0 < numbers[name] < 1 if name == "base" else 0 <= numbers[name] <= 1):
            raise ConfigError(f"{name.replace('_', '-')}: a share lies between 0 and 1, not {numbers[name]}")
    inputs: dict[str, str | int | float]
    few = ""
    if table is not None:
        if a == "A" or b == "B":
            raise ConfigError("fallacy: with a table, name both columns with --a and --b")
        if arguments.minimum_n < 2:
            raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
        n, inputs = _read(table, a, b)
        sizes = {f"in {b}": n.group, f"not in {b}": n.others, f"with {a}": n.hits + n.elsewhere}
        small = [f"{who} ({x:,})" for who, x in sizes.items() if x < arguments.minimum_n]
        few = f"withheld, fewer than {arguments.minimum_n} people are {', '.join(small)}." if small else ""
    else:
        p, base, other = numbers.values()
        n = Counts(p * base, other * (1 - base), base, 1 - base).of(PEOPLE)
        inputs = {f"p({a} | {b})": p, f"p({b})": base, f"p({a} | not {b})": other}
        if n.hits + n.elsewhere == 0:
            raise ConfigError(f"fallacy: nobody has {a}; there is no direction to confuse")
    what = {
        "reversed": f"p({b} | {a})",
        "difference": f"p({a} | {b}) - p({a} | not {b})",
        "innocent": f"share of {b} without {a}",
        "missed": f"share of {a} outside {b}",
    }
    plots, tables = [], []
    if few:
        findings = [
            Finding(name, f"{text}: {few}", "withheld", "Anything about so few.", text)
            for name, text in what.items()
        ]
    else:
        findings = _findings(n, a, b, table is not None, what)
        plots, tables = [_plot(n, a, b)], [_table(n, a, b)]
    return Audit(
        "fallacy",
        f"Which way round: {a} and {b}",
        f"How many of those in {b} have {a}, and how many of those with {a} are in {b}. The second is not "
        "the first.",
        [
            Section("direction", "The direction of the conditional", "data", findings[:2], plots, tables),
            Section("stopping", f"If everybody in {b} is stopped", "actions", findings[2:], plots),
        ],
        inputs,
    )


def _read(table: Path, a: str, b: str) -> tuple[Counts, dict[str, str | int | float]]:
    from simulacra.audit.shared.source import Source

    source = Source(table)
    hits = elsewhere = empty = rest = 0
    for part in source.read({"a": source.condition(a), "b": source.condition(b)}):
        has, is_in = part["a"], part["b"]
        hits, elsewhere = hits + int((has & is_in).sum()), elsewhere + int((has & ~is_in).sum())
        empty, rest = empty + int((~has & is_in).sum()), rest + int((~has & ~is_in).sum())
    for count, words in ((hits + empty, b), (elsewhere + rest, f"not {b}"), (hits + elsewhere, a)):
        if not count:
            raise source.error(f"no row is {words}: there is nothing to compare")
    return Counts(hits, elsewhere, hits + empty, elsewhere + rest), source.about()


def _findings(n: Counts, a: str, b: str, table: bool, what: dict[str, str]) -> list[Finding]:
    from simulacra.audit.shared.intervals import clopper_pearson, newcombe, wilson
    from simulacra.audit.shared.phrasing import amount, base, format_estimate, frequency, interval, out_of

    hits, elsewhere, group, others = (round(x) for x in (n.hits, n.elsewhere, n.group, n.others))
    users = hits + elsewhere

    def share(x: float, of: float) -> Estimate:
        return wilson(round(x), round(of)) if table else Estimate(x / of)

    def people(count: int) -> int | None:
        return count if table else None

    given, reverse = share(n.hits, n.group), share(n.hits, n.hits + n.elsewhere)
    # p(A | B) = p(B | A) where as many have A as are in B; of the rows that are one but not the other,
    # half are of each kind then (McNemar's exact test)
    alone = elsewhere + group - hits
    if table:
        differ = alone > 0 and not clopper_pearson(elsewhere, alone).holds(0.5)
    else:
        differ = abs(n.given - n.reverse) > 1e-12
    away = n.elsewhere / n.others
    gap = newcombe(hits, group, elsewhere, others) if table else Estimate(n.given - away)
    one, two, both = base(n.given), base(n.reverse), base(n.given, away)
    relation = "is not" if differ else "cannot be distinguished here from"
    return [
        Finding(
            "reversed",
            f"Of {one:,} people in {b}, {frequency(n.given, one)} have {a}; of {two:,} people with {a}, "
            f"{frequency(n.reverse, two)} are in {b}. p({a} | {b}) = {format_estimate(given)} {relation} "
            f"p({b} | {a}) = {format_estimate(reverse)}.",
            "finding" if differ else "no finding",
            f"Why those in {b} and the others differ, and whether {a} was looked for as carefully in both.",
            what["reversed"],
            reverse,
            people(users),
            {"given": given},
            "area",
        ),
        Finding(
            "difference",
            f"Of {both:,} people in {b}, {frequency(n.given, both)} have {a}; of {both:,} others, "
            f"{frequency(away, both)}: a difference of {amount(gap.value)}"
            + (f" ({interval(gap)})." if table else "."),
            gap.verdict if table else "stated",
            f"That being in {b} leads to {a}, or the other way round.",
            what["difference"],
            gap,
            people(group + others),
            {"others": share(n.elsewhere, n.others)},
            "area",
        ),
        Finding(
            "innocent",
            f"Stop all {group:,} in {b}, and {group - hits:,} of them, {out_of(1 - n.given)}, are innocent: "
            f"they do not have {a}.",
            "stated",
            f"Whether stopping anybody is worth it; 'simulacra audit decide' weighs the costs. That those "
            f"who are not in {b} are innocent: {elsewhere:,} of them have {a}.",
            what["innocent"],
            share(n.group - n.hits, n.group),
            people(group),
            plot="area",
        ),
        Finding(
            "missed",
            f"Searching only {b} misses {elsewhere:,} of the {users:,} with {a}, {out_of(1 - n.reverse)}.",
            "stated",
            f"How many would be found: that everybody with {a} in {b} is found by looking there.",
            what["missed"],
            share(n.elsewhere, n.hits + n.elsewhere),
            people(users),
            plot="area",
        ),
    ]


def _table(n: Counts, a: str, b: str) -> Table:
    hits, elsewhere, group, others = (round(x) for x in (n.hits, n.elsewhere, n.group, n.others))
    rows = {
        f"with {a}": (hits, elsewhere),
        f"without {a}": (group - hits, others - elsewhere),
        "together": (group, others),
    }
    cells = [[name, f"{x:,}", f"{y:,}", f"{x + y:,}"] for name, (x, y) in rows.items()]
    return Table("Counts", ["people", f"in {b}", f"not in {b}", "together"], cells)


def _plot(n: Counts, a: str, b: str) -> Plot:
    caption = (
        f"All {round(n.group) + round(n.others):,} people. Width: who is in {b}. Coloured: who has {a}. "
        f"p({a} | {b}) is the coloured share of the left column; p({b} | {a}) is the left column's share of "
        "all colour."
    )
    return Plot("area", f"{a} and {b}", area(n, a, b), caption, paper=True)


def area(n: Counts, a: str, b: str) -> Figure:
    """The unit square: columns for B and the rest, coloured as high as A is common in each."""
    from simulacra.report.figures import BLUE, GREY, INK, ORANGE, shortened, single, style

    with style():
        figure, axes = single(420, 330)
        n = n.of(PEOPLE)
        left = n.group / PEOPLE
        start, width = [0, left], [left, 1 - left]
        axes.bar(start, 1, width, align="edge", color=GREY, alpha=0.35, edgecolor="white", linewidth=2)
        bars = axes.bar(
            start, [n.given, n.elsewhere / n.others], width, align="edge", color=[ORANGE, BLUE],
            edgecolor="white", linewidth=2,
        )  # fmt: skip
        counts = [f"{n.hits:,.0f}", f"{n.elsewhere:,.0f}"]
        axes.bar_label(bars, counts, padding=3, color=INK, weight="bold")
        axes.set(xlim=(0, 1), ylim=(0, 1), ylabel=f"with {shortened(a)}, of {PEOPLE:,} people")
        names = [f"{shortened(b)}\n{n.group:,.0f}", f"not {shortened(b)}\n{n.others:,.0f}"]
        axes.set_xticks([left / 2, (1 + left) / 2], names)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.tick_params(axis="x", length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
    return figure
