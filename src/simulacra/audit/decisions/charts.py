"""The charts of `decide`: costs against the score, and actions against the costs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulacra.audit.shared.costs import Costs
from simulacra.audit.shared.figures import WIDTH, legend, percent
from simulacra.audit.shared.ledger import CURVE_FACTORS
from simulacra.report.figures import CLASS_COLOURS, GREY, INK, MUTED, shortened, single, style

COLOURS = tuple(CLASS_COLOURS[k] for k in (6, 0, 3, 5, 1, 7, 4, 8, 2, 9))


def lines(costs: Costs, scores: np.ndarray) -> Figure:
    """Expected cost of each action against the probability of the first of two outcomes; the lowest is bold.

    Args:
        costs: the matrix.
        scores: people in each hundredth of the probability, `(100,)`.
    """
    with style():
        figure, axes = single(WIDTH, 330)
        behind: Axes = axes.twinx()
        behind.bar(np.arange(100) / 100, scores, 0.01, align="edge", color=GREY, alpha=0.45)
        behind.set_yticks([])
        behind.set_ylim(0, 3 * max(int(scores.max()), 1))
        behind.spines[:].set_visible(False)
        axes.set_zorder(behind.get_zorder() + 1)
        for a, (action, row) in enumerate(zip(costs.actions, costs.matrix, strict=True)):
            axes.plot([0, 1], [row[1], row[0]], color=_colour(a), linewidth=1.2, label=shortened(action))
        for a, low, high in costs.spans():
            ends = [costs.expected(np.array([[p, 1 - p]]))[0, a] for p in (low, high)]
            axes.plot([low, high], ends, color=_colour(a), linewidth=4, solid_capstyle="butt")
            if low:
                axes.axvline(low, color=MUTED, linewidth=1, linestyle=":")
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"probability of {shortened(costs.outcomes[0], 36)}")
        axes.set_ylabel(f"expected cost ({shortened(costs.unit, 30)})")
        axes.xaxis.set_major_formatter(percent)
        axes.grid()
        _legend(figure, costs)
    return figure


def shares(costs: Costs, taken: np.ndarray) -> Figure:
    """Who gets which action, stacked, against a factor on the costs under the first outcome.

    Args:
        costs: the matrix.
        taken: shares of people, a row for each of `CURVE_FACTORS`, `(41, A)`.
    """
    with style():
        figure, axes = single(WIDTH, 300)
        colours = [_colour(a) for a in range(len(costs.actions))]
        axes.stackplot(CURVE_FACTORS, taken.T, colors=colours, alpha=0.8, linewidth=0)
        axes.axvline(1, color=INK, linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks([0.1, 0.2, 0.5, 1, 2, 5, 10])
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_xlim(CURVE_FACTORS[0], CURVE_FACTORS[-1])
        axes.set_ylim(0, 1)
        axes.set_xlabel(f"costs under {shortened(costs.outcomes[0], 30)}, times")
        axes.set_ylabel("people")
        axes.yaxis.set_major_formatter(percent)
        _legend(figure, costs)
    return figure


def _colour(a: int) -> str:
    return COLOURS[a % len(COLOURS)]


def _legend(figure: Figure, costs: Costs) -> None:
    legend(figure, costs.actions, map(_colour, range(len(costs.actions))), 3)
