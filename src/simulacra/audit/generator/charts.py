"""The charts and pictures of `generator`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulacra.audit.shared.figures import MOST, WIDTH, group_axis, share_axis
from simulacra.audit.shared.findings import Estimate
from simulacra.images import grid
from simulacra.report.figures import BLUE, CLASS_COLOURS, MUTED, ORANGE, shortened, single, style

# groups with pictures, and pictures of each
SHOWN, ACROSS = 12, 8
# width of a picture in pixels of the page
SIDE = 64


def beside(
    groups: Sequence[str], data: Sequence[Estimate], samples: Sequence[Estimate], before: Sequence[float]
) -> Figure:
    """Shares of groups in the data and in the samples, two rows each, and a mark before the correction."""
    order = sorted(range(len(groups)), key=lambda j: -data[j].value)[:MOST]
    place = np.arange(len(order))
    with style():
        figure, axes = single(WIDTH, 96 + 34 * len(order))
        both = ((data, -0.16, MUTED, "data"), (samples, 0.16, BLUE, "samples, corrected"))
        for estimates, shift, colour, name in both:
            value = np.array([estimates[j].value for j in order])
            error = np.abs(np.array([estimates[j].ends for j in order]).T - value)
            dots: dict[str, Any] = {
                "fmt": "o",
                "color": colour,
                "markersize": 5.5,
                "elinewidth": 2,
                "clip_on": False,
            }
            axes.errorbar(value, place + shift, xerr=error, label=name, **dots)
        mark: dict[str, Any] = {"color": ORANGE, "markersize": 10, "markeredgewidth": 1.5}
        axes.plot([before[j] for j in order], place + 0.16, "|", label="samples, as predicted", **mark)
        share_axis(axes, max([*(e.ends[1] for e in (*data, *samples)), *before]))
        group_axis(axes, [groups[j] for j in order], "share")
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


def pictures(groups: Sequence[str], predicted: np.ndarray, x: np.ndarray) -> Figure:
    """The first samples of each predicted group, a row each, of uint8 `(n, C, H, W)`."""
    counts = np.bincount(predicted, minlength=len(groups))
    order = [int(g) for g in np.argsort(-counts, kind="stable") if counts[g]][:SHOWN]
    titles = [f"{groups[g]}: {counts[g]:,} of {len(predicted):,}" for g in order]
    return strips(titles, [x[predicted == g][:ACROSS] for g in order])


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
