"""Wrongs that add up: the chance of being wronged at least once in n encounters, by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log, log1p

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulacra.audit.shared import figures
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.groups import Groups
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import at_once, base, format_estimate, frequency, shorten
from simulacra.audit.shared.rates import all_pairs, keyed, surest
from simulacra.audit.shared.source import Field, Source
from simulacra.report.figures import BLUE, GREEN, GREY, MUTED, ORANGE, PURPLE, single, style

RATE, WRONGED, N, ENCOUNTERS = "rate", "wronged", "n", "encounters"
MOST = 1_000_000
COLOURS = (ORANGE, BLUE, GREEN, PURPLE, GREY)


def at_least_once(rate: float, n: int) -> float:
    """1 - (1 - r)^n, the chance of being wronged at least once in n independent encounters.

    >>> round(at_least_once(0.1, 10), 4), at_least_once(0.0, 5), at_least_once(1.0, 1)
    (0.6513, 0.0, 1.0)
    """
    return -expm1(n * log1p(-rate)) if rate < 1 else 1.0


@dataclass(frozen=True)
class Wronged:
    """How often a group is wronged: `rate`, exact, or k of n encounters; and encounters of a person."""

    group: str
    encounters: int
    rate: float
    k: int | None = None
    n: int | None = None

    @property
    def value(self) -> float:
        """The chance of being wronged at least once."""
        return at_least_once(self.rate, self.encounters)

    def once(self, level: float = LEVEL, encounters: int | None = None) -> Estimate:
        """The chance of being wronged at least once; of counts with the ends of Wilson's interval of r."""
        N = self.encounters if encounters is None else encounters
        if self.k is None or self.n is None:
            return Estimate(at_least_once(self.rate, N))
        low, high = wilson(self.k, self.n, level).ends
        return Estimate(*(at_least_once(r, N) for r in (self.rate, low, high)))


def read(source: Source, encounters: int | None) -> tuple[str, list[Wronged]]:
    """Read a table with a row for each group: its columns, and either `rate`, or `wronged` and `n`.

    Args:
        source: the table; a column `encounters` gives how many a person of the group has.
        encounters: the same for all, instead of the column.

    Returns:
        What sentences call the groups, and the groups in their order.

    Raises:
        DataError: a column is missing, or a cell cannot be used.
    """
    given = [name for name in (RATE, WRONGED, N, ENCOUNTERS) if name in source.names]
    if (RATE in given) == (WRONGED in given):
        raise source.error(
            "needs either a column 'rate', the chance of being wronged in an encounter, or 'wronged' and "
            "'n', how many of how many encounters were a wrong"
        )
    if WRONGED in given:
        source.column(N)
    if (ENCOUNTERS in given) == (encounters is not None):
        raise source.error("give the encounters of a person with --encounters, or in a column 'encounters'")
    columns = [name for name in source.names if name not in (RATE, WRONGED, N, ENCOUNTERS)]
    if not columns:
        raise source.error("has no column that names the groups")
    groups = Groups(source, ",".join(columns))
    fields: dict[str, Field] = dict(groups.fields)
    fields |= {name: source.probability(name) if name == RATE else source.number(name) for name in given}
    table = pd.concat([groups.crossed(part) for part in source.parts(fields)])
    if source.left_out:
        raise source.error(f"{source.left_out:,} rows lack a value; fill them in, or take them out")
    key = list(groups.labels)[-1]
    if (twice := table[key].duplicated()).any():
        raise source.error(f"'{table[key][twice].iloc[0]}' has several rows; keep one")
    found = []
    for place, row in table.iterrows():
        whole = {name: _whole(source, place, name, row[name]) for name in given if name != RATE}
        N_ = whole.get(ENCOUNTERS, encounters)
        assert N_ is not None
        k, n = whole.get(WRONGED), whole.get(N) if WRONGED in given else None
        if k is not None and n is not None and k > n:
            raise source.error(f"row {place}: {k:,} wrongs in {n:,} encounters")
        rate = row[RATE] if RATE in given else k / n if k is not None and n is not None else 0.0
        found.append(Wronged(str(row[key]), N_, float(rate), k, n))
    return groups.labels[key], found


def _whole(source: Source, place: object, name: str, value: float) -> int:
    least = 0 if name == WRONGED else 1
    if value != int(value) or not least <= value <= (MOST if name == ENCOUNTERS else 1e15):
        most = f" up to {MOST:,}" if name == ENCOUNTERS else ""
        raise source.error(
            f"column '{name}', row {place}: {value:g}; write a whole number from {least}{most}"
        )
    return int(value)


def section(column: str, groups: Sequence[Wronged], minimum: int) -> Section:
    """The finding about all groups, its figures, and the numbers of each.

    Args:
        column: what the groups are groups of.
        groups: in any order.
        minimum: encounters that a rate has to be counted in.
    """
    kept = [g for g in groups if g.n is None or g.n >= minimum]
    intervals = any(g.n for g in kept)
    chart = figures.rows(
        [(g.group, g.n or 0, g.once() if g in kept else None) for g in groups],
        "wronged at least once",
        shares=True,
    )
    caption = "How many people of each group are wronged at least once in their encounters."
    caption += " Lines: 95% intervals." if intervals else ""
    plots = [Plot("wronged", f"Wronged at least once: {column}", chart, caption)]
    if kept:
        caption = "1 - (1 - r)^n. Dots: how many encounters a person of the group has."
        caption += " Bands: 95% intervals." if intervals else ""
        caption += f" {len(COLOURS)} of {len(kept)} groups." if len(kept) > len(COLOURS) else ""
        plots.append(Plot("encounters", "With every encounter", over(_drawn(kept)), caption))
    head = [
        column, "r, wronged in an encounter", "encounters, n", "at least once", "times, r n", "half by n =",
    ]  # fmt: skip
    rows = [[g.group, *_cells(g, g in kept)] for g in sorted(groups, key=lambda g: -g.value)]
    note = "half by: the encounters after which half of the people were wronged, ln 0.5 / ln(1 - r)."
    finding = _finding(column, groups, kept, minimum)
    table = Table("By group", head, rows, note)
    return Section("wronged", "Wrongs that add up", "actions", [finding], plots, [table])


def _cells(g: Wronged, kept: bool) -> list[str]:
    if not kept:
        return [f"withheld, n = {g.n:,}", f"{g.encounters:,}", "", "", ""]
    r = Estimate(g.rate) if g.k is None or g.n is None else wilson(g.k, g.n)
    half = f"{log(0.5) / log1p(-g.rate):,.1f}" if 0 < g.rate < 1 else "never" if g.rate == 0 else "1"
    return [
        format_estimate(r),
        f"{g.encounters:,}",
        format_estimate(g.once()),
        f"{g.rate * g.encounters:,.2f}",
        half,
    ]


def _finding(column: str, groups: Sequence[Wronged], kept: Sequence[Wronged], minimum: int) -> Finding:
    name, what = f"wronged.{slug(column)}", "difference of chances of being wronged at least once"
    limits = (
        "Whether these wrongs can be avoided, or how heavy each is. It assumes that encounters do not depend "
        "on each other and that everybody in a group runs the same risk: where it is always the same people, "
        "fewer are wronged at least once, and those again and again."
    )
    small = shorten(f"{g.group} ({g.n:,})" for g in groups if g not in kept)
    if small:
        limits += f" Nothing about groups with fewer than {minimum} encounters counted: {small}."
    both, level = all_pairs(kept)
    if not both:
        why = f"only {len(kept) or 'no'} group has {minimum} encounters counted or more" if small else ""
        sentence = f"Chances of being wronged at least once by {column}: withheld, " + (
            why.replace("only no", "no") or "there is one group only"
        )
        return Finding(name, f"{sentence}.", "withheld", limits, what, plot="wronged")
    gaps = {pair: _less(*pair, level) for pair in both}
    (high, low), sure = surest(gaps)
    d, ratio = gaps[high, low], _ratio(high, low, level)
    counted = d.low is not None
    numbers = [f"ratio {format_estimate(ratio)}"] if ratio is not None else []
    numbers.append(
        f"difference {format_estimate(d)}{at_once(len(both), 'pairs of groups') if counted else ''}"
    )
    people, one = base(high.value, low.value), base(high.rate, low.rate)
    same = high.encounters == low.encounters
    within = f" in {'' if same else 'their '}{high.encounters:,} encounters"
    also = "" if same else f" in their {low.encounters:,}"
    sentence = (
        f"Of {people:,} people whose {column} is {high.group}, {frequency(high.value, people)} are "
        f"wronged at least once{within}; of {people:,} whose {column} is {low.group}, "
        f"{frequency(low.value, people)}{also}: {', '.join(numbers)}. In a single encounter "
        f"it is {frequency(high.rate, one)} and {frequency(low.rate, one)} of {one:,}."
    )
    more = {"higher": high.once(), "lower": low.once()} | ({"ratio": ratio} if ratio is not None else {})
    more = keyed("group", ((g.group, g.once()) for g in kept), more)
    if not counted:
        return Finding(name, sentence, "stated", limits, what, d, None, more, "wronged")
    room = "The data are compatible with no difference."
    return conclude(
        sure, room, name, sentence, limits, what, d, (high.n or 0) + (low.n or 0), more, "wronged"
    )


def _less(a: Wronged, b: Wronged, level: float) -> Estimate:
    x, y = a.once(level), b.once(level)
    if x.low is None:
        return Estimate(x.value - y.value)
    d = combined([(1, x), (-1, y)])
    low, high = d.ends
    return Estimate(d.value, max(low, -1.0), min(high, 1.0))


def _ratio(a: Wronged, b: Wronged, level: float) -> Estimate | None:
    """From the difference of the logs; None where an end is 0."""
    x, y = a.once(level), b.once(level)
    if min(x.ends[0], y.ends[0]) <= 0:
        return None
    if x.low is None:
        return Estimate(x.value / y.value)
    logs = [Estimate(*(log(end) for end in (e.value, *e.ends))) for e in (x, y)]
    d = combined([(1, logs[0]), (-1, logs[1])])
    return Estimate(x.value / y.value, *(float(np.exp(end)) for end in d.ends))


def _drawn(groups: Sequence[Wronged]) -> list[Wronged]:
    """The two that differ most, and those whose rate was counted in most encounters."""
    ordered = sorted(groups, key=lambda g: -g.rate)
    first = [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered
    rest = sorted(ordered[1:-1], key=lambda g: -(g.n or 0))
    return sorted([*first, *rest][: len(COLOURS)], key=lambda g: -g.rate)


def over(groups: Sequence[Wronged]) -> Figure:
    """The chance over the number of encounters, a line for each group, as many as there are colours."""
    last = max(20, 2 * max(g.encounters for g in groups))
    x = np.unique(np.linspace(0, last, 200).round().astype(int))
    with style():
        figure, axes = single(figures.WIDTH, 310)
        for g, colour in zip(groups, COLOURS, strict=False):
            estimates = [g.once(encounters=int(n)) for n in x]
            low, high = zip(*(e.ends for e in estimates), strict=True)
            axes.fill_between(x, low, high, color=colour, alpha=0.22, linewidth=0)
            axes.plot(x, [e.value for e in estimates], color=colour, linewidth=2)
            axes.plot([g.encounters], [g.value], color=colour, marker="o", markersize=6)
        axes.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
        axes.set(xlim=(0, last), ylim=(0, 1), xlabel="encounters", ylabel="wronged at least once")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.yaxis.set_major_formatter(figures.percent)
        axes.grid()
        figures.legend(figure, (g.group for g in groups), COLOURS)
    return figure
