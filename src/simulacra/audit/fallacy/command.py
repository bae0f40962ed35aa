"""`fallacy`: p(A | B) read as p(B | A), counted out in 10,000 people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import About, Audit, Estimate, Finding, Plot, Section, Table, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PEOPLE = 10_000
LEAD = (
    "How many of those in {b} have {a}, and how many of those with {a} are in {b}. "
    "The second is not the first."
)


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """How many in B have A, and how many with A are in B: from three numbers, or from a table."""

    table: tyro.conf.Positional[Path | None] = None
    """CSV with a row for each person; instead of the three numbers"""
    a: str = "A"
    """what is looked for: of a table a column, as COL, COL=VALUE or COL>=NUMBER; of numbers its name"""
    b: str = "B"
    """the group: of a table a column, as COL, COL=VALUE or COL>=NUMBER; of numbers its name"""
    p_given: float | None = None
    """p(A | B): how many of those in B have A"""
    base: float | None = None
    """p(B): how many are in B"""
    other: float | None = None
    """p(A | not B): how many of the others have A"""
    minimum_n: int = 30
    """people of a table that have to be in B, not in B, and with A; below, it is withheld"""


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

    numbers = {name: getattr(arguments, name) for name in ("p_given", "base", "other")}
    given = [name for name, value in numbers.items() if value is not None]
    if (arguments.table is None) == (not given) or (given and len(given) < 3):
        raise ConfigError("fallacy: give --p-given, --base and --other, or a table with --a and --b")
    for name, value in numbers.items():
        inside = value is None or (0 < value < 1 if name == "base" else 0 <= value <= 1)
        if not inside:
            raise ConfigError(f"{name.replace('_', '-')}: a share lies between 0 and 1, not {value}")
    if arguments.table is not None:
        if arguments.a == "A" or arguments.b == "B":
            raise ConfigError("fallacy: of a table, name both columns with --a and --b")
        if arguments.minimum_n < 2:
            raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
        counts, inputs = _read(arguments)
    else:
        p, base, other = numbers["p_given"], numbers["base"], numbers["other"]
        counts = Counts(p * base, other * (1 - base), base, 1 - base).of(PEOPLE)
        inputs = {f"p({arguments.a} | {arguments.b})": p, f"p({arguments.b})": base}
        inputs[f"p({arguments.a} | not {arguments.b})"] = other
    return _audit(counts, arguments, inputs)


def _read(arguments: Arguments) -> tuple[Counts, dict[str, str | int | float]]:
    from simulacra.audit.shared.rates import counted
    from simulacra.audit.shared.source import Source

    assert arguments.table is not None
    source = Source(arguments.table)
    parts = source.parts({"a": source.condition(arguments.a), "b": source.condition(arguments.b)})
    n = counted(parts, ["a", "b"])
    hits, elsewhere = int(n.get((True, True), 0)), int(n.get((True, False), 0))
    group, others = hits + int(n.get((False, True), 0)), elsewhere + int(n.get((False, False), 0))
    for count, words in (
        (group, arguments.b),
        (others, f"not {arguments.b}"),
        (hits + elsewhere, arguments.a),
    ):
        if not count:
            raise source.error(f"no row is {words}: there is nothing to compare")
    return Counts(hits, elsewhere, group, others), source.about()


def _audit(n: Counts, arguments: Arguments, inputs: dict[str, str | int | float]) -> Audit:
    from simulacra.audit.shared.intervals import clopper_pearson, newcombe, wilson
    from simulacra.audit.shared.phrasing import amount, base, frequency, interval, out_of, told
    from simulacra.errors import ConfigError

    a, b, table = arguments.a, arguments.b, arguments.table is not None
    if not table and n.hits + n.elsewhere == 0:
        raise ConfigError(f"fallacy: nobody has {a}; there is no direction to confuse")
    k = [round(x) for x in (n.hits, n.elsewhere, n.group, n.others)]
    hits, elsewhere, group, others = k
    users = hits + elsewhere
    named = ((group, f"in {b}"), (others, f"not in {b}"), (users, f"with {a}"))
    small = [f"{words} ({count:,})" for count, words in named if count < arguments.minimum_n]
    if table and small:
        return _withheld(arguments, small, inputs)

    def share(x: float, of: float) -> Estimate:
        return wilson(round(x), round(of)) if table else Estimate(x / of)

    given, reverse = share(n.hits, n.group), share(n.hits, n.hits + n.elsewhere)
    # p(A | B) = p(B | A) where as many have A as are in B; of the rows that are one but not the other,
    # half are of each kind then (McNemar's exact test)
    alone, empty = elsewhere, group - hits
    if table:
        differ = alone + empty > 0 and not clopper_pearson(alone, alone + empty).holds(0.5)
    else:
        differ = abs(n.given - n.reverse) > 1e-12
    verdict: Verdict = "finding" if differ else "no finding"
    one, two = base(n.given), base(n.reverse)
    reversed_ = Finding(
        "reversed",
        f"Of {one:,} in {b} {frequency(n.given, one)} have {a}; of {two:,} with {a} "
        f"{frequency(n.reverse, two)} are in {b}. "
        + (
            f"p({a} | {b}) = {told(given)} is not p({b} | {a}) = {told(reverse)}."
            if differ
            else f"p({a} | {b}) = {told(given)} and p({b} | {a}) = {told(reverse)} cannot be told apart here."
        ),
        verdict,
        f"Why those in {b} and the others differ, and whether {a} was looked for as carefully in both.",
        f"p({b} | {a})",
        reverse,
        users if table else None,
        {"given": given},
        "area",
    )
    stopped = share(n.group - n.hits, n.group)
    stop = Finding(
        "innocent",
        f"Stop all {group:,} in {b}, and {group - hits:,} of them, {out_of(1 - n.given)}, are innocent: "
        f"they do not have {a}.",
        "stated",
        f"Whether stopping anybody is worth it; 'simulacra audit decide' weighs the costs. That those who "
        f"are not in {b} are innocent: {elsewhere:,} of them have {a}.",
        f"share of {b} without {a}",
        stopped,
        group if table else None,
        plot="area",
    )
    missed = share(n.elsewhere, n.hits + n.elsewhere)
    miss = Finding(
        "missed",
        f"Whoever looks in {b} only misses {elsewhere:,} of the {users:,} with {a}, {out_of(1 - n.reverse)}.",
        "stated",
        f"How many would be found: that not everybody with {a} in {b} is found by looking there.",
        f"share of {a} outside {b}",
        missed,
        users if table else None,
        plot="area",
    )
    away = n.elsewhere / n.others
    gap = newcombe(hits, group, elsewhere, others) if table else Estimate(n.given - away)
    both = base(n.given, away)
    told_apart = not gap.holds(0)
    lift = Finding(
        "difference",
        f"Of {both:,} in {b} {frequency(n.given, both)} have {a}, of {both:,} others "
        f"{frequency(away, both)}: a difference of "
        f"{amount(gap.value)}{f' ({interval(gap)})' if table else ''}.",
        ("finding" if told_apart else "no finding") if table else "stated",
        f"That being in {b} leads to {a}, or the other way round.",
        f"p({a} | {b}) - p({a} | not {b})",
        gap,
        group + others if table else None,
        {"others": share(n.elsewhere, n.others)},
        "area",
    )
    people = group + others
    rows = [
        [f"with {a}", f"{hits:,}", f"{elsewhere:,}", f"{users:,}"],
        [f"without {a}", f"{group - hits:,}", f"{others - elsewhere:,}", f"{people - users:,}"],
        ["together", f"{group:,}", f"{others:,}", f"{people:,}"],
    ]
    counted = Table("Counts", ["people", f"in {b}", f"not in {b}", "together"], rows)
    picture = Plot(
        "area",
        f"{a} and {b}",
        area(n, a, b),
        f"All {people:,} people. Width: who is in {b}. Coloured: who has {a}. p({a} | {b}) is how much of "
        f"the left column is coloured; p({b} | {a}) is how much of all colour stands in the left column.",
        paper=True,
    )
    return Audit(
        "fallacy",
        f"Which way round: {a} and {b}",
        LEAD.format(a=a, b=b),
        [
            Section(
                "direction",
                "The direction of the conditional",
                "data",
                [reversed_, lift],
                [picture],
                [counted],
            ),
            Section("stopping", f"If everybody in {b} is stopped", "actions", [stop, miss], [picture]),
        ],
        inputs,
    )


def _withheld(arguments: Arguments, small: list[str], inputs: dict[str, str | int | float]) -> Audit:
    """Nothing is said of so few."""
    a, b = arguments.a, arguments.b
    few = f"withheld, fewer than {arguments.minimum_n} people are {', '.join(small)}."

    def section(name: str, title: str, about: About, findings: dict[str, str]) -> Section:
        made = [
            Finding(f, f"{what}: {few}", "withheld", "Anything about so few.", what)
            for f, what in findings.items()
        ]
        return Section(name, title, about, made)

    direction = {"reversed": f"p({b} | {a})", "difference": f"p({a} | {b}) - p({a} | not {b})"}
    stopping = {"innocent": f"share of {b} without {a}", "missed": f"share of {a} outside {b}"}
    sections = [
        section("direction", "The direction of the conditional", "data", direction),
        section("stopping", f"If everybody in {b} is stopped", "actions", stopping),
    ]
    return Audit("fallacy", f"Which way round: {a} and {b}", LEAD.format(a=a, b=b), sections, inputs)


def area(n: Counts, a: str, b: str) -> Figure:
    """The unit square: columns for B and the rest, coloured as high as A is common in each."""
    from simulacra.report.figures import BLUE, GREY, INK, ORANGE, shortened, single, style

    with style():
        figure, axes = single(420, 330)
        n = n.of(PEOPLE)
        left = n.group / PEOPLE
        columns = (
            (0.0, left, n.given, n.hits, ORANGE),
            (left, 1.0, n.elsewhere / n.others, n.elsewhere, BLUE),
        )
        for start, end, height, count, colour in columns:
            axes.bar(
                start, 1, end - start, align="edge", color=GREY, alpha=0.35, edgecolor="white", linewidth=2
            )
            axes.bar(start, height, end - start, align="edge", color=colour, edgecolor="white", linewidth=2)
            # beside its top where there is no room inside
            axes.text(
                (start + end) / 2,
                height + 0.015,
                f"{count:,.0f}",
                ha="center",
                va="bottom",
                color=INK,
                weight="bold",
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xticks(
            [left / 2, (1 + left) / 2],
            [f"{shortened(b)}\n{n.group:,.0f}", f"not {shortened(b)}\n{n.others:,.0f}"],
        )
        axes.set_ylabel(f"with {shortened(a)}, of {PEOPLE:,} people")
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}%")
        axes.tick_params(axis="x", length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
    return figure
