"""How a column is associated with others, and what setting it from outside would do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from simulacra.audit.causes import graph_chart
from simulacra.audit.causes.adjustment import Column, Effect, NoEffect, column, effect
from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude, slug
from simulacra.audit.shared.phrasing import (
    NO_DIFFERENCE,
    amount,
    base,
    format_estimate,
    frequency,
    join_words,
    out_of,
)
from simulacra.audit.shared.rates import unique
from simulacra.errors import ConfigError, nearest

LIMITS = (
    "Anything, if the graph is wrong: a missing arrow, above all from something unmeasured, changes this "
    "number. Columns of numbers were adjusted for along straight lines, of shares along logistic curves."
)


@dataclass(frozen=True)
class Intervention:
    """Setting a column from outside: do(x = value).

    Attributes:
        x: the column that is set.
        text: the value, as written in the table.
        value: the value as a number; 1 where x has groups.
    """

    x: str
    text: str
    value: float

    @classmethod
    def parse(cls, text: str, graph: Graph, table: Mapping[str, Column]) -> Intervention:
        """Read `COL=VALUE`.

        Raises:
            ConfigError: it has another form, or the column has no such value.
        """
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not value:
            raise ConfigError(f"do: '{text}' sets nothing; write COL=VALUE")
        if name not in table:
            hidden = f"'{name}' is hidden" if name in graph.hidden else f"the graph has no node '{name}'"
            raise ConfigError(f"do: {hidden}, {nearest(name, table)}")
        x = table[name]
        if x.positive or x.categorical:
            if value not in x.groups:
                raise ConfigError(f"do: column '{name}' never holds '{value}', {nearest(value, x.groups)}")
            return cls(name, value, 1.0)
        try:
            number = float(value)
        except ValueError:
            raise ConfigError(f"do: '{value}' is not a number, but column '{name}' holds numbers") from None
        low, high = float(x.values.min()), float(x.values.max())
        if not low <= number <= high:
            raise ConfigError(f"do: column '{name}' lies between {low:g} and {high:g}; no row has {value}")
        return cls(name, value, number)

    def may_change(self, graph: Graph, table: Mapping[str, Column]) -> list[str]:
        """Columns that do not act on x themselves."""
        return [name for name in table if name != self.x and not graph.affects(name, self.x)]

    def excluded(self, graph: Graph, table: Mapping[str, Column]) -> list[str]:
        """Those of them that x does not act on either."""
        return [name for name in self.may_change(graph, table) if not graph.affects(self.x, name)]


def sections(graph: Graph, table: Mapping[str, Column], do: Intervention, cells: pd.Series) -> list[Section]:
    """The associations of x, and what setting it would do to every column with a mean that may change.

    `table` holds the measured columns of the graph, and `cells` the column that is set, as text.
    """
    x = table[do.x]
    if x.categorical or x.positive:
        # the value that is set, against all others
        x = column(cells.where(cells == do.text, f"not {do.text}"), do.text)
    observed: list[Finding] = []
    effects: list[Finding] = []
    plots: list[Plot] = []
    graphs: list[Plot] = []
    keys: list[str] = []
    arrows = "Arrows between causes and effects"
    for name in do.may_change(graph, table):
        y = table[name]
        if y.categorical:
            continue
        keys.append(unique(slug(name), keys))
        outcome = Outcome(keys[-1], x, y, do)
        plain = effect(x, y, [], do.value)
        affected = graph.affects(do.x, name)
        given = graph.adjustment_set(do.x, name) if affected else None
        found = None if given is None else effect(x, y, [table[z] for z in given], do.value)
        plots.append(outcome.plot(plain, found, affected))
        if isinstance(plain, Effect):
            observed.append(outcome.association(plain))
        if not affected:
            # the effect is 0 by the graph: what tests that stands under the fit of the graph
            continue
        if given is None or not isinstance(found, Effect):
            effects.append(outcome.withheld(found))
            continue
        effects.append(outcome.effect(found, given))
        if isinstance(found.done, NoEffect):
            effects.append(outcome.withheld(found.done, "done"))
        if given:
            effects.append(outcome.gap(found))
            caption = f"Orange: {do.x}, which is set. Green: adjusted for, to block the backdoor paths."
            figure = graph_chart.graph(graph, do.x, given)
            graphs.append(Plot(f"gap.{keys[-1]}", arrows, figure, caption, paper=True))
    if not effects:
        figure, caption = graph_chart.graph(graph, do.x), f"Orange: {do.x}, which is set."
        graphs.append(Plot("graph", arrows, figure, caption, paper=True))
        sentence = (
            f"The effects of {do.x}: withheld, by the graph {do.x} acts on no measured column with a mean."
        )
        effects = [Finding("effect", sentence, "withheld", LIMITS, plot="graph")]
    title = f"If {do.x} were set to {do.text}"
    intervention = Section("intervention", title, "actions", effects, [*plots, *graphs])
    if not observed:
        return [intervention]
    return [Section("observed", f"What is associated with {do.x}", "data", observed, plots), intervention]


@dataclass(frozen=True)
class Outcome:
    """A column y that may change if x is set; `key` is its part of the names of findings."""

    key: str
    x: Column
    y: Column
    do: Intervention

    @property
    def what(self) -> str:
        """What the numbers are."""
        if self.x.positive:
            return f"{self.y.name}: {self.x.name} = {self.do.text} less others"
        if self.y.positive:
            return f"share with {self.y.name} = {self.y.positive}: {self.x.name} = {self.do.text} less now"
        return f"{self.y.name} per unit of {self.x.name}"

    def plot(self, plain: Effect | NoEffect, found: Effect | NoEffect | None, affected: bool) -> Plot:
        """The association and the effect, one below the other."""
        rows: list[tuple[str, int, Estimate | None]] = []
        if isinstance(plain, Effect):
            rows.append(("as observed", plain.n, plain.observed))
        if affected:
            n = found.n if isinstance(found, Effect) else len(self.x.values)
            rows.append(("if it were set", n, found.effect if isinstance(found, Effect) else None))
        caption = f"{self.y.name}: its association with {self.x.name}"
        caption += ", and the effect of setting it. Intervals 95%." if affected else ". Intervals 95%."
        return Plot(f"effect.{self.key}", self.what, row_chart(rows, self.what, 0.0), caption)

    def association(self, e: Effect) -> Finding:
        """How much higher y is where x is higher."""
        x, y = self.x, self.y
        if e.undone is None and y.positive:
            seen, now = e.now.value + e.observed.value, e.now.value
            # a curve comes as close to 0 and 1 as one likes
            of = base(min(max(seen, 0.05), 0.95), now)
            sentence = (
                f"Of {of:,} people with {x.name} = {self.do.text}, {frequency(seen, of)} have {y.name} = "
                f"{y.positive}, by a logistic curve; of {of:,} of all, {frequency(now, of)}: difference "
                f"{format_estimate(e.observed)}."
            )
        elif e.undone is None:
            higher = format_estimate(e.observed)
            sentence = f"For each unit of {x.name}, {y.name} is higher by {higher} on average."
        else:
            # the line through two values meets both means
            assert isinstance(e.done, Estimate)
            high, low = e.done.value, e.undone.value
            of = base(high, low)
            sentence = (
                f"Of {of:,} people with {x.name} = {self.do.text}, {frequency(high, of)} have {y.name} = "
                f"{y.positive}; of {of:,} others, {frequency(low, of)}"
                if y.positive
                else f"{y.name} is {amount(high)} on average with {x.name} = {self.do.text}, {amount(low)} "
                "otherwise"
            )
            sentence += f": difference {format_estimate(e.observed)}."
        limits = f"What would happen if {x.name} were changed: common causes also make columns go together."
        name, plot, d = f"observed.{self.key}", f"effect.{self.key}", e.observed
        return conclude(not d.holds(0), NO_DIFFERENCE, name, sentence, limits, self.what, d, e.n, None, plot)

    def withheld(self, found: NoEffect | Effect | None, kind: str = "effect") -> Finding:
        """That nothing can be said about the effect, or about the mean at the value that is set ("done")."""
        hidden = NoEffect(
            "something hidden acts on both and no measured columns block it, so that no number in this table "
            "identifies it",
            outside=False,
        )
        none = found if isinstance(found, NoEffect) else hidden
        about = f"The effect of {self.x.name} on {self.y.name}"
        if kind == "done":
            about = f"The mean of {self.y.name} if {self.x.name} were {self.do.text} for everybody"
        sentence, plot = f"{about}: {none.verdict}, {none.why}.", f"effect.{self.key}"
        return Finding(f"{kind}.{self.key}", sentence, none.verdict, LIMITS, self.what, plot=plot)

    def effect(self, e: Effect, given: Sequence[str]) -> Finding:
        """What setting x would do."""
        x, y, do = self.x, self.y, self.do
        by = f"adjusted for {join_words(given)}" if given else "no adjustment is needed if the graph is right"
        more = {"observed": e.observed, "now": e.now}
        who = "everybody"
        if e.dropped:
            who = f"the {e.n:,} of {e.n + e.dropped:,} people who can be compared"
        if isinstance(e.done, NoEffect):
            sentence = (
                f"Each unit of {x.name} would change {y.name} by {format_estimate(e.effect)} for {who}, {by}."
            )
        elif e.undone is None and not y.positive:
            more["done"] = e.done
            sentence = (
                f"If {x.name} were set to {do.text} for {who}, {y.name} would be {format_estimate(e.done)} "
                f"on average; it is {amount(e.now.value)}. Each unit of {x.name} would change it by "
                f"{format_estimate(e.effect)}, {by}."
            )
        else:
            more["done"] = e.done
            if e.undone is not None:
                more["undone"] = e.undone
            high, low = e.done.value, (e.undone or e.now).value
            otherwise = "now" if e.undone is None else "if it were for nobody,"
            if y.positive:
                of = base(high, low)
                first = f"{frequency(high, of)} of {of:,} people would have {y.name} = {y.positive}"
                second = frequency(low, of)
            else:
                first, second = f"{y.name} would be {amount(high)} on average", amount(low)
            sentence = (
                f"If {x.name} were set to {do.text} for {who}, {first}; {otherwise} {second}: difference "
                f"{format_estimate(e.effect)}, {by}."
            )
        name, what, limits, d = f"effect.{self.key}", self.what, self._limits(e), e.effect
        return conclude(not d.holds(0), NO_DIFFERENCE, name, sentence, limits, what, d, e.n, more, name)

    def gap(self, e: Effect) -> Finding:
        """By how much the association misleads."""
        sentence = (
            f"Taking the association ({amount(e.observed.value)}) for the effect of {self.x.name} on "
            f"{self.y.name} ({amount(e.effect.value)}) is off by {format_estimate(e.gap)}."
        )
        if not e.gap.holds(0):
            sentence += " The association is not the effect."
        name, what, limits, d = f"gap.{self.key}", "observed less effect", self._limits(e), e.gap
        return conclude(not d.holds(0), NO_DIFFERENCE, name, sentence, limits, what, d, e.n, None, name)

    def _limits(self, e: Effect) -> str:
        limits = LIMITS
        if e.dropped:
            limits += (
                f" Nothing about {e.dropped:,} rows without a comparable row under another {self.x.name}."
            )
        if e.beyond and not isinstance(e.done, NoEffect):
            limits += (
                f" For {out_of(e.beyond)} rows nobody comparable was observed with this {self.x.name}: their "
                "part follows the line or the curve."
            )
        return limits
