"""The chart of many runs of a simulation over time: their mean and a 95% band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from simulacra.audit.shared.figures import WIDTH, legend, percent
from simulacra.report.figures import BLUE, INK, single, style


@dataclass(frozen=True)
class Runs:
    """One number of many runs over time: `values` `(S, T)`."""

    name: str
    values: np.ndarray
    colour: str = BLUE


def bands(
    x: np.ndarray,
    lines: Sequence[Runs],
    labels: tuple[str, str],
    truth: float | None = None,
    log: bool = False,
    shares: bool = True,
) -> Figure:
    """The mean of all runs, and the band that holds 95 of 100 of them.

    Args:
        x: times `(T,)`.
        lines: what is drawn.
        labels: of the axes.
        truth: a value with a line through it.
        log: the times are on a logarithmic axis.
        shares: the numbers are shares, shown in percent.
    """
    with style():
        figure, axes = single(WIDTH, 300)
        for line in lines:
            low, high = np.percentile(line.values, [2.5, 97.5], axis=0)
            axes.fill_between(x, low, high, color=line.colour, alpha=0.22, linewidth=0)
            axes.plot(x, line.values.mean(axis=0), color=line.colour, linewidth=2)
        if truth is not None:
            axes.axhline(truth, color=INK, linewidth=1.2, linestyle=":")
        if log:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,g}")
        axes.set_xlim(x[0], x[-1])
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])
        if shares:
            axes.yaxis.set_major_formatter(percent)
        axes.grid()
        legend(figure, (line.name for line in lines), (line.colour for line in lines))
    return figure
