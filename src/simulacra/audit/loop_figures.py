"""Charts of loops: what many runs of a simulation do over time, and graphs of causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import FuncFormatter

from simulacra.audit.figures import WIDTH
from simulacra.audit.graph import Graph
from simulacra.report.figures import BLUE, GREEN, GREY, INK, MUTED, ORANGE, shortened, single, style

LONGEST = 14


@dataclass(frozen=True)
class Runs:
    """One number of many runs over time: `values` `(S, T)`."""

    name: str
    values: np.ndarray
    colour: str = BLUE


def bands(
    x: np.ndarray,
    lines: Sequence[Runs],
    labels: tuple[str, str],
    truth: float | None = None,
    log: bool = False,
    shares: bool = True,
) -> Figure:
    """The mean of all runs, and the band that holds 95 of 100 of them.

    Args:
        x: times `(T,)`.
        lines: what is drawn.
        labels: of the axes.
        truth: a value with a line through it.
        log: the times are on a logarithmic axis.
        shares: the numbers are told in percent.
    """
    with style():
        figure, axes = single(WIDTH, 300)
        for line in lines:
            low, high = np.percentile(line.values, [2.5, 97.5], axis=0)
            axes.fill_between(x, low, high, color=line.colour, alpha=0.22, linewidth=0)
            axes.plot(x, line.values.mean(axis=0), color=line.colour, linewidth=2)
        if truth is not None:
            axes.axhline(truth, color=INK, linewidth=1.2, linestyle=":")
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        if shares:
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes.grid()
        marks = [Line2D([], [], color=line.colour, linewidth=3) for line in lines]
        figure.legend(
            marks, [line.name for line in lines], loc="outside upper left", ncols=2, handlelength=1.2
        )
    return figure


def graph(
    drawn: Graph, set_: str | None = None, given: Iterable[str] = (), loop: Sequence[tuple[str, str]] = ()
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
    # nodes of the loop stand below
    late = [node for arrow in loop for node in arrow if node not in place]
    lowest = min(y for _, y in place.values())
    for i, node in enumerate(dict.fromkeys(late)):
        place[node] = (len(layers) - 1.5 - i, lowest - 1)
    tall = max(y for _, y in place.values()) - min(y for _, y in place.values())
    given = set(given)
    with style():
        figure, axes = single(WIDTH, int(130 + 75 * tall))
        for a, b in [*sorted(drawn.arrows.edges), *loop]:
            dashed = (a, b) in loop or a in drawn.hidden
            far = abs(place[a][0] - place[b][0]) > 1
            axes.add_patch(
                FancyArrowPatch(
                    place[a],
                    place[b],
                    arrowstyle="-|>",
                    mutation_scale=13,
                    shrinkA=_rim(a),
                    shrinkB=_rim(b),
                    color=MUTED,
                    linewidth=1.3,
                    linestyle="--" if dashed else "-",
                    connectionstyle=f"arc3,rad={0.25 if far else 0.0}",
                )
            )
        for node, (x, y) in place.items():
            rim = ORANGE if node == set_ else GREEN if node in given else GREY
            axes.text(
                x,
                y,
                shortened(node, LONGEST),
                ha="center",
                va="center",
                color=INK,
                fontsize=9.5,
                bbox={
                    "boxstyle": "round,pad=0.45",
                    "facecolor": "white",
                    "edgecolor": rim,
                    "linewidth": 1.2 if rim == GREY else 2.2,
                    "linestyle": "--" if node in drawn.hidden else "-",
                },
            )
        axes.set_xlim(-0.55, len(layers) - 0.45)
        axes.set_ylim(min(y for _, y in place.values()) - 0.5, max(y for _, y in place.values()) + 0.5)
        axes.set_axis_off()
    return figure


def _rim(node: str) -> float:
    """About how far from the middle of a node an arrow ends, in points."""
    return 11 + 1.5 * min(len(node), LONGEST)
