"""How a column is associated with others, and what setting it from outside would do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from simulacra.audit.causes import graph_chart
from simulacra.audit.causes.adjustment import Column, Effect, column, effect
from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Finding, Plot, Section, conclude, slug
from simulacra.audit.shared.phrasing import (
    NO_DIFFERENCE,
    amount,
    base,
    format_estimate,
    frequency,
    join_words,
)
from simulacra.audit.shared.rates import unique
from simulacra.errors import ConfigError, nearest

LIMITS = (
    "Anything, if the graph is wrong: a missing arrow, above all from something unmeasured, changes this "
    "number. Columns of numbers were adjusted for along straight lines."
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
        given = graph.adjustment_set(do.x, name)
        plain = effect(x, y, [], do.value)
        found = None if given is None else effect(x, y, [table[z] for z in given], do.value)
        plots.append(outcome.plot(plain, found))
        if plain is not None:
            observed.append(outcome.association(plain))
        if given is None or found is None:
            effects.append(outcome.withheld(given))
            continue
        effects.append(outcome.effect(found, given, graph.affects(do.x, name)))
        if given:
            effects.append(outcome.gap(found))
            caption = f"Orange: {do.x}, which is set. Green: adjusted for, to block the backdoor paths."
            figure = graph_chart.graph(graph, do.x, given)
            graphs.append(Plot(f"gap.{keys[-1]}", arrows, figure, caption, paper=True))
    if not effects:
        figure, caption = graph_chart.graph(graph, do.x), f"Orange: {do.x}, which is set."
        graphs.append(Plot("graph", arrows, figure, caption, paper=True))
        sentence = f"The effects of {do.x}: withheld, everything in the graph acts on {do.x} itself."
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
        return f"{self.y.name} per unit of {self.x.name}"

    @property
    def _mean(self) -> str:
        return f"the share with {self.y.name} = {self.y.positive}" if self.y.positive else self.y.name

    def plot(self, plain: Effect | None, found: Effect | None) -> Plot:
        """The association and the effect, one below the other."""
        x, y = self.x, self.y
        drawn = [("as observed", plain.n, plain.observed)] if plain is not None else []
        last = ("if it were set", *((found.n, found.effect) if found is not None else (len(x.values), None)))
        caption = f"{y.name}: its association with {x.name}, and the effect of setting it. Intervals 95%."
        return Plot(f"effect.{self.key}", self.what, row_chart([*drawn, last], self.what, 0.0), caption)

    def association(self, e: Effect) -> Finding:
        """How much higher y is where x is higher."""
        x, y = self.x, self.y
        if e.undone is None:
            higher = format_estimate(e.observed)
            sentence = f"For each unit of {x.name}, {self._mean} is higher by {higher} on average."
        else:
            # the line through two values meets both means
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

    def withheld(self, given: Sequence[str] | None) -> Finding:
        """That nothing can be said about the effect."""
        why = (
            "something hidden acts on both and no measured columns block it, so that no number in this table "
            "identifies it"
            if given is None
            else f"{self.x.name} hardly varies once {join_words(given)} is known: nobody to compare with"
        )
        sentence = f"The effect of {self.x.name} on {self.y.name}: withheld, {why}."
        name = f"effect.{self.key}"
        return Finding(name, sentence, "withheld", LIMITS, self.what, plot=name)

    def effect(self, e: Effect, given: Sequence[str], affected: bool) -> Finding:
        """What setting x would do."""
        x, y, do = self.x, self.y, self.do
        by = f"adjusted for {join_words(given)}" if given else "no adjustment is needed if the graph is right"
        more = {"observed": e.observed, "now": e.now, "done": e.done}
        if e.undone is None:
            sentence = (
                f"If {x.name} were set to {do.text} for everybody, {self._mean} would be "
                f"{format_estimate(e.done)} on average; it is {amount(e.now.value)}. Each unit of {x.name} "
                f"would change it by {format_estimate(e.effect)}, {by}."
            )
        else:
            more["undone"] = e.undone
            high, low = e.done.value, e.undone.value
            if y.positive:
                # an adjusted share may leave [0, 1] by a little
                high, low = (min(max(share, 0.0), 1.0) for share in (high, low))
                of = base(high, low)
                first = f"{frequency(high, of)} of {of:,} people would have {y.name} = {y.positive}"
                second = frequency(low, of)
            else:
                first, second = f"{y.name} would be {amount(high)} on average", amount(low)
            sentence = (
                f"If {x.name} were set to {do.text} for everybody, {first}; if it were for nobody, {second}: "
                f"difference {format_estimate(e.effect)}, {by}."
            )
        if not affected:
            sentence += " By the graph it is 0: no arrows lead there."
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
        if not e.dropped:
            return LIMITS
        return (
            f"{LIMITS} Nothing about {e.dropped:,} rows without a comparable row under another {self.x.name}."
        )
