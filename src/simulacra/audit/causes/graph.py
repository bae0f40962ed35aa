"""Causal graphs: which columns act on which, what to adjust for, and what the graph implies about data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

import networkx as nx
from pydantic import model_validator

from simulacra.audit.shared.documents import Document, Names, read_yaml
from simulacra.errors import DataError, nearest

EXAMPLE = "arrows: {poverty: [record, offence], record: [offence]}"
_UNROLLED = "in time nothing acts on its own cause: name it twice, as in poverty and poverty_later"


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of causes and effects.

    Attributes:
        arrows: from causes to effects.
        hidden: nodes that are not measured.

    >>> graph = Graph(nx.DiGraph([("z", "x"), ("z", "y"), ("x", "y")]))
    >>> graph.adjustment_set("x", "y"), graph.independences(), graph.reversible()
    (('z',), [], [('x', 'y'), ('z', 'x')])
    """

    arrows: nx.DiGraph
    hidden: frozenset[str] = frozenset()

    @property
    def measured(self) -> list[str]:
        """Nodes that are columns, causes first."""
        return [node for node in nx.lexicographical_topological_sort(self.arrows) if node not in self.hidden]

    def affects(self, x: str, y: str) -> bool:
        """Whether x acts on y, over any number of arrows."""
        return x != y and nx.has_path(self.arrows, x, y)

    def adjustment_set(self, x: str, y: str) -> tuple[str, ...] | None:
        """A minimal set of measured columns that blocks all backdoor paths from x to y (Pearl 2009, 3.3).

        Returns:
            None where there is none: then no table of these columns identifies the effect.
        """
        allowed = set(self.measured) - nx.descendants(self.arrows, x) - {x, y}
        # without the arrows out of x only backdoor paths are left
        back = self.arrows.copy()
        back.remove_edges_from(list(self.arrows.out_edges(x)))
        return _separator(back, x, y, allowed)

    def independences(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Pairs of measured columns without an arrow, each with a set that makes the two independent.

        One set for each pair (Textor et al. 2016: the missing edges); pairs that only hidden nodes separate
        are left out.
        """
        names = self.measured
        pairs = [(a, b) for a, b in combinations(names, 2) if b not in nx.all_neighbors(self.arrows, a)]
        found = [(a, b, _separator(self.arrows, a, b, set(names) - {a, b})) for a, b in pairs]
        return [(a, b, given) for a, b, given in found if given is not None]

    def reversible(self) -> list[tuple[str, str]]:
        """Arrows that could each point the other way, with the same independences (Chickering 1995).

        An arrow a -> b is reversible where the other causes of b are the causes of a.
        """
        causes = self.arrows.predecessors
        return sorted((a, b) for a, b in self.arrows.edges if set(causes(b)) - {a} == set(causes(a)))


def _separator(arrows: nx.DiGraph, a: str, b: str, allowed: set[str]) -> tuple[str, ...] | None:
    # finds one where there is any (van der Zander and Liskiewicz 2020)
    given = nx.find_minimal_d_separator(arrows, a, b, restricted=allowed)
    return None if given is None else tuple(sorted(given))


def read_graph(path: Path, columns: Iterable[str]) -> Graph:
    """Read graph.yaml.

        arrows:
          poverty: [record, offence]     # poverty acts on record, and on offence
          record: [offence]
        hidden: [poverty]                # nobody has measured it; may be left out

    Raises:
        DataError: the file is missing or says something else, arrows run in a circle, or a node is neither
            a column nor hidden.
    """
    document, columns = read_yaml(path, _File, EXAMPLE), list(columns)
    graph = Graph(nx.DiGraph(document.arrows), frozenset(document.hidden))
    for node in graph.measured:
        if node not in columns:
            raise DataError(
                f"{path}: '{node}' is not a column of the table, {nearest(node, columns)[:200]}; if nobody "
                f"has measured it, write hidden: [{node}]"
            )
    return graph


class _File(Document):
    arrows: dict[str, Names]
    hidden: Names = ()

    @model_validator(mode="after")
    def _acyclic(self) -> Self:
        arrows = nx.DiGraph(self.arrows)
        if loop := next(iter(nx.nodes_with_selfloops(arrows)), None):
            raise ValueError(f"an arrow runs from '{loop}' to itself; {_UNROLLED}")
        if len(arrows) < 2:
            raise ValueError(f"names fewer than two columns; write {EXAMPLE}")
        if not nx.is_directed_acyclic_graph(arrows):
            circle = [a for a, _ in nx.find_cycle(arrows)]
            raise ValueError(f"arrows run in a circle, {' -> '.join([*circle, circle[0]])}; {_UNROLLED}")
        if lost := sorted(set(self.hidden) - set(arrows)):
            raise ValueError(f"hidden: no arrow names '{lost[0]}', {nearest(lost[0], arrows)}")
        return self
