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

# what is called a strong correlation at a glance
STRONG = 0.5
# false pairs whose lines are drawn
LEVELS = {0.05: "0.05", 1: "1", 100: "100", 10_000: "10,000", 1_000_000: "1 million"}
# points of a cloud
CLOUD = 2000


def p_values(p: np.ndarray) -> Figure:
    """How many pairs have which p, in twentieths, and how many would by chance alone."""
    with style():
        figure, axes = single(WIDTH, 240)
        counts = np.histogram(p, 20, (0, 1))[0]
        colours = [ORANGE] + 19 * [BLUE]
        axes.bar(np.arange(20) / 20, counts, 1 / 20, align="edge", color=colours, edgecolor="white")
        axes.axhline(len(p) / 20, color=INK, linewidth=1.2, linestyle=":")
        axes.set_xlim(0, 1)
        axes.set_xlabel("p")
        axes.set_ylabel("pairs")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.grid(axis="y")
    return figure


def points(search: Search, pair: int) -> Figure:
    """The rows of a pair of columns, those withheld open."""
    i, j = search.first[pair], search.second[pair]
    with style():
        figure, axes = single(WIDTH, 300)
        for rows, face in ((search.withheld, "none"), (search.searched, BLUE)):
            xy = search.x[rows][:, [i, j]]
            xy = xy[~np.isnan(xy).any(axis=1)][:CLOUD]
            axes.scatter(
                xy[:, 0], xy[:, 1], s=16, facecolors=face, edgecolors=BLUE, linewidths=0.9, alpha=0.8
            )
        axes.set_xlabel(shortened(search.names[i], 44))
        axes.set_ylabel(shortened(search.names[j], 30))
        axes.grid()
    return figure


def expected(D: np.ndarray | float, n: np.ndarray | float, strong: float = STRONG) -> np.ndarray:
    """Pairs of D columns of noise with |r| of `strong` or more in n rows, on average.

    >>> round(float(expected(100, 11)), 1)
    580.7
    """
    return np.asarray(np.asarray(D) * (np.asarray(D) - 1) / 2 * p_value(strong, n))


def wide(D: int, n: int) -> Figure:
    """False pairs against columns and rows, and where a table of D columns and n rows stands."""
    with style():
        figure, axes = single(WIDTH, 340)
        columns = np.geomspace(2, max(10_000, 2 * D), 120)
        rows = np.geomspace(4, max(1000, 2 * n), 120)
        false = np.log10(np.maximum(expected(*np.meshgrid(columns, rows)), 1e-12))
        levels = np.log10(list(LEVELS))
        axes.contourf(columns, rows, false, levels=[*levels, 12], cmap="Blues", extend="max", alpha=0.75)
        lines = axes.contour(columns, rows, false, levels=levels, colors=INK, linewidths=0.8)
        names = dict(zip(lines.levels, LEVELS.values(), strict=True))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.clabel(lines, fmt=names, fontsize=8.5)
        axes.plot([D], [n], color=ORANGE, marker="o", markersize=8, markeredgecolor="white", clip_on=False)
        left = columns[-1] ** 0.6 < D
        axes.annotate(
            "this table",
            (D, n),
            (-9 if left else 9, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            weight="bold",
        )
        axes.set_xlabel("columns (wide \N{RIGHTWARDS ARROW})")
        axes.set_ylabel("rows (tall \N{RIGHTWARDS ARROW})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator())
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    return figure


def twice(found: Sequence[tuple[float, float, bool]], rows: tuple[int, int]) -> Figure:
    """Each pair's r where it was found against r in the withheld rows; filled where it holds.

    Args:
        found: both r, and whether it holds.
        rows: how many were searched and withheld.
    """
    with style():
        figure, axes = single(WIDTH, 340)
        axes.plot([-1, 1], [-1, 1], color=INK, linewidth=1)
        axes.axhline(0, color=MUTED, linewidth=1, linestyle=":")
        first, second, holds = (np.array(column) for column in zip(*found, strict=True))
        faces = np.where(holds.astype(bool), BLUE, "none").tolist()
        axes.scatter(first, second, s=24, facecolors=faces, edgecolors=BLUE, linewidths=1)
        axes.set_xlim(-1.04, 1.04)
        axes.set_ylim(-1.04, 1.04)
        axes.set_xlabel(f"r where it was found, {rows[0]:,} rows")
        axes.set_ylabel(f"r in {rows[1]:,} withheld rows")
        axes.grid()
        marks = [
            Line2D([], [], marker="o", linestyle="", markerfacecolor=face, markeredgecolor=BLUE)
            for face in (BLUE, "none")
        ]
        figure.legend(marks, ["holds", "does not hold"], loc="outside upper left", ncols=2, handletextpad=0.2)
    return figure
