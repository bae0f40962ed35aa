"""Charts of reports and audits, drawn with matplotlib's object API: no pyplot, no global figures.

Every function returns a `Figure`; `png` makes the bytes of a file of it, on a transparent ground.
Charts are at most 520 pixels wide at 100 dpi, which keeps their text readable on phones.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from threading import RLock
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from PIL import Image

INK, MUTED, RULE = "#24292f", "#6e7781", "#e4e7eb"
# Okabe and Ito 2008
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b4bac1"
# Tol 2021, muted, and a dark grey for the tenth
CLASS_COLOURS = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933",
    "#ddcc77", "#cc6677", "#882255", "#aa4499", "#555555",
)  # fmt: skip

RC: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "figure.titlesize": 10,
    "axes.labelsize": 9.5,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "text.color": INK,
    "text.usetex": False,
    # names of classes are not mathematics
    "text.parse_math": False,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.dpi": 100,
}

LONGEST_NAME = 18
# names under bars, at most, and letters that fit side by side
NAMED, ACROSS = 40, 70
# class names up to this length are also written into clouds of so many points
SHORT_NAME, CLOUD = 4, 10

# rc_context swaps matplotlib's one table of settings: one thread at a time
_LOCK = RLock()


@contextmanager
def style() -> Iterator[None]:
    """The settings that every chart is drawn and saved with."""
    with _LOCK, mpl.rc_context(RC):
        yield


def png(figure: Figure, dpi: int = 200, ground: str = "none") -> bytes:
    """The figure as a PNG file, in two pixels for each of the 100 dpi it is laid out for.

    Deterministic: the same figure gives the same bytes. `ground`: colour behind it; none is transparent.
    """
    file = BytesIO()
    with style(), warnings.catch_warnings():
        # class names may be in any script; what the font lacks becomes a box
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(file, format="png", dpi=dpi, facecolor=ground, metadata={"Software": None})
    return file.getvalue()


def small_png(figure: Figure) -> bytes:
    """As `png`, a third as large: in 256 colours of its own, and photographs in one pixel for each dpi."""
    file = BytesIO()
    if any(axes.images for axes in figure.axes):
        image = Image.open(BytesIO(png(figure, dpi=100, ground="white"))).convert("RGB").quantize(256)
    else:
        # the one method that keeps transparency
        whole = Image.open(BytesIO(png(figure))).convert("RGBA")
        image = whole.quantize(256, method=Image.Quantize.FASTOCTREE)
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()


def single(width: int, height: int) -> tuple[Figure, Axes]:
    """A figure of this many pixels at 100 dpi, and its one pair of axes."""
    figure = Figure(figsize=(width / 100, height / 100), layout="constrained")
    return figure, figure.add_subplot()


def latent_map(
    points: np.ndarray, axis_names: Sequence[str], y: np.ndarray | None = None, classes: Sequence[str] = ()
) -> Figure:
    """Latents as points of the plane, coloured by class; in one dimension, a row for each class.

    Args:
        points: coordinates `(N, 2)` or `(N, 1)`.
        axis_names: what the coordinates are, one name each.
        y: labels `(N,)`, indices into `classes`; None leaves all points in one colour.
        classes: their names. The ten with most points have a colour of their own, the rest is grey.
    """
    with style():
        figure, axes = single(520, 440)
        groups = draw_map(axes, points, axis_names, y, classes)
        if points.shape[1] == 1 or len(groups) == 1:
            return figure
        marks = [
            Line2D([], [], marker="o", linestyle="", markersize=5, color=colour) for _, colour, _ in groups
        ]
        names = [shortened(name) for name, _, _ in groups]
        figure.legend(marks, names, loc="outside right upper", handletextpad=0.1)
    return figure


def draw_map(
    axes: Axes,
    points: np.ndarray,
    axis_names: Sequence[str],
    y: np.ndarray | None = None,
    classes: Sequence[str] = (),
) -> list[tuple[str, str, np.ndarray]]:
    """Draw what `latent_map` shows, without its legend.

    Returns:
        Name, colour and membership `(N,)` of every group of points.
    """
    groups = _groups(y, classes, len(points))
    axes.set_xlabel(axis_names[0])
    axes.grid()
    if points.shape[1] == 1:
        _line(axes, points[:, 0], groups)
        return groups
    axes.set_ylabel(axis_names[1])
    axes.set_aspect("equal", adjustable="datalim")
    colours = np.empty(len(points), dtype=object)
    for _, colour, member in groups:
        colours[member] = colour
    # in the order of the data, so that no class lies on top of the others
    axes.scatter(points[:, 0], points[:, 1], s=dot(len(points)), c=colours.tolist(), alpha=0.85, linewidths=0)
    if len(groups) > 1:
        for name, _, member in groups:
            if len(name) <= SHORT_NAME and member.sum() >= CLOUD:
                _name_in_cloud(axes, name, points[member])
    return groups


def shaded_map(points: np.ndarray, axis_names: Sequence[str], values: np.ndarray, name: str) -> Figure:
    """Latents as points of the plane, coloured by a number of each.

    Args:
        points: coordinates `(N, 2)`.
        axis_names: what the coordinates are, one name each.
        values: `(N,)`; colours are spread over all but the 1% that are farthest out on either side.
        name: of the number, beside the scale of colours.
    """
    with style():
        figure, axes = single(520, 440)
        axes.set_xlabel(axis_names[0])
        axes.set_ylabel(axis_names[1])
        axes.grid()
        axes.set_aspect("equal", adjustable="datalim")
        low, high = np.quantile(values, [0.01, 0.99])
        drawn = axes.scatter(
            points[:, 0], points[:, 1], s=dot(len(points)), c=values, cmap="viridis", vmin=low,
            vmax=max(high, low + 1e-12), alpha=0.85, linewidths=0,
        )  # fmt: skip
        scale = figure.colorbar(drawn, ax=axes, shrink=0.6, aspect=25, pad=0.02)
        scale.set_label(shortened(name))
        scale.outline.set_visible(False)
    return figure


def _line(axes: Axes, z: np.ndarray, groups: list[tuple[str, str, np.ndarray]]) -> None:
    """Points `(N,)` of a line: a row for each class, or one histogram."""
    if len(groups) == 1:
        axes.hist(z, bins=40, color=BLUE)
        axes.set_ylabel("examples")
        return
    for row, (_, colour, member) in enumerate(groups):
        axes.scatter(z[member], np.full(member.sum(), row), s=60, c=colour, marker="|", linewidths=1)
    axes.set_yticks(range(len(groups)), [shortened(name) for name, _, _ in groups])
    axes.invert_yaxis()


def _groups(y: np.ndarray | None, classes: Sequence[str], n: int) -> list[tuple[str, str, np.ndarray]]:
    """Name, colour and membership `(N,)` of every group of points."""
    if y is None or not classes:
        return [("", BLUE, np.ones(n, dtype=bool))]
    largest = np.argsort(-np.bincount(y, minlength=len(classes)), kind="stable")[: len(CLASS_COLOURS)]
    own = sorted(largest.tolist())
    groups = [(classes[k], colour, y == k) for k, colour in zip(own, CLASS_COLOURS, strict=False)]
    if len(classes) > len(own):
        groups.append((f"{len(classes) - len(own)} others", GREY, ~np.isin(y, own)))
    return groups


def dot(n: int) -> float:
    """Area of a point of a cloud of `n`, in square points."""
    return 20 if n < 500 else 10


def _name_in_cloud(axes: Axes, name: str, points: np.ndarray) -> None:
    """Write a name at the point nearest to the median: the median itself may lie outside a bent cloud."""
    x, y = points[np.square(points - np.median(points, axis=0)).sum(axis=1).argmin()]
    text = axes.text(x, y, name, fontsize=11, weight="bold", ha="center", va="center")
    text.set_path_effects([withStroke(linewidth=3, foreground="white")])


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """A name for a legend or an axis.

    >>> shortened("disease progression", 10)
    'disease p…'
    """
    name = name if len(name) <= longest else name[: longest - 1] + "…"
    # matplotlib leaves names with a leading underscore out of legends
    return f" {name}" if name.startswith("_") else name


def kl_bars(kl: np.ndarray, active: np.ndarray) -> Figure:
    """KL of every latent dimension, largest first; dimensions that are not active are grey.

    Args:
        kl: nats on average over the data, `(Z,)`.
        active: whether the dimension's mean varies over the data, bool `(Z,)`.
    """
    order = np.argsort(-kl, kind="stable")
    with style():
        figure, axes = single(min(520, max(260, 100 + 26 * len(kl))), 300)
        colours = np.where(active[order], BLUE, GREY)
        places = np.arange(1, len(kl) + 1)
        axes.bar(places, kl[order], color=colours.tolist(), width=0.75)
        # few bars stay slender
        axes.set_xlim(0.25, max(len(kl), 6) + 0.75)
        if len(kl) <= 24:
            axes.set_xticks(places, [str(k + 1) for k in order])
            axes.tick_params(axis="x", length=0)
            axes.set_xlabel("latent dimension")
        else:
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.set_xlabel("latent dimensions, sorted")
        axes.set_ylabel("KL (nats)")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        patches = [Patch(color=BLUE), Patch(color=GREY)]
        names = [f"active: {active.sum()}", f"not active: {(~active).sum()}"]
        figure.legend(patches, names, loc="outside upper right", ncols=2, handlelength=1)
    return figure


def shares(names: Sequence[str], data: np.ndarray, samples: np.ndarray, of: str) -> Figure:
    """Shares of modes or classes among data and among samples, as pairs of bars.

    Args:
        names: of the modes or classes.
        data: shares `(K,)` in [0, 1].
        samples: the same.
        of: `mode` or `class`, the label of the axis.
    """
    with style():
        figure, axes = single(520, 300)
        places = np.arange(len(names))
        for name, values, colour, side in (("data", data, GREY, -0.2), ("samples", samples, BLUE, 0.2)):
            axes.bar(places + side, 100 * values, color=colour, width=0.4, label=name)
        _name_bars(axes, names)
        axes.set_xlabel(of)
        axes.set_ylabel("share (%)")
        axes.grid(axis="y")
        figure.legend(loc="outside upper right", ncols=2, handlelength=1)
    return figure


def class_counts(names: Sequence[str], counts: Mapping[str, np.ndarray]) -> Figure:
    """How many examples of each class are in each split, as stacked bars.

    Args:
        names: of the classes.
        counts: split -> `(K,)`.
    """
    with style():
        figure, axes = single(520, 300)
        places, below = np.arange(len(names)), np.zeros(len(names))
        for (split, values), colour in zip(counts.items(), (BLUE, GREY, ORANGE), strict=True):
            axes.bar(places, values, bottom=below, color=colour, width=0.75, label=split)
            below = below + values
        _name_bars(axes, names)
        axes.set_xlabel("class")
        axes.set_ylabel("examples")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(axis="y")
        figure.legend(loc="outside upper right", ncols=3, handlelength=1)
    return figure


def _name_bars(axes: Axes, names: Sequence[str]) -> None:
    """Names under bars at 0, 1, ..., where they fit."""
    # few bars stay slender
    axes.set_xlim(-0.75, max(len(names), 6) - 0.25)
    if len(names) <= NAMED:
        turned = max(map(len, names)) * len(names) > ACROSS
        places = np.arange(len(names))
        axes.set_xticks(places, [shortened(name) for name in names], rotation=90 if turned else 0)
        axes.tick_params(axis="x", length=0)
