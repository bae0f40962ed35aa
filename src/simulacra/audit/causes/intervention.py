"""What goes together with a column, and what setting it from outside would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from simulacra.audit.causes.adjustment import Column, Effect, column, effect
from simulacra.audit.causes.graph import Graph
from simulacra.audit.causes.graph_chart import graph as graph_chart
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, slug
from simulacra.audit.shared.phrasing import amount, base, frequency, listed, told
from simulacra.audit.shared.rates import unique
from simulacra.errors import ConfigError, nearest

LIMITS = (
    "Anything, if the graph is wrong: an arrow that it lacks, above all from something that nobody has "
    "measured, changes this number. What is not yes or no was taken along straight lines."
)


@dataclass(frozen=True)
class Asked:
    """An intervention.

    Attributes:
        x: the column that is set.
        text: to what, as it was written.
        value: as a number; 1 where x has groups.
    """

    x: str
    text: str
    value: float

    @classmethod
    def parse(cls, text: str, graph: Graph, table: Mapping[str, Column]) -> Asked:
        """Take `COL=VALUE` apart.

        Raises:
            ConfigError: it is none, or the column has no such value.
        """
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not value:
            raise ConfigError(f"do: '{text}' sets nothing; write COL=VALUE")
        if name not in table:
            hidden = f"'{name}' is hidden" if name in graph.hidden else f"the graph has no node '{name}'"
            raise ConfigError(f"do: {hidden}, {nearest(name, table)}")
        x = table[name]
        if x.one or x.text:
            if value not in x.groups:
                raise ConfigError(f"do: column '{name}' never holds '{value}', {nearest(value, x.groups)}")
            return cls(name, value, 1.0)
        low, high = float(x.values.min()), float(x.values.max())
        try:
            number = float(value)
        except ValueError:
            raise ConfigError(f"do: '{value}' is no number, and column '{name}' holds numbers") from None
        if not low <= number <= high:
            raise ConfigError(f"do: column '{name}' lies between {low:g} and {high:g}; nobody has {value}")
        return cls(name, value, number)

    def outcomes(self, graph: Graph, table: Mapping[str, Column]) -> list[str]:
        """Columns that may change: all that do not act on x themselves, and have a mean."""
        before = graph.before(self.x)
        return [name for name in table if name != self.x and name not in before and not table[name].text]

    def left_out(self, graph: Graph, table: Mapping[str, Column]) -> list[str]:
        """Columns that may change but have no mean."""
        before = graph.before(self.x)
        return [name for name in table if name != self.x and name not in before and table[name].text]


def intervention(graph: Graph, table: Mapping[str, Column], asked: Asked, cells: pd.Series) -> list[Section]:
    """What goes together with x, and what setting it would do to all that does not act on it.

    Args:
        graph: the graph.
        table: its measured columns.
        asked: the intervention.
        cells: the column that is set, as text.
    """
    x = table[asked.x]
    if x.text or x.one:
        # the value that is set, against all others
        x = column(cells.where(cells == asked.text, f"not {asked.text}"), asked.text)
    seen: list[Finding] = []
    did: list[Finding] = []
    plots: list[Plot] = []
    drawn: list[Plot] = []
    keys: list[str] = []
    for name in asked.outcomes(graph, table):
        keys.append(unique(slug(name), keys))
        given = graph.adjust(asked.x, name)
        one = Outcome(keys[-1], x, table[name], asked, given, graph)
        plain = effect(x, table[name], [], asked.value)
        found = None if given is None else effect(x, table[name], [table[z] for z in given], asked.value)
        plots.append(one.plot(plain, found))
        if plain is not None:
            seen.append(one.observed(plain))
        did += one.effects(found)
        if given and found is not None:
            drawn.append(_picture(f"gap.{keys[-1]}", graph, asked.x, given))
    if not did:
        drawn.append(_picture("graph", graph, asked.x))
        words = (
            f"What would change with {asked.x}: withheld, everything in the graph acts on {asked.x} itself."
        )
        did = [Finding("effect", words, "withheld", LIMITS, plot="graph")]
    title = f"If {asked.x} were set to {asked.text}"
    sections = [Section("intervention", title, "actions", did, [*plots, *drawn])]
    if seen:
        sections.insert(0, Section("observed", f"What goes together with {asked.x}", "data", seen, plots))
    return sections


@dataclass(frozen=True)
class Outcome:
    """A column y that may change where x is set.

    Attributes:
        key: its part of the names of findings.
        x, y: the columns; of groups, x is 1 for the one that is set.
        asked: the intervention.
        given: what is adjusted for; None where nothing measured will do.
        graph: the graph.
    """

    key: str
    x: Column
    y: Column
    asked: Asked
    given: tuple[str, ...] | None
    graph: Graph

    @property
    def what(self) -> str:
        """What the number is."""
        if self.x.one:
            return f"{self.y.name}: {self.x.name} = {self.asked.text} less others"
        return f"{self.y.name} by unit of {self.x.name}"

    @property
    def _measure(self) -> str:
        return f"the share with {self.y.name} = {self.y.one}" if self.y.one else self.y.name

    def plot(self, plain: Effect | None, found: Effect | None) -> Plot:
        """Both numbers below each other."""
        drawn: list[tuple[str, int, Estimate | None]] = []
        if plain is not None:
            drawn.append(("as observed", plain.n, plain.observed))
        n = len(self.x.values) if found is None else found.n
        drawn.append(("if it were set", n, None if found is None else found.effect))
        return Plot(
            f"effect.{self.key}",
            self.what,
            row_chart(drawn, self.what, 0.0),
            f"{self.y.name}: what goes together with {self.x.name}, and what setting it would do. Intervals "
            "95%.",
        )

    def observed(self, e: Effect) -> Finding:
        """What goes together."""
        x, asked = self.x, self.asked
        if x.one:
            # the line through two values meets both means
            here = f"with {x.name} = {asked.text}"
            words = f"{self._levels(here, e.done, e.undone)}: difference {told(e.observed)}."
        else:
            words = f"By unit of {x.name}, {self._measure} is higher by {told(e.observed)} on average."
        return Finding(
            f"observed.{self.key}",
            words + _room(e.observed),
            _verdict(e.observed),
            f"What would happen if {x.name} were changed: what acts on both makes them go together too.",
            self.what,
            e.observed,
            e.n,
            plot=f"effect.{self.key}",
        )

    def effects(self, e: Effect | None) -> list[Finding]:
        """What setting x would do, and by how much the observed number misleads."""
        x, y, asked, plot = self.x, self.y, self.asked, f"effect.{self.key}"
        if e is None or self.given is None:
            why = (
                "something hidden acts on both, and no measured columns stand between; no number of this "
                "table tells it"
                if self.given is None
                else f"{x.name} hardly varies once {listed(self.given)} is known: nobody to compare with"
            )
            words = f"What setting {x.name} would do to {y.name}: withheld, {why}."
            return [Finding(f"effect.{self.key}", words, "withheld", LIMITS, self.what, plot=plot)]
        by = (
            f"adjusted for {listed(self.given)}"
            if self.given
            else "nothing has to be adjusted for if the graph is right"
        )
        if x.one:
            words = (
                f"{self._set(e.done, e.undone)} if {x.name} were set to {asked.text} for everybody, and if "
                f"it were for nobody: difference {told(e.effect)}, {by}."
            )
        else:
            words = (
                f"If {x.name} were set to {asked.text} for everybody, {self._measure} would be "
                f"{told(e.done)} on average; it is {amount(e.now.value)}. By unit of {x.name} it would "
                f"change by {told(e.effect)}, {by}."
            )
        if not self.graph.acts(x.name, y.name):
            words += " By the graph it is 0: no arrows lead there."
        limits = LIMITS
        if e.dropped:
            limits += f" Nothing about {e.dropped:,} rows without anybody like them under another {x.name}."
        more = {"observed": e.observed, "now": e.now, "done": e.done}
        if e.undone is not None:
            more["undone"] = e.undone
        findings = [
            Finding(
                f"effect.{self.key}",
                words + _room(e.effect),
                _verdict(e.effect),
                limits,
                self.what,
                e.effect,
                e.n,
                more,
                plot,
            )
        ]
        if self.given:
            misled = "" if e.gap.holds(0) else " What goes together is not what it does."
            findings.append(
                Finding(
                    f"gap.{self.key}",
                    f"Whoever takes what goes together ({amount(e.observed.value)}) for what {x.name} does "
                    f"to {y.name} ({amount(e.effect.value)}) is off by {told(e.gap)}.{misled}{_room(e.gap)}",
                    _verdict(e.gap),
                    limits,
                    "observed less effect",
                    e.gap,
                    e.n,
                    plot=f"gap.{self.key}",
                )
            )
        return findings

    def _levels(self, here: str, high: Estimate, low: Estimate | None) -> str:
        """Both means as they are, as a sentence without its end."""
        assert low is not None
        if not self.y.one:
            return f"{self.y.name} is {amount(high.value)} on average {here}, {amount(low.value)} otherwise"
        of = base(high.value, low.value)
        return (
            f"Of {of:,} people {here} {frequency(high.value, of)} have {self.y.name} = {self.y.one}, of "
            f"{of:,} others {frequency(low.value, of)}"
        )

    def _set(self, high: Estimate, low: Estimate | None) -> str:
        """Both means if x were set, as the beginning of a sentence."""
        assert low is not None
        if not self.y.one:
            return f"{self.y.name} would be {amount(high.value)} and {amount(low.value)} on average"
        # an adjusted share may leave 0 and 1 by a little
        first, second = (min(max(e.value, 0.0), 1.0) for e in (high, low))
        of = base(first, second)
        return (
            f"{frequency(first, of)} and {frequency(second, of)} of {of:,} people would have {self.y.name} = "
            f"{self.y.one}"
        )


def _picture(name: str, graph: Graph, x: str, given: Sequence[str] = ()) -> Plot:
    caption = f"Orange: {x}, which is set."
    if given:
        caption += " Green: what is adjusted for, as it stands on the way round from one to the other."
    return Plot(name, "What acts on what", graph_chart(graph, x, given), caption, paper=True)


def _verdict(e: Estimate) -> Literal["finding", "no finding"]:
    return "no finding" if e.holds(0) else "finding"


def _room(e: Estimate) -> str:
    return " The data are compatible with no difference." if e.holds(0) else ""
