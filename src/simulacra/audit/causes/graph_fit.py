"""Whether data contradict a graph of causes, and which of its arrows no data can turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulacra.audit.causes.adjustment import Column, dependence
from simulacra.audit.causes.graph import Graph
from simulacra.audit.causes.graph_chart import graph as graph_chart
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.phrasing import amount, interval, listed, told
from simulacra.audit.shared.rates import unique

LIMITS = (
    "That the graph is right: many graphs say the same about data, and what no column measures is not "
    "tested. A dependence may also come from curves, as only straight lines were taken out."
)


def fits(graph: Graph, table: Mapping[str, Column], loop: Sequence[tuple[str, str]] = ()) -> Section:
    """What the graph says about data, tested; and which arrows no data can turn.

    Args:
        graph: the graph.
        table: its measured columns.
        loop: arrows of a later time, drawn only.
    """
    implied, n = graph.implied(), len(next(iter(table.values())).values)
    # Bonferroni: all intervals hold at once
    level = 1 - (1 - LEVEL) / max(len(implied), 1)
    tested = [(a, b, given, dependence(table, a, b, given, level)) for a, b, given in implied]
    usable = [(a, b, given, e) for a, b, given, e in tested if e is not None]
    wrong = [t for t in usable if not t[3].holds(0)]
    arrows = graph.arrows.number_of_edges()
    plots = [
        Plot(
            "graph",
            "The graph",
            graph_chart(graph, loop=loop),
            "An arrow says: this acts on that. No arrow says: it does not." + _dashes(graph, loop),
            paper=True,
        )
    ]
    tables = []
    if not usable:
        why = (
            "it draws an arrow, or has something hidden, between any two columns: no data can contradict it"
            if not implied
            else "what it says is known leaves nothing to compare"
        )
        separation = Finding(
            "separation", f"The graph against the data: withheld, {why}.", "withheld", LIMITS
        )
    else:
        more: dict[str, Estimate] = {}
        for a, b, _, e in usable:
            more[unique(f"pair.{slug(a)}.{slug(b)}", more)] = e
        separation = Finding(
            "separation",
            _says(usable)
            + (_contradicted(wrong, len(usable)) if wrong else "The data do not contradict it."),
            "finding" if wrong else "no finding",
            LIMITS,
            "independences of the graph that the data contradict",
            Estimate(len(wrong)),
            n,
            more,
            "tests",
        )
        plots.append(
            Plot(
                "tests",
                "What the graph says is 0",
                row_chart(
                    [(_given(a, b, given), n, e) for a, b, given, e in usable],
                    "correlation that is left",
                    0.0,
                ),
                "Each pair once the columns behind the bar are known; intervals "
                f"95%{_together(len(usable))}.",
            )
        )
        rows = [
            [f"{a} and {b}", ", ".join(given) or "nothing", "nothing left" if e is None else told(e)]
            for a, b, given, e in tested
        ]
        tables.append(
            Table("What the graph says about data", ["pair", "once known", "correlation left"], rows)
        )
    turned = graph.reversible()
    direction = Finding(
        "direction",
        f"Of {arrows} {'arrow' if arrows == 1 else 'arrows'} {len(turned)} could point the other way, each "
        "on its own, and the graph would say the same about data"
        + (f": {listed([f'{a} to {b}' for a, b in turned])}." if turned else "."),
        "stated",
        "Which way is right: only knowledge of the world, or an experiment, turns these arrows.",
        "arrows that no data can turn",
        Estimate(len(turned)),
        plot="graph",
    )
    return Section("graph", "Does the graph fit the data?", "data", [separation, direction], plots, tables)


def _dashes(graph: Graph, loop: Sequence[tuple[str, str]]) -> str:
    if loop:
        return " Dashed: what comes back later, as a loop."
    return " Dashed: what nobody has measured." if graph.hidden else ""


def _says(tested: Sequence[tuple[str, str, tuple[str, ...], Estimate]]) -> str:
    a, b, given, _ = tested[0]
    pair = f"{a} and {b} have" if len(tested) == 1 else f"{len(tested)} pairs of columns have"
    known = _known(given) if len(tested) == 1 else " once others are known"
    return f"The graph says that {pair} nothing to do with each other{known}. "


def _known(given: Sequence[str]) -> str:
    return f" once {listed(given)} {'is' if len(given) == 1 else 'are'} known" if given else ""


def _given(a: str, b: str, given: Sequence[str]) -> str:
    return f"{a}, {b} | {', '.join(given)}" if given else f"{a}, {b}"


def _contradicted(wrong: Sequence[tuple[str, str, tuple[str, ...], Estimate]], tested: int) -> str:
    a, b, given, e = max(wrong, key=lambda t: max(t[3].ends[0], -t[3].ends[1]))
    return (
        f"The data contradict {f'{len(wrong)} of {tested}' if tested > 1 else 'it'}: {a} and {b} still go "
        f"together{_known(given)} ({amount(e.value)}, {interval(e)}{_together(tested)})."
    )


def _together(tested: int) -> str:
    return f" for all {tested} pairs at once" if tested > 1 else ""
