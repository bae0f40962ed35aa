"""Charts of predictions: densities, calibration, and predicted against observed values."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch.distributions import Binomial

from simulacra.report.clouds import plain_ticks
from simulacra.report.figures import BLUE, GREEN, GREY, INK, ORANGE, RULE, dot, shortened, single, style

# from zero to high density
DENSITY = LinearSegmentedColormap.from_list(
    "density", ["#ffffff", "#d3e9f5", "#9ccbe6", "#5ba3d3", "#2b79b9", "#154f92"]
)
BINS = 10
# central intervals, percent
LEVELS = np.arange(1, 100)
# classes of a confusion matrix that fits beside others; with counts and shares, and with counts, in the cells
NARROW, WITH_SHARES, WITH_COUNTS = 12, 10, 40


def conditional(
    density: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    names: tuple[str, str],
    points: np.ndarray,
    mean: np.ndarray,
    components: tuple[np.ndarray, np.ndarray] | None = None,
) -> Figure:
    """p(y | x) over the plane, with examples, the mean, and the components of a mixture.

    Args:
        density: p(y | x), `(H, W)`.
        x: of the columns, `(W,)`, evenly spaced.
        y: of the rows, `(H,)`, evenly spaced.
        names: of x and y.
        points: examples (x, y), `(N, 2)`.
        mean: E[y | x], `(W,)`.
        components: their means and weights, each `(W, K)`, or None.
    """
    with style():
        figure, axes = single(520, 460)
        dx, dy = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
        image = axes.imshow(
            density,
            cmap=DENSITY,
            # where y is almost known the density is far higher than elsewhere
            norm=PowerNorm(0.4, vmin=0, vmax=float(np.quantile(density.max(axis=0), 0.75))),
            extent=(x[0] - dx, x[-1] + dx, y[0] - dy, y[-1] + dy),
            origin="lower",
            aspect="auto",
        )
        axes.scatter(points[:, 0], points[:, 1], s=dot(len(points)) / 5, c=INK, alpha=0.5, linewidths=0)
        marks = [Line2D([], [], marker="o", linestyle="", markersize=2.5, color=INK, label="held-out")]
        if components is not None:
            for line, weight in zip(components[0].T, components[1].T, strict=True):
                _weighted_line(axes, x, line, weight)
            marks.append(Line2D([], [], color=GREEN, linewidth=2.5, label="components"))
        axes.plot(x, mean, color=ORANGE, linewidth=2, linestyle=(0, (4, 1.5)))
        marks.append(Line2D([], [], color=ORANGE, linewidth=2, linestyle=(0, (4, 1.5))))
        marks[-1].set_label(f"mean E[{names[1]} | {names[0]}]")
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(y[0], y[-1])
        axes.set_xlabel(names[0])
        axes.set_ylabel(names[1])
        plain_ticks(axes)
        bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=30, extend="max")
        bar.set_label(f"p({names[1]} | {names[0]})")
        bar.outline.set_visible(False)
        figure.legend(handles=marks, loc="outside upper right", ncols=3, handletextpad=0.4)
    return figure


def _weighted_line(axes: Axes, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
    """A line whose width and opacity follow a weight in [0, 1]."""
    ends = np.stack([x, y], axis=1)
    pieces = np.stack([ends[:-1], ends[1:]], axis=1).tolist()
    middle = (weight[:-1] + weight[1:]) / 2
    colours = [(*to_rgb(GREEN), float(alpha)) for alpha in np.sqrt(middle).clip(0, 1)]
    axes.add_collection(
        LineCollection(pieces, colors=colours, linewidths=(0.5 + 3 * middle).tolist(), capstyle="butt")
    )


def binomial_range(n: int, p: float) -> tuple[float, float]:
    """The central 95% of the share of n examples for which an event of probability p occurs.

    >>> binomial_range(100, 0.5)
    (0.4, 0.6)
    """
    shares = Binomial(n, probs=torch.tensor(p, dtype=torch.float64))
    below = shares.log_prob(torch.arange(n + 1, dtype=torch.float64)).exp().cumsum(0).numpy()
    low, high = np.searchsorted(below, [0.025, 0.975])
    return float(low / n), float(min(high, n) / n)


def calibration(u: np.ndarray, n: int) -> Figure:
    """The histogram of probability integral transforms, and nominal against observed coverage.

    Args:
        u: transforms of all numbers, `(M,)` in [0, 1].
        n: effective number of independent ones, for the 95% range.
    """
    with style():
        figure, (left, right) = _two()
        shares = np.histogram(u, BINS, (0, 1))[0] / len(u)
        low, high = binomial_range(n, 1 / BINS)
        left.axhspan(low, high, color=GREY, alpha=0.7, linewidth=0)
        left.axhline(1 / BINS, color=INK, linewidth=1)
        for end in (low, high):  # over the bars
            left.axhline(end, color=INK, linewidth=0.8, linestyle=":", zorder=3)
        left.bar((np.arange(BINS) + 0.5) / BINS, shares, width=0.9 / BINS, color=BLUE, alpha=0.85)
        left.set_xlim(0, 1)
        left.set_ylim(0, max(0.2, 1.1 * shares.max(), 1.1 * high))
        left.set_xlabel("F(observed | x)")
        left.set_ylabel("share")
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        band = np.array([binomial_range(n, level / 100) for level in LEVELS])
        right.fill_between(LEVELS, 100 * band[:, 0], 100 * band[:, 1], color=GREY, alpha=0.7, linewidth=0)
        right.plot([0, 100], [0, 100], color=INK, linewidth=1)
        seen = (np.abs(u[:, None] - 0.5) <= LEVELS / 200).mean(axis=0)
        right.plot([0, *LEVELS, 100], [0, *(100 * seen), 100], color=BLUE)
        _percents(right, "central interval", "observed inside")
        marks = [Patch(color=BLUE), Line2D([], [], color=INK, linewidth=1), Patch(color=GREY, alpha=0.7)]
        names = ["model", "perfect", "95% range"]
        figure.legend(marks, names, loc="outside upper right", ncols=3, handlelength=1.2)
    return figure


def reliability(confidence: np.ndarray, right: np.ndarray) -> Figure:
    """Accuracy against confidence in ten bins, and how many examples have which confidence.

    Args:
        confidence: probability of the predicted class, `(N,)`.
        right: whether it is the true one, bool `(N,)`.
    """
    place = np.clip(np.ceil(confidence * BINS).astype(int), 1, BINS) - 1
    with style():
        figure, (chart, counts) = _two()
        chart.plot([0, 100], [0, 100], color=INK, linewidth=1)
        for k in np.unique(place):
            member = place == k
            mean, accuracy = float(confidence[member].mean()), 100 * right[member].mean()
            # the 95% range of the accuracy of so few examples at that confidence
            low, high = binomial_range(int(member.sum()), min(max(mean, 1e-9), 1 - 1e-9))
            chart.plot([100 * mean] * 2, [100 * low, 100 * high], color=GREY, linewidth=6, alpha=0.7,
                       solid_capstyle="butt")  # fmt: skip
            chart.plot(
                [100 * mean], [accuracy], color=BLUE, marker="o", markersize=5.5, clip_on=False, zorder=3
            )
        _percents(chart, "confidence", "accuracy")
        number = np.bincount(place, minlength=BINS)
        counts.bar(100 * (np.arange(BINS) + 0.5) / BINS, number, width=90 / BINS, color=BLUE, alpha=0.85)
        counts.set_xlim(0, 100)
        counts.set_xlabel("confidence")
        counts.xaxis.set_major_formatter(PercentFormatter(100, decimals=0))
        counts.set_ylabel("examples")
        marks: list[Line2D | Patch] = [
            Line2D([], [], color=BLUE, marker="o", linestyle="", markersize=5.5),
            Line2D([], [], color=INK, linewidth=1),
            Patch(color=GREY, alpha=0.7),
        ]
        names = ["model", "perfect", "95% range"]
        figure.legend(marks, names, loc="outside upper right", ncols=3, handlelength=1.2)
    return figure


def confusion(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """A confusion matrix: the share of its row colours a cell; the count, and the share, stand in it.

    Args:
        counts: `(K, K)`; rows are true classes, columns predicted ones.
        classes: their names.
    """
    K = len(classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # rare mistakes stay visible
    depth = np.sqrt(shares)
    colours = np.where(np.eye(K, dtype=bool)[..., None], to_rgb(BLUE), to_rgb(ORANGE))
    # on white, so that text of one colour can be read on a cell
    colours = 1 + depth[..., None] * (colours - 1)
    side = 460 if K <= NARROW else 900
    with style():
        figure, axes = single(side + 60, side)
        axes.imshow(colours, interpolation="nearest", aspect="auto")
        size = min(9.0, 0.62 * 72 * side / 100 / K)
        names = [shortened(name) for name in classes]
        turned = max(map(len, names)) * K > side / 9
        axes.set_xticks(range(K), names, rotation=90 if turned else 0, fontsize=size)
        axes.set_yticks(range(K), names, fontsize=size)
        axes.tick_params(length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.set_xticks(np.arange(K + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(K + 1) - 0.5, minor=True)
        axes.tick_params(which="minor", length=0)
        axes.grid(which="minor", color=RULE, linewidth=0.6 if K <= WITH_COUNTS else 0.3)
        for edge in axes.spines.values():
            edge.set_visible(False)
        for i, j in zip(*np.nonzero(counts), strict=True):
            if K > WITH_COUNTS:
                break
            text = f"{counts[i, j]:,}"
            if K <= WITH_SHARES:
                text += f"\n{100 * shares[i, j]:.0f}%"
            ink = "white" if depth[i, j] > 0.8 else INK
            axes.text(j, i, text, ha="center", va="center", fontsize=size, color=ink, linespacing=1.05)
    return figure


def _two() -> tuple[Figure, tuple[Axes, Axes]]:
    figure = Figure(figsize=(5.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.grid(axis="y")
    right.grid()
    return figure, (left, right)


def _percents(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    for one in (axes.xaxis, axes.yaxis):
        one.set_major_formatter(PercentFormatter(100, decimals=0))


def observed(
    y: np.ndarray,
    mean: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray] | None,
    names: Sequence[str],
) -> Figure:
    """Predicted means against observed values, with intervals as thin lines, one chart for each column.

    Args:
        y: observed `(N, T)`.
        mean: predicted `(N, T)`.
        interval: its lower and upper end, each `(N, T)`, or None.
        names: of the columns.
    """
    T = y.shape[1]
    across = 1 if T == 1 else 2
    with style():
        # all rows alike, and one chart alone a little less wide than high
        figure = Figure(figsize=(4.4 if T == 1 else 5.2, 0.3 + (4.0 if T == 1 else 2.6 * ceil(T / 2))))
        figure.set_layout_engine("constrained")
        for i in range(T):
            axes = figure.add_subplot(ceil(T / across), across, i + 1)
            low, high = min(y[:, i].min(), mean[:, i].min()), max(y[:, i].max(), mean[:, i].max())
            margin = 0.05 * (high - low) or 1.0
            axes.plot([low - margin, high + margin], [low - margin, high + margin], color=INK, linewidth=1)
            if interval is not None:
                lines = [(y[:, i], y[:, i]), (interval[0][:, i], interval[1][:, i])]
                axes.plot(*lines, color=BLUE, linewidth=0.6, alpha=0.35, solid_capstyle="butt")
            axes.scatter(y[:, i], mean[:, i], s=dot(len(y)), c=BLUE, linewidths=0, zorder=3)
            axes.set_xlim(low - margin, high + margin)
            axes.set_xlabel(f"{names[i]}, observed")
            axes.set_ylabel("predicted")
            axes.grid(color=RULE)
            plain_ticks(axes, 5)
    return figure
