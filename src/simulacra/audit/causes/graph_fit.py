"""Whether data contradict a graph of causes, and which of its arrows no data can orient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulacra.audit.causes import graph_chart
from simulacra.audit.causes.adjustment import Column, dependence
from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.phrasing import amount, interval, listed, told
from simulacra.audit.shared.rates import unique

LIMITS = (
    "That the graph is right: many graphs imply the same independences, and unmeasured causes are not "
    "tested. A dependence may also come from a curve, as only straight lines were removed."
)


def fit(graph: Graph, table: Mapping[str, Column], loop: Sequence[tuple[str, str]] = ()) -> Section:
    """Tests of the independences that the graph implies, and the arrows that no data can orient.

    Args:
        graph: the graph.
        table: its measured columns.
        loop: arrows back in time, which are drawn only.
    """
    independences, n = graph.independences(), len(next(iter(table.values())).values)
    # Bonferroni: all intervals hold at once
    level = 1 - (1 - LEVEL) / max(len(independences), 1)
    tested = [(*pair, dependence(table, *pair, level)) for pair in independences]
    dashed = " Dashed: feedback at a later time." if loop else " Dashed: unmeasured." if graph.hidden else ""
    caption = f"An arrow means: this acts on that. No arrow means: it does not.{dashed}"
    plots = [Plot("graph", "The graph", graph_chart.graph(graph, loop=loop), caption, paper=True)]
    tables = []
    usable = [(a, b, given, e) for a, b, given, e in tested if e is not None]
    if usable:
        separation = _separation(usable, n)
        together = f" for all {len(usable)} pairs at once" if len(usable) > 1 else ""
        drawn = [
            (f"{a}, {b} | {', '.join(given)}" if given else f"{a}, {b}", n, e) for a, b, given, e in usable
        ]
        plots.append(
            Plot(
                "tests",
                "Correlations that are 0 if the graph is right",
                row_chart(drawn, "partial correlation", 0.0),
                f"Each pair given the columns after the bar; intervals 95%{together}.",
            )
        )
        rows = [
            [f"{a} and {b}", ", ".join(given) or "nothing", "nothing left" if e is None else told(e)]
            for a, b, given, e in tested
        ]
        head = ["pair", "given", "partial correlation"]
        tables.append(Table("Independences that the graph implies", head, rows))
    else:
        why = (
            "the columns given leave nothing to compare"
            if tested
            else "any two columns have an arrow or something hidden between them, so that no data can "
            "contradict it"
        )
        sentence = f"The graph against the data: withheld, {why}."
        separation = Finding("separation", sentence, "withheld", LIMITS)
    arrows, turned = graph.arrows.number_of_edges(), graph.reversible()
    direction = Finding(
        "direction",
        f"Of {arrows} {'arrow' if arrows == 1 else 'arrows'}, {len(turned)} could point the other way, each "
        "on its own, and the graph would imply the same about data"
        + (f": {listed([f'{a} to {b}' for a, b in turned])}." if turned else "."),
        "stated",
        "Which direction is right: only knowledge of the world or an experiment can show that.",
        "arrows that no data can turn",
        Estimate(len(turned)),
        plot="graph",
    )
    return Section("graph", "Does the graph fit the data?", "data", [separation, direction], plots, tables)


def _separation(tested: Sequence[tuple[str, str, tuple[str, ...], Estimate]], n: int) -> Finding:
    """Whether the data contradict independences: two columns, those given, the partial correlation."""
    wrong = [test for test in tested if not test[3].holds(0)]
    more: dict[str, Estimate] = {}
    for a, b, _, e in tested:
        more[unique(f"pair.{slug(a)}.{slug(b)}", more)] = e
    pairs = f"{len(tested)} pairs of columns are independent given others"
    if len(tested) == 1:
        a, b, given, _ = tested[0]
        pairs = f"{a} and {b} are independent{_given(given)}"
    if wrong:
        a, b, given, e = max(wrong, key=lambda test: test[3].clearance)
        contradicted = f"{len(wrong)} of {len(tested)}" if len(tested) > 1 else "it"
        together = f" for all {len(tested)} pairs at once" if len(tested) > 1 else ""
        verdict = (
            f"The data contradict {contradicted}: {a} and {b} are still correlated{_given(given)} "
            f"({amount(e.value)}, {interval(e)}{together})."
        )
    else:
        verdict = "The data do not contradict it."
    return Finding(
        "separation",
        f"The graph implies that {pairs}. {verdict}",
        "finding" if wrong else "no finding",
        LIMITS,
        "independences of the graph that the data contradict",
        Estimate(len(wrong)),
        n,
        more,
        "tests",
    )


def _given(columns: Sequence[str]) -> str:
    return f" given {listed(columns)}" if columns else ""
