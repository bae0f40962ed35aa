"""The charts of `correlations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simulacra.audit.correlations.pairwise import p_value
from simulacra.audit.shared.figures import WIDTH
from simulacra.report.figures import BLUE, INK, MUTED, ORANGE, shortened, single, style

if TYPE_CHECKING:
    from simulacra.audit.correlations.search import Search

# what is called a strong correlation
STRONG = 0.5
# false pairs whose lines are drawn
LEVELS = {0.05: "0.05", 1: "1", 100: "100", 10_000: "10,000", 1_000_000: "1 million"}
# points of a scatter plot
POINTS = 2000


def p_histogram(p: np.ndarray) -> Figure:
    """How many pairs have which p, in twentieths, and how many would by chance alone."""
    with style():
        figure, axes = single(WIDTH, 240)
        counts, colours = np.histogram(p, 20, (0, 1))[0], [ORANGE, *19 * [BLUE]]
        axes.bar(np.arange(20) / 20, counts, 1 / 20, align="edge", color=colours, edgecolor="white")
        axes.axhline(len(p) / 20, color=INK, linewidth=1.2, linestyle=":")
        axes.set(xlim=(0, 1), xlabel="p", ylabel="pairs")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(axis="y")
    return figure


def pair_scatter(search: Search, pair: int) -> Figure:
    """The rows of a pair of columns, those withheld open."""
    i, j = search.first[pair], search.second[pair]
    with style():
        figure, axes = single(WIDTH, 300)
        for rows, face in ((search.withheld, "none"), (search.searched, BLUE)):
            xy = search.x[rows][:, [i, j]]
            x, y = xy[~np.isnan(xy).any(axis=1)][:POINTS].T
            axes.scatter(x, y, s=16, facecolors=face, edgecolors=BLUE, linewidths=0.9, alpha=0.8)
        axes.set(xlabel=shortened(search.names[i], 44), ylabel=shortened(search.names[j], 30))
        axes.grid()
    return figure


def expected(D: np.ndarray | float, n: np.ndarray | float, strong: float = STRONG) -> np.ndarray:
    """Pairs of D columns of noise with |r| of `strong` or more in n rows, on average.

    >>> round(float(expected(100, 11)), 1)
    580.7
    """
    return np.asarray(np.asarray(D) * (np.asarray(D) - 1) / 2 * p_value(strong, n))


def table_shapes(D: int, n: int) -> Figure:
    """False pairs against columns and rows, and a mark at D columns and n rows."""
    with style():
        figure, axes = single(WIDTH, 340)
        columns = np.geomspace(2, max(10_000, 2 * D), 120)
        rows = np.geomspace(4, max(1000, 2 * n), 120)
        false = np.log10(np.maximum(expected(*np.meshgrid(columns, rows)), 1e-12))
        levels = np.log10(list(LEVELS))
        axes.contourf(columns, rows, false, levels=[*levels, 12], cmap="Blues", extend="max", alpha=0.75)
        lines = axes.contour(columns, rows, false, levels=levels, colors=INK, linewidths=0.8)
        axes.set(xscale="log", yscale="log")
        axes.clabel(lines, fmt=dict(zip(lines.levels, LEVELS.values(), strict=True)), fontsize=8.5)
        axes.plot([D], [n], color=ORANGE, marker="o", markersize=8, markeredgecolor="white", clip_on=False)
        offset, side = (-9, "right") if columns[-1] ** 0.6 < D else (9, "left")
        text = axes.annotate("this table", (D, n), (offset, 0), textcoords="offset points", ha=side)
        text.set(va="center", weight="bold")
        axes.set_xlabel("columns (wide \N{RIGHTWARDS ARROW})")
        axes.set_ylabel("rows (tall \N{RIGHTWARDS ARROW})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator())
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    return figure


def replication_scatter(found: Sequence[tuple[float, float, bool]], rows: tuple[int, int]) -> Figure:
    """Each pair's r where it was found against r in the withheld rows; filled where it holds.

    Args:
        found: both r, and whether it holds.
        rows: how many were searched and withheld.
    """
    with style():
        figure, axes = single(WIDTH, 340)
        axes.plot([-1, 1], [-1, 1], color=INK, linewidth=1)
        axes.axhline(0, color=MUTED, linewidth=1, linestyle=":")
        first, second, holds = zip(*found, strict=True)
        faces = [BLUE if hold else "none" for hold in holds]
        axes.scatter(first, second, s=24, facecolors=faces, edgecolors=BLUE, linewidths=1)
        axes.set(xlim=(-1.04, 1.04), ylim=(-1.04, 1.04))
        axes.set_xlabel(f"r where it was found, {rows[0]:,} rows")
        axes.set_ylabel(f"r in {rows[1]:,} withheld rows")
        axes.grid()
        marks = [Line2D([], [], marker="o", linestyle="", markerfacecolor=face, markeredgecolor=BLUE)
                 for face in (BLUE, "none")]  # fmt: skip
        figure.legend(marks, ["holds", "does not hold"], loc="outside upper left", ncols=2, handletextpad=0.2)
    return figure
