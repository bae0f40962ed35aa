"""Whether data contradict a graph of causes, and which of its arrows no data can orient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from simulacra.audit.causes import graph_chart
from simulacra.audit.causes.adjustment import Column, dependence
from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.phrasing import amount, format_estimate, interval, join_words
from simulacra.audit.shared.rates import surest, unique

LIMITS = (
    "That the graph is right: many graphs imply the same independences, and unmeasured causes are not "
    "tested. A dependence may also come from a curve, as only straight lines were removed."
)


EXCLUDED = (
    "That there is no effect: the graph says so, and this number only tests whether the data contradict the "
    "graph. A dependence may also come from a curve, or from something unmeasured."
)


def fit(
    graph: Graph,
    table: Mapping[str, Column],
    loop: Sequence[tuple[str, str]] = (),
    excluded: tuple[str, Sequence[str]] = ("", ()),
) -> Section:
    """Tests of the independences that the graph implies, and the arrows that no data can orient.

    Args:
        graph: the graph.
        table: its measured columns.
        loop: arrows back in time, which are drawn only.
        excluded: a column that is set, and others that it does not act on by the graph, nor they on it: each
            is tested on its own.
    """
    independences, n = graph.independences(), len(next(iter(table.values())).values)
    # Bonferroni: all intervals hold at once
    level = 1 - (1 - LEVEL) / max(len(independences), 1)
    tested = [Independence(*pair, dependence(table, *pair, level)) for pair in independences]
    dashed = " Dashed: feedback at a later time." if loop else " Dashed: unmeasured." if graph.hidden else ""
    caption = f"An arrow means: this acts on that. No arrow means: it does not.{dashed}"
    plots = [Plot("graph", "The graph", graph_chart.graph(graph, loop=loop), caption, paper=True)]
    tables = []
    usable = {test: test.left for test in tested if test.left is not None}
    if usable:
        together = f" for all {len(usable)} pairs at once" if len(usable) > 1 else ""
        separation = _separation(usable, n, together)
        drawn = [(f"{t.a}, {t.b} | {', '.join(t.given) or '-'}", n, e) for t, e in usable.items()]
        title = "Correlations that are 0 if the graph is right"
        caption = f"Each pair given the columns after the bar; intervals 95%{together}."
        plots.append(Plot("tests", title, row_chart(drawn, "partial correlation", 0.0), caption))
        rows = [
            [
                f"{t.a} and {t.b}",
                ", ".join(t.given) or "nothing",
                format_estimate(t.left) if t.left else "nothing left",
            ]
            for t in tested
        ]
        head = ["pair", "given", "partial correlation"]
        tables.append(Table("Independences that the graph implies", head, rows))
    else:
        why = (
            "no data can contradict it, since any two columns have an arrow or something hidden between them"
        )
        why = "the columns given leave nothing to compare" if tested else why
        sentence = f"The graph against the data: withheld, {why}."
        separation = Finding("separation", sentence, "withheld", LIMITS)
    arrows, turned = graph.arrows.number_of_edges(), graph.reversible()
    sentence = (
        f"Of {arrows} {'arrow' if arrows == 1 else 'arrows'}, {len(turned)} could point the other way, each "
        f"on its own, and the graph would imply the same about data"
        + (f": {join_words([f'{a} to {b}' for a, b in turned])}." if turned else ".")
    )
    limits = "Which direction is right: only knowledge of the world or an experiment can show that."
    what, number = "arrows that no data can turn", Estimate(len(turned))
    direction = Finding("direction", sentence, "stated", limits, what, number, plot="graph")
    x, others = excluded
    findings, names = [separation, direction], list[str]()
    for y in others:
        names.append(unique(f"excluded.{slug(y)}", names))
        findings.append(_excluded(names[-1], graph, table, x, y, n))
    return Section("graph", "Does the graph fit the data?", "data", findings, plots, tables)


def _excluded(name: str, graph: Graph, table: Mapping[str, Column], x: str, y: str, n: int) -> Finding:
    """Whether the data contradict that x does nothing to y."""
    given, what = graph.adjustment_set(x, y), "partial correlation, 0 by the graph"
    sentence = f"The graph excludes an effect of {x} on {y}: no arrows lead there."
    left = None if given is None else dependence(table, x, y, given)
    if given is None or left is None:
        why = (
            "something hidden acts on both" if given is None else "the columns given leave nothing to compare"
        )
        return Finding(
            name, f"{sentence} A test is withheld, {why}.", "withheld", EXCLUDED, what, plot="graph"
        )
    sentence += (
        f" By the graph they are independent{_given(given)}; their partial correlation is "
        f"{format_estimate(left)}."
    )
    if not left.holds(0):
        sentence += " The data contradict the graph."
    agree = "The data do not contradict the graph."
    return conclude(not left.holds(0), agree, name, sentence, EXCLUDED, what, left, n, None, "graph")


class Independence(NamedTuple):
    """Two columns, the ones that make them independent by the graph, and their partial correlation."""

    a: str
    b: str
    given: tuple[str, ...]
    left: Estimate | None


def _separation(tested: Mapping[Independence, Estimate], n: int, together: str) -> Finding:
    """Whether the data contradict an independence."""
    wrong = [test for test, e in tested.items() if not e.holds(0)]
    more: dict[str, Estimate] = {}
    for test, e in tested.items():
        more[unique(f"pair.{slug(test.a)}.{slug(test.b)}", more)] = e
    sentence = f"The graph implies that {len(tested)} pairs of columns are independent given others."
    if len(tested) == 1:
        (test,) = tested
        sentence = f"The graph implies that {test.a} and {test.b} are independent{_given(test.given)}."
    if wrong:
        test, _ = surest(tested)
        e = tested[test]
        sentence += (
            f" The data contradict {f'{len(wrong)} of {len(tested)}' if len(tested) > 1 else 'it'}: {test.a} "
            f"and {test.b} are still correlated{_given(test.given)} ({amount(e.value)}, "
            f"{interval(e)}{together})."
        )
    agree, what = "The data do not contradict it.", "independences of the graph that the data contradict"
    number = Estimate(len(wrong))
    return conclude(bool(wrong), agree, "separation", sentence, LIMITS, what, number, n, more, "tests")


def _given(columns: Sequence[str]) -> str:
    return f" given {join_words(columns)}" if columns else ""
