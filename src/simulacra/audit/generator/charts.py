"""The charts and pictures of `generator`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simulacra.audit.shared.figures import MOST, WIDTH
from simulacra.audit.shared.findings import Estimate
from simulacra.images import grid
from simulacra.report.figures import BLUE, CLASS_COLOURS, INK, MUTED, ORANGE, shortened, single, style

# groups with pictures, and pictures of each
SHOWN, ACROSS = 12, 8
# width of a picture in pixels of the page
SIDE = 64


def beside(
    groups: Sequence[str], data: Sequence[Estimate], samples: Sequence[Estimate], read: Sequence[float]
) -> Figure:
    """Shares of groups in the data and in the samples, in two rows each; those read as such as a mark."""
    order = sorted(range(len(groups)), key=lambda j: -data[j].value)[:MOST]
    with style():
        figure, axes = single(WIDTH, 96 + 34 * len(order))
        for place, j in enumerate(order):
            for e, shift, colour, name in (
                (data[j], -0.16, MUTED, "data"),
                (samples[j], 0.16, BLUE, "samples, corrected"),
            ):
                where = place + shift
                axes.plot(e.ends, [where, where], color=colour, linewidth=2, solid_capstyle="butt")
                label = name if place == 0 else None
                axes.plot([e.value], [where], color=colour, marker="o", markersize=5.5, clip_on=False,
                          linestyle="", label=label)  # fmt: skip
            axes.plot([read[j]], [place + 0.16], color=ORANGE, marker="|", markersize=10, linestyle="",
                      markeredgewidth=1.5, label="samples, as read" if place == 0 else None)  # fmt: skip
        highest = max([*(e.ends[1] for e in (*data, *samples)), *read])
        axes.set_xlim(0, max(0.02, min(1.0, 1.1 * highest)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
        axes.set_yticks(range(len(order)), [shortened(groups[j], 26) for j in order])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_xlabel("share")
        figure.legend(loc="outside lower center", ncols=3, handletextpad=0.1, columnspacing=1)
    return figure


def sweep(
    truncations: Sequence[float], lines: Sequence[tuple[str, Sequence[Estimate]]], label: str
) -> Figure:
    """Shares with intervals by truncation, a line for each name."""
    with style():
        figure, axes = single(WIDTH, 270 + 16 * ((len(lines) + 1) // 2))
        for i, (name, estimates) in enumerate(lines[: len(CLASS_COLOURS)]):
            colour = BLUE if len(lines) == 1 else CLASS_COLOURS[i]
            middle = [e.value for e in estimates]
            axes.plot(truncations, middle, color=colour, marker="o", markersize=4, label=shortened(name, 26))
            low, high = zip(*(e.ends for e in estimates), strict=True)
            axes.fill_between(truncations, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("truncation (1: as trained)")
        axes.set_ylabel(label)
        axes.set_ylim(0, 1.02)
        axes.set_xticks(truncations, [f"{t:g}" for t in truncations])
        axes.grid()
        if len(lines) > 1:
            figure.legend(loc="outside lower center", ncols=2, columnspacing=1)
    return figure


def pictures(groups: Sequence[str], read: np.ndarray, x: np.ndarray) -> Figure:
    """The first samples uint8 `(n, C, H, W)` that are read as each group, a row each."""
    counts = np.bincount(read, minlength=len(groups))
    order = [int(g) for g in np.argsort(-counts, kind="stable") if counts[g]][:SHOWN]
    titles = [f"{groups[g]}: {counts[g]:,} of {len(read):,}" for g in order]
    return strips(titles, [x[read == g][:ACROSS] for g in order])


def strips(titles: Sequence[str], x: Sequence[np.ndarray]) -> Figure:
    """Rows of pictures uint8 `(up to ACROSS, C, H, W)`, a title above each; none: close to the others."""
    side = SIDE * x[0].shape[2] / x[0].shape[3]
    heights = [side + (24 if title else 2) for title in titles]
    height = sum(heights)
    with style():
        figure = Figure(figsize=(SIDE * ACROSS / 100, height / 100))
        top = 0.0
        for title, part, own in zip(titles, x, heights, strict=True):
            top += own
            axes: Axes = figure.add_axes((0, 1 - top / height, len(part) / ACROSS, side / height))
            axes.imshow(grid(part, columns=len(part)), interpolation="antialiased", aspect="auto")
            axes.set_axis_off()
            if title:
                axes.text(0, 1.06, shortened(title, 60), transform=axes.transAxes, va="bottom", fontsize=8.5)
    return figure
