"""The charts that several kinds of audit draw. Each is at most 520 pixels wide."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from simulacra.audit.rates import MINIMUM, Measured, Rate
from simulacra.report.figures import BLUE, GREY, INK, MUTED, shortened, single, style

# groups drawn; the smallest of more are left out
MOST = 30
WIDTH = 420


def by_group(
    measured: Sequence[Measured], label: str, minimum: int = MINIMUM, mark: float | None = None
) -> Figure:
    """A number of every group with its 95% interval, highest first; groups that are too small are named only.

    Args:
        measured: shares or means.
        label: what the number is.
        minimum: people that a group needs.
        mark: a value with a line through it.
    """
    largest = sorted(measured, key=lambda m: -m.n)[:MOST]
    shown = sorted((m for m in largest if m.n >= max(minimum, 2)), key=lambda m: -m.value)
    small = [m for m in largest if m not in shown]
    with style():
        figure, axes = single(WIDTH, 76 + 24 * len(largest))
        for row, m in enumerate(shown):
            point(axes, row, m)
        if mark is not None:
            axes.axvline(mark, color=MUTED, linewidth=1, linestyle=":")
        shares = all(isinstance(m, Rate) for m in measured)
        if not shown:
            axes.set_xlim(0, 1)
        if shares:
            axes.set_xlim(0, max(0.02, min(1.0, 1.1 * max((m.estimate().ends[1] for m in shown), default=1))))
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        for row, m in enumerate(small, len(shown)):
            text = f"withheld, n = {m.n:,}"
            axes.text(
                0.01, row, text, transform=axes.get_yaxis_transform(), color=MUTED, va="center", fontsize=8.5
            )
        _names(axes, [f"{shortened(m.group, 26)}" for m in [*shown, *small]])
        axes.set_xlabel(label)
    return figure


def point(axes: Axes, row: float, m: Measured, colour: str = BLUE) -> None:
    """A number and its interval in a row of a chart."""
    e = m.estimate()
    assert e.low is not None
    assert e.high is not None
    axes.plot(e.ends, [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([e.value], [row], color=colour, marker="o", markersize=5.5, clip_on=False)


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_color(GREY)
