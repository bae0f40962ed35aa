"""The chart of a graph of causes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import networkx as nx
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from simulacra.audit.causes.graph import Graph
from simulacra.audit.shared.figures import WIDTH
from simulacra.report.figures import GREEN, GREY, INK, MUTED, ORANGE, shortened, single, style

LONGEST = 14


def graph(
    drawn: Graph, set_: str | None = None, given: Collection[str] = (), loop: Sequence[tuple[str, str]] = ()
) -> Figure:
    """A graph of causes, from left to right.

    Args:
        drawn: the graph; hidden nodes have a dashed rim.
        set_: what is set from outside, orange.
        given: what is adjusted for, green.
        loop: arrows of a later time, dashed.
    """
    layers = [sorted(layer) for layer in nx.topological_generations(drawn.arrows)]
    place: dict[str, tuple[float, float]] = {
        node: (k, (len(layer) - 1) / 2 - i + 0.22 * (k % 2) * (len(layer) == 1))
        for k, layer in enumerate(layers)
        for i, node in enumerate(layer)
    }
    # nodes of the loop go below
    late = [node for arrow in loop for node in arrow if node not in place]
    lowest = min(y for _, y in place.values())
    for i, node in enumerate(dict.fromkeys(late)):
        place[node] = (len(layers) - 1.5 - i, lowest - 1)
    y = [height for _, height in place.values()]
    with style():
        figure, axes = single(WIDTH, int(130 + 75 * (max(y) - min(y))))
        for a, b in [*sorted(drawn.arrows.edges), *loop]:
            line = "--" if (a, b) in loop or a in drawn.hidden else "-"
            bend = f"arc3,rad={0.25 if abs(place[a][0] - place[b][0]) > 1 else 0.0}"
            arrow: dict[str, Any] = {
                "arrowstyle": "-|>",
                "mutation_scale": 13,
                "color": MUTED,
                "connectionstyle": bend,
            }
            arrow |= {"linestyle": line, "linewidth": 1.3, "shrinkA": _rim(a), "shrinkB": _rim(b)}
            axes.add_patch(FancyArrowPatch(place[a], place[b], **arrow))
        for node, where in place.items():
            rim = ORANGE if node == set_ else GREEN if node in given else GREY
            box: dict[str, Any] = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": rim}
            box |= {
                "linewidth": 1.2 if rim == GREY else 2.2,
                "linestyle": "--" if node in drawn.hidden else "-",
            }

            axes.text(
                *where, shortened(node, LONGEST), color=INK, fontsize=9.5, bbox=box, ha="center", va="center"
            )
        axes.set_xlim(-0.55, len(layers) - 0.45)
        axes.set_ylim(min(y) - 0.5, max(y) + 0.5)
        axes.set_axis_off()
    return figure


def _rim(node: str) -> float:
    """The approximate distance from the middle of a node to its rim, in points."""
    return 11 + 1.5 * min(len(node), LONGEST)
