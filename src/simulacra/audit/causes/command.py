"""`causes`: the effects of interventions, if a graph of causes is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

if TYPE_CHECKING:
    import pandas as pd

    from simulacra.audit.causes.graph import Graph
    from simulacra.audit.shared.source import Source


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Test a graph of causes against data, and estimate the effect of an intervention."""

    graph: tyro.conf.Positional[Path | None] = None
    """graph.yaml: arrows from causes to effects"""
    table: tyro.conf.Positional[Path | None] = None
    """CSV with a row for each person and a column for each node"""
    do: str | None = None
    """intervention, COL=VALUE"""
    preset: Literal["direct", "poverty"] | None = None
    """instead of a graph and a table: a simulated town where a group offends more because the group itself
    acts on offences, or because it is poor; both towns have the same correlation"""


def audit(arguments: Arguments) -> Audit:
    """Test a graph against data, and adjust for confounders.

    Raises:
        ConfigError: an impossible setting.
        DataError: the graph or the table cannot be used.
    """
    from simulacra.audit.causes import intervention, towns
    from simulacra.audit.causes.adjustment import column
    from simulacra.audit.causes.graph import read_graph
    from simulacra.audit.causes.graph_fit import fit
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError, DataError

    preset, do = arguments.preset, arguments.do
    inputs: dict[str, str | int | float]
    if preset is not None:
        if arguments.graph is not None:
            raise ConfigError("causes: give a preset, or a graph and a table, not both")
        graph, cells, loop = towns.town(preset)
        do = do or towns.DO
        inputs = {"preset": preset, "rows": len(cells)}
        what = f"A simulated town of {len(cells):,} people, preset '{preset}'"
    else:
        if arguments.graph is None or arguments.table is None:
            raise ConfigError("causes: give graph.yaml and a table, or --preset direct or poverty")
        source = Source(arguments.table)
        graph, loop = read_graph(arguments.graph, source.names), ()
        cells = _cells(source, graph)
        inputs = source.about() | {"graph": str(arguments.graph), "rows used": len(cells)}
        what = f"{arguments.table}, {len(cells):,} rows"
    try:
        table = {name: column(cells[name]) for name in cells}
    except ValueError as error:
        raise DataError(f"{arguments.table}: {error}") from error
    asked = None if do is None else intervention.Intervention.parse(do, graph, table)
    excluded = ("", []) if asked is None else (asked.x, asked.excluded(graph, table))
    sections, not_asked = [fit(graph, table, loop, excluded)], []
    if preset is not None:
        sections.append(towns.other_graph(preset, table))
    if do is None or asked is None:
        not_asked.append("The effect of an intervention: give one with --do COL=VALUE.")
    else:
        inputs["do"] = do
        sections += intervention.sections(graph, table, asked, cells[asked.x])
        changes = set(asked.may_change(graph, table)) - set(asked.excluded(graph, table))
        if left_out := [name for name in table if name in changes and table[name].categorical]:
            not_asked.append(f"The effect on {', '.join(left_out)}: categories have no mean.")
    if preset is not None:
        sections.append(towns.same_policy(preset))
    not_asked.append(
        "Whether the graph is right. Data can contradict it but never prove it; arrows come from knowledge "
        "of the world, or from an experiment."
    )
    return Audit(
        "causes",
        "Causes" if do is None else f"Causes: what if {do}?",
        "An association between two columns, and the effect of setting one of them from outside while "
        f"everything that acts on it stays as it is, are two different numbers. {what}.",
        sections,
        inputs,
        not_asked,
    )


def _cells(source: Source, graph: Graph) -> pd.DataFrame:
    """The measured columns as text, at most 20,000 random rows; rows that lack one are left out."""
    from simulacra.audit.shared.random_rows import sampled
    from simulacra.audit.shared.rates import MINIMUM
    from simulacra.audit.shared.source import Field

    cells = sampled(source, {name: Field(source.column(name)) for name in graph.measured})
    if len(cells) < MINIMUM:
        raise source.error(f"{len(cells)} rows have all columns of the graph; {MINIMUM} are needed")
    return cells
