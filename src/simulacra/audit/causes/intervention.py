"""How a column is associated with others, and what setting it from outside would do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from simulacra.audit.causes import graph_chart
from simulacra.audit.causes.adjustment import Column, Effect, column, effect
from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, slug
from simulacra.audit.shared.phrasing import amount, base, frequency, listed, no_difference, told
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

    Args:
        graph: the graph.
        table: its measured columns.
        do: the intervention.
        cells: the column that is set, as text.
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
    for name in do.may_change(graph, table):
        y = table[name]
        if y.categorical:
            continue
        key = unique(slug(name), keys)
        keys.append(key)
        given = graph.adjustment_set(do.x, name)
        plain = effect(x, y, [], do.value)
        found = None if given is None else effect(x, y, [table[z] for z in given], do.value)
        what = f"{name}: {x.name} = {do.text} less others" if x.positive else f"{name} per unit of {x.name}"
        plots.append(_plot(f"effect.{key}", what, x, y, plain, found))
        if plain is not None:
            observed.append(_observed(key, what, x, y, do, plain))
        if given is None or found is None:
            why = (
                f"{x.name} hardly varies once {listed(given)} is known, so there is nobody to compare with"
                if given is not None
                else "something hidden acts on both and no measured columns stand between, so that no number "
                "in this table identifies it"
            )
            sentence = f"The effect of {x.name} on {name}: withheld, {why}."
            effects.append(Finding(f"effect.{key}", sentence, "withheld", LIMITS, what, plot=f"effect.{key}"))
            continue
        effects += _effects(key, what, x, y, do, given, found, graph)
        if given:
            caption = f"Orange: {do.x}, which is set. Green: adjusted for, to block the backdoor paths."
            figure = graph_chart.graph(graph, do.x, given)
            graphs.append(
                Plot(f"gap.{key}", "Arrows between causes and effects", figure, caption, paper=True)
            )
    if not effects:
        figure, caption = graph_chart.graph(graph, do.x), f"Orange: {do.x}, which is set."
        graphs.append(Plot("graph", "Arrows between causes and effects", figure, caption, paper=True))
        sentence = f"The effects of {do.x}: withheld, everything in the graph acts on {do.x} itself."
        effects = [Finding("effect", sentence, "withheld", LIMITS, plot="graph")]
    title = f"If {do.x} were set to {do.text}"
    intervention = Section("intervention", title, "actions", effects, [*plots, *graphs])
    if not observed:
        return [intervention]
    return [Section("observed", f"What is associated with {do.x}", "data", observed, plots), intervention]


def _plot(name: str, what: str, x: Column, y: Column, plain: Effect | None, found: Effect | None) -> Plot:
    """The association and the effect, one below the other."""
    n = len(x.values) if found is None else found.n
    drawn = [("as observed", plain.n, plain.observed)] if plain is not None else []
    drawn_effect = ("if it were set", n, None if found is None else found.effect)
    caption = f"{y.name}: its association with {x.name}, and the effect of setting {x.name}. Intervals 95%."
    return Plot(name, what, row_chart([*drawn, drawn_effect], what, 0.0), caption)


def _observed(key: str, what: str, x: Column, y: Column, do: Intervention, e: Effect) -> Finding:
    """The association."""
    if e.undone is None:
        measure = f"the share with {y.name} = {y.positive}" if y.positive else y.name
        sentence = f"For each unit of {x.name}, {measure} is higher by {told(e.observed)} on average."
    else:
        # the line through two values meets both means
        high, low = e.done.value, e.undone.value
        of = base(high, low)
        sentence = (
            f"Of {of:,} people with {x.name} = {do.text}, {frequency(high, of)} have {y.name} = "
            f"{y.positive}; of {of:,} others, {frequency(low, of)}: difference {told(e.observed)}."
            if y.positive
            else f"{y.name} is {amount(high)} on average with {x.name} = {do.text}, {amount(low)} otherwise: "
            f"difference {told(e.observed)}."
        )
    return Finding(
        f"observed.{key}",
        sentence + no_difference(e.observed),
        e.observed.verdict,
        f"What would happen if {x.name} were changed: common causes also make columns go together.",
        what,
        e.observed,
        e.n,
        plot=f"effect.{key}",
    )


def _effects(
    key: str,
    what: str,
    x: Column,
    y: Column,
    do: Intervention,
    given: Sequence[str],
    e: Effect,
    graph: Graph,
) -> list[Finding]:
    """What setting x would do, and by how much the association misleads."""
    by = f"adjusted for {listed(given)}" if given else "no adjustment is needed if the graph is right"
    if e.undone is None:
        measure = f"the share with {y.name} = {y.positive}" if y.positive else y.name
        sentence = (
            f"If {x.name} were set to {do.text} for everybody, {measure} would be {told(e.done)} on average; "
            f"it is {amount(e.now.value)}. Each unit of {x.name} would change it by {told(e.effect)}, {by}."
        )
    else:
        high, low = e.done.value, e.undone.value
        if y.positive:
            # an adjusted share may leave [0, 1] by a little
            high, low = (min(max(share, 0.0), 1.0) for share in (high, low))
            of = base(high, low)
            first, second = f"{frequency(high, of)} of {of:,} people would have", f"{frequency(low, of)}"
            first += f" {y.name} = {y.positive}"
        else:
            first, second = f"{y.name} would be {amount(high)} on average", amount(low)
        sentence = (
            f"If {x.name} were set to {do.text} for everybody, {first}; if it were for nobody, {second}: "
            f"difference {told(e.effect)}, {by}."
        )
    if not graph.affects(x.name, y.name):
        sentence += " By the graph it is 0: no arrows lead there."
    limits = LIMITS
    if e.dropped:
        limits += f" Nothing about {e.dropped:,} rows without a comparable row under another {x.name}."
    more: dict[str, Estimate] = {"observed": e.observed, "now": e.now, "done": e.done}
    if e.undone is not None:
        more["undone"] = e.undone
    name = f"effect.{key}"
    sentence += no_difference(e.effect)
    findings = [Finding(name, sentence, e.effect.verdict, limits, what, e.effect, e.n, more, name)]
    if given:
        misled = "" if e.gap.holds(0) else " The association is not the effect."
        name = f"gap.{key}"
        sentence = (
            f"Taking the association ({amount(e.observed.value)}) for the effect of {x.name} on {y.name} "
            f"({amount(e.effect.value)}) is off by {told(e.gap)}.{misled}{no_difference(e.gap)}"
        )
        what = "observed less effect"
        findings.append(Finding(name, sentence, e.gap.verdict, limits, what, e.gap, e.n, plot=name))
    return findings
