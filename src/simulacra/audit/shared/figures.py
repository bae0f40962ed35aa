"""The charts that several kinds of audit draw. Each is at most 520 pixels wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from simulacra.audit.shared.findings import Estimate, Finding, Plot
from simulacra.audit.shared.rates import MINIMUM, Measured, Rate, compared
from simulacra.report.figures import BLUE, INK, MUTED, shortened, single, style

# groups drawn; the smallest of more are left out
MOST = 30
WIDTH = 420
LONGEST_LABEL = 44


def percent(value: float, _: object = None) -> str:
    """A formatter of axes whose numbers are shares."""
    return f"{100 * value:g}%"


def legend(figure: Figure, names: Iterable[str], colours: Iterable[str], columns: int = 2) -> None:
    """A legend above a chart: a line of its colour before every name."""
    pairs = list(zip(names, colours, strict=False))
    marks = [Line2D([], [], color=colour, linewidth=3) for _, colour in pairs]
    names = [shortened(name, 26) for name, _ in pairs]
    figure.legend(marks, names, loc="outside upper left", ncols=columns, handlelength=1.2)


def by_group(
    measured: Sequence[Measured], label: str, minimum: int = MINIMUM, mark: float | None = None
) -> Figure:
    """A number of every group with its 95% interval, as `rows` draws it; groups that are too small withheld.

    Args:
        measured: shares or means.
        label: what the number is.
        minimum: people that a group needs.
        mark: a value with a line through it.
    """
    estimates = [(m.group, m.n, m.estimate() if m.n >= max(minimum, 2) else None) for m in measured]
    return rows(estimates, label, mark, all(isinstance(m, Rate) for m in measured))


def comparison(
    name: str,
    measured: Sequence[Measured],
    *,
    what: str,
    column: str,
    minimum: int,
    caption: str,
    **words: str,
) -> tuple[Finding, Plot]:
    """The finding of `rates.compared`, and the plot of all groups beside it.

    Args:
        name: of both.
        measured: a number of every group.
        what: what the number is, in the plural.
        column: what the groups are groups of.
        minimum: people that a group needs.
        caption: of the plot.
        words: `of`, `did` and `does_not_show` of `rates.compared`.
    """
    finding = compared(name, measured, what=what, column=column, plot=name, minimum=minimum, **words)
    return finding, Plot(name, what, by_group(measured, what, minimum), caption)


def rows(
    estimates: Sequence[tuple[str, int, Estimate | None]],
    label: str,
    mark: float | None = None,
    shares: bool = False,
) -> Figure:
    """A number with its interval in every row, highest first; those that are withheld are named only.

    Args:
        estimates: name, people, number; None where it is withheld. The `MOST` with most people are drawn.
        label: what the number is.
        mark: a value with a line through it.
        shares: the axis begins at 0 and is in percent.
    """
    largest = sorted(estimates, key=lambda row: -row[1])[:MOST]
    shown = sorted(((g, e) for g, _, e in largest if e is not None), key=lambda row: -row[1].value)
    small = [(g, n) for g, n, e in largest if e is None]
    with style():
        figure, axes = single(WIDTH, 76 + 24 * len(largest))
        for place, (_, e) in enumerate(shown):
            axes.plot(e.ends, [place, place], color=BLUE, linewidth=2, solid_capstyle="butt")
            axes.plot([e.value], [place], color=BLUE, marker="o", markersize=5.5, clip_on=False)
        if mark is not None:
            axes.axvline(mark, color=MUTED, linewidth=1, linestyle=":")
        if shares or not shown:
            share_axis(axes, max((e.ends[1] for _, e in shown), default=1))
        for place, (_, n) in enumerate(small, len(shown)):
            across = axes.get_yaxis_transform()
            axes.text(
                0.01, place, f"withheld, n = {n:,}", transform=across, color=MUTED, va="center", fontsize=8.5
            )
        group_axis(axes, [name for name, _ in [*shown, *small]], label)
    return figure


def share_axis(axes: Axes, highest: float) -> None:
    """A horizontal axis of shares in percent, from 0."""
    axes.set_xlim(0, max(0.02, min(1.0, 1.1 * highest)))
    axes.xaxis.set_major_formatter(percent)


def group_axis(axes: Axes, names: Sequence[str], label: str) -> None:
    """A row for each name, from above, and a labelled horizontal axis."""
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.set_yticks(range(len(names)), [shortened(name, 26) for name in names])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.set_xlabel(shortened(label, LONGEST_LABEL))
