"""Charts of vectors by their first two columns: a scatter over the data, and a density of very many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from simulacra.report.figures import BLUE, GREY, INK, dot, shortened, single, style
from simulacra.report.numbers import column

# share of each column on either side that axes may leave out
TRIMMED = 0.001
# samples or data that fill less than this share of every axis are not readable on it
READABLE = 0.2
# ranges that differ by more than this factor are drawn at different scales
ALIKE = 3
# evenly darker from one point to the most
COUNTS = LinearSegmentedColormap.from_list(
    "counts", ["#bfe3f2", "#6fb7dc", "#2f86c1", "#1d5796", "#1b2f63", "#120f2d"]
)


def scatter(
    data: np.ndarray | None,
    samples: np.ndarray,
    names: Sequence[str] = (),
    modes: np.ndarray | None = None,
    radius: float = 0.0,
    equal: bool = False,
    labels: tuple[str, str] = ("data", "samples"),
) -> Figure:
    """Vectors by their first two columns, samples over data; by the only one, as histograms.

    Where samples and data differ too much in scale for one chart, a second one shows the samples at their
    own scale.

    Args:
        data: `(N, D)`, or None.
        samples: `(M, D)`.
        names: of the columns; numbered without them.
        modes: centres `(K, D)` that rings are drawn around, or None.
        radius: of the rings.
        equal: the same scale along both axes.
        labels: what the legend calls data and samples.
    """
    small = None if data is None else unreadable(data, samples)
    groups = [(labels[0], GREY, data)] if data is not None else []
    groups.append((labels[1], BLUE, samples))
    with style():
        if small is None:
            figure, axes = single(520, 440)
            own = None
        else:
            figure = Figure(figsize=(5.2, 3.2), layout="constrained")
            axes, own = figure.subplots(1, 2)
        marks = draw_cloud(axes, groups, names, equal)
        if modes is not None and samples.shape[1] >= 2:
            rings = [Circle((x, y), radius) for x, y in modes[:, :2]]
            axes.add_collection(PatchCollection(rings, facecolor="none", edgecolor=INK, linewidth=0.9))
            marks.append(
                Line2D([], [], marker="o", linestyle="", markersize=7, color=INK, markerfacecolor="none")
            )
            marks[-1].set_label("modes")
        if own is not None:
            if small == "data" and data is not None:
                _zoom(axes, data)
                axes.set_title("near the data")
            else:
                axes.set_title("samples and data")
            draw_cloud(own, groups[-1:], names, equal)
            own.set_title("samples at their own scale")
            for one in (axes, own):
                one.title.set(fontsize=9.5)
                plain_ticks(one, 4)
        figure.legend(handles=marks, loc="outside upper right", ncols=3, markerscale=1.6, handletextpad=0.2)
    return figure


def unreadable(data: np.ndarray, samples: np.ndarray) -> str | None:
    """Which of `data` and `samples` would be too small to see in a chart of both, or None.

    >>> x = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> unreadable(x, x / 1000), unreadable(x, x * 1000), unreadable(x, x / 2)
    ('samples', 'data', None)
    """
    ends = {name: np.quantile(x[:, :2], [0.01, 0.99], axis=0) for name, x in
            (("samples", samples), ("data", data))}  # fmt: skip
    both = np.stack(list(ends.values()))
    whole = both.max(axis=(0, 1)) - both.min(axis=(0, 1))
    for name, (low, high) in ends.items():
        if (high - low < READABLE * whole).all():
            return name
    return None


def draw_cloud(
    axes: Axes, groups: Sequence[tuple[str, str, np.ndarray]], names: Sequence[str], equal: bool
) -> list[Line2D]:
    """Draw groups (name, colour, vectors); returns what a legend shows of them."""
    if groups[-1][2].shape[1] == 1:
        bins = np.histogram_bin_edges(np.concatenate([x[:, 0] for _, _, x in groups]), 40).tolist()
        for _, colour, x in groups:
            axes.hist(x[:, 0], bins, histtype="step", density=True, color=colour, linewidth=1.6)
        axes.set_ylabel("density")
        shape = {}
    else:
        for _, colour, x in groups:
            axes.scatter(x[:, 0], x[:, 1], s=dot(len(x)), c=colour, alpha=0.7, linewidths=0)
        axes.set_ylabel(shortened(column(names, 1)))
        if equal:
            axes.set_aspect("equal", adjustable="datalim")
        shape = {"marker": "o", "linestyle": "", "markersize": 3.5}
    axes.set_xlabel(shortened(column(names, 0)))
    axes.grid()
    return [Line2D([], [], color=colour, label=name, **shape) for name, colour, _ in groups]  # type: ignore[arg-type]  # any property


def _zoom(axes: Axes, x: np.ndarray) -> None:
    low, high = x[:, :2].min(axis=0), x[:, :2].max(axis=0)
    margin = 0.1 * (high - low)
    axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
    if x.shape[1] > 1:
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])


def plain_ticks(axes: Axes, most: int = 6) -> None:
    """Few numbers on the axes, and short ones: a power of ten that all share stands once, at the end."""
    axes.locator_params(nbins=most)
    axes.ticklabel_format(style="sci", scilimits=(-3, 5))


def limits(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the axes of a density begin and end, `(D,)` each.

    From the least to the largest number, but not far beyond the middle 99.8%: a few outliers
    would shrink all the rest.
    """
    low, high = np.quantile(x, [TRIMMED, 1 - TRIMMED], axis=0)
    room = 0.1 * (high - low)
    low, high = np.maximum(x.min(axis=0), low - room), np.minimum(x.max(axis=0), high + room)
    # a column that never varies
    least = np.maximum(1e-3 * np.abs(low), 1e-6)
    return np.where(high > low, low, low - least), np.where(high > low, high, high + least)


def density(x: np.ndarray, names: Sequence[str] = ()) -> Figure:
    """Very many vectors `(N, D)` by their first two columns, as counts of fine bins in logarithmic colours.

    The axes are those of `limits`. By the only column: one histogram.
    """
    x = x[:, :2][np.isfinite(x[:, :2]).all(axis=1)]
    low, high = limits(x)
    bins = int(np.clip(1.3 * np.sqrt(len(x)), 60, 420))
    with style():
        figure, axes = single(520, 440)
        axes.set_xlabel(shortened(column(names, 0)))
        if x.shape[1] == 1:
            axes.hist(x[:, 0], bins // 2, range=(low[0], high[0]), color=BLUE, histtype="stepfilled")
            axes.set_ylabel("points")
            axes.grid()
            return figure
        axes.set_ylabel(shortened(column(names, 1)))
        counts, _, _ = np.histogram2d(x[:, 0], x[:, 1], bins, np.stack([low, high], axis=1).tolist())
        wide, tall = high - low
        image = axes.imshow(
            np.ma.masked_equal(counts.T, 0),
            cmap=COUNTS,
            norm=LogNorm(1, max(counts.max(), 2)),
            extent=(low[0], high[0], low[1], high[1]),
            origin="lower",
            interpolation="nearest",
            aspect="auto",
        )
        if max(wide, tall) < ALIKE * min(wide, tall):
            axes.set_aspect("equal", adjustable="datalim")
        plain_ticks(axes)
        bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=30, format="{x:,.0f}")
        bar.set_label("points in a bin")
        bar.outline.set_visible(False)
    return figure
