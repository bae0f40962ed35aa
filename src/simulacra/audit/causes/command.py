"""`causes`: what would happen if something were set from outside, if a graph of causes is right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

if TYPE_CHECKING:
    import pandas as pd

    from simulacra.audit.causes.adjustment import Column
    from simulacra.audit.causes.graph import Graph
    from simulacra.audit.shared.source import Source


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Hold a graph of causes against data, and tell what goes together from what an intervention would do."""

    graph: tyro.conf.Positional[Path | None] = None
    """graph.yaml: arrows from causes to what they act on"""
    table: tyro.conf.Positional[Path | None] = None
    """CSV with a row for each person and a column for each node"""
    do: str | None = None
    """what is set from outside, COL=VALUE"""
    preset: Literal["direct", "poverty"] | None = None
    """instead of a graph and a table: a made-up town where a group offends more because of an arrow of its
    own, or because it is poor; both towns have the same correlation"""


def audit(arguments: Arguments) -> Audit:
    """Test a graph against data, and adjust for what confounds.

    Raises:
        ConfigError: an impossible setting.
        DataError: the graph or the table cannot be used.
    """
    from simulacra.audit.causes.graph import read_graph
    from simulacra.audit.causes.graph_fit import fits
    from simulacra.audit.causes.intervention import Asked, intervention
    from simulacra.audit.causes.towns import DO, other, towns, world
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError

    if arguments.preset is not None:
        if arguments.graph is not None:
            raise ConfigError("causes: give a preset, or a graph and a table, not both")
        graph, cells, loop = world(arguments.preset)
        do: str | None = arguments.do or DO
        about: dict[str, str | int | float] = {"preset": arguments.preset, "rows": len(cells)}
        what = f"A made-up town of {len(cells):,} people, preset '{arguments.preset}'"
    else:
        if arguments.graph is None or arguments.table is None:
            raise ConfigError("causes: give graph.yaml and a table, or --preset direct or poverty")
        source = Source(arguments.table)
        graph, do, loop = read_graph(arguments.graph, source.names), arguments.do, ()
        cells = _cells(source, graph)
        about = source.about() | {"graph": str(arguments.graph), "rows looked at": len(cells)}
        what = f"{arguments.table}, {len(cells):,} rows"
    table, asked = _columns(cells, str(arguments.table or arguments.preset)), []
    sections = [fits(graph, table, loop)]
    if arguments.preset is not None:
        sections.append(other(arguments.preset, table))
    if do is not None:
        asked_for = Asked.parse(do, graph, table)
        about["do"] = do
        sections += intervention(graph, table, asked_for, cells[asked_for.x])
        if missed := asked_for.left_out(graph, table):
            asked.append(f"What it would do to {', '.join(missed)}: groups with names have no mean.")
    else:
        asked.append("What an intervention would do: name one with --do COL=VALUE.")
    if arguments.preset is not None:
        sections.append(towns(arguments.preset))
    asked.append(
        "Whether the graph is right. The data can contradict it, never prove it; arrows come from what is "
        "known about the world, or from an experiment."
    )
    return Audit(
        "causes",
        "Causes" if do is None else f"Causes: what if {do}?",
        "What goes together, and what would happen if something were set from outside while everything that "
        f"acts on it is left as it is: two different numbers. {what}.",
        sections,
        about,
        asked,
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


def _columns(cells: pd.DataFrame, title: str) -> dict[str, Column]:
    from simulacra.audit.causes.adjustment import column
    from simulacra.errors import DataError

    try:
        return {name: column(cells[name]) for name in cells}
    except ValueError as error:
        raise DataError(f"{title}: {error}") from error
