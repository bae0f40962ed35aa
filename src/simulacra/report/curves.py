"""Charts of the numbers of a training by step; related ones share a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from simulacra.metrics.registry import Metric, metric, training_scores
from simulacra.metrics.training import GRADIENTS
from simulacra.report.figures import BLUE, GREEN, MUTED, ORANGE, PURPLE, single, style

# values of train and validation events that are not drawn
NOT_TERMS = {"event", "step", "lr", "images_per_second"}
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
# lines that have the same colour in every chart
OWN = {"training": BLUE, "train": BLUE, "validation": ORANGE, "scores": ORANGE, "held-out": ORANGE,
       "samples": GREEN}  # fmt: skip
# what scores depend on: only those that agree in it share a chart
MADE_BY = ("extractor", "weights", "resize", "samples", "real", "seed")
GRADIENT = "_gradient"
# lines that a legend inside a chart would lie upon
MANY = 3

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """Values by step; `errors`, one for each value, are drawn as a band."""

    name: str
    points: Points
    marker: str = ""
    errors: list[float] = field(default_factory=list)


def curves(events: Sequence[Mapping[str, Any]], kept: int | None = None) -> dict[str, Figure]:
    """Charts of losses, scores and diagnostics by step.

    Args:
        events: of metrics.jsonl; drawn are those of `train`, `validation` and the last kind of `scores`.
        kept: a step to be marked, whose weights were kept.

    Returns:
        Key of the chart's metric -> chart, in the order in which they appear. Values that are never finite
        have none.
    """
    scores = last_scores(events)
    # losses come first, also where a validation does
    terms = [event for kind in ("train", "validation") for event in events if event["event"] == kind]
    drawn = training_scores()
    # key -> kind of event -> values by step
    series: dict[str, dict[str, Points]] = {}
    for event in [*terms, *scores]:
        scored = event["event"] == "scores"
        for key in drawn if scored else [key for key in event if key not in NOT_TERMS]:
            value = event.get(key)
            if isinstance(value, (int, float)) and isfinite(value):
                points = series.setdefault(key, {}).setdefault(event["event"], [])
                points.append((event["step"], value))
    charts: dict[str, Metric] = {}
    lines: dict[str, list[Line]] = {}
    for key, kinds in series.items():
        chart, name = _chart_of(key)
        charts[chart.key] = chart
        scale = 100 if chart.unit == "%" else 1
        errors = {event["step"]: event[metric(key).error] for event in scores if metric(key).error in event}
        for kind, points in sorted(kinds.items()):
            band = [errors[step] for step, _ in points] if errors and kind == "scores" else []
            marker = "" if kind == "train" else "o"
            scaled = [(step, scale * value) for step, value in points]
            lines.setdefault(chart.key, []).append(Line(name or kind, scaled, marker, band))
    with style():
        return {key: _chart(charts[key], several, kept) for key, several in lines.items()}


def last_scores(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events of scores that were made as the last ones were."""
    scores = [event for event in events if event["event"] == "scores"]
    return [event for event in scores if all(event[by] == scores[-1][by] for by in MADE_BY)]


def _chart_of(key: str) -> tuple[Metric, str]:
    """The chart of a value, and the name of its line; no name where it has a chart of its own."""
    if key.endswith(GRADIENT):
        return GRADIENTS, key.removesuffix(GRADIENT)
    known = metric(key)
    return (known.chart, known.line or known.label) if known.chart else (known, "")


def _chart(chart: Metric, lines: Sequence[Line], kept: int | None) -> Figure:
    figure, axes = single(330, 240)
    if kept is not None:
        axes.axvline(kept, color=MUTED, linewidth=1, linestyle=":")
    values: list[float] = []
    for line, colour in zip(lines, COLOURS, strict=False):
        steps, y = zip(*line.points, strict=True)
        # a line of one point is invisible
        shape = "o" if len(steps) == 1 else line.marker
        colour = OWN.get(line.name, colour)
        axes.plot(steps, y, color=colour, marker=shape, markersize=3, label=line.name)
        values += y
        if line.errors:
            low, high = ([v + s * e for v, e in zip(y, line.errors, strict=True)] for s in (-1, 1))
            axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            values += low + high
    if chart.reference is not None:
        axes.axhline(chart.reference, color=MUTED, linewidth=1, linestyle="--")
        axes.set_ylim(0, 1.1 * max(chart.reference, *values))
    elif chart.limits is not None:
        axes.set_ylim(*chart.limits)
    elif not chart.linear:
        _scale(axes, values)
    title = f"{chart.label} ({chart.unit})" if chart.unit else chart.label
    figure.suptitle(title, x=0.005, ha="left")
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.grid(axis="y")
    axes.margins(x=0.02)
    axes.set_xlim(left=0)
    if len(lines) >= MANY:
        tight = {"handlelength": 1, "handletextpad": 0.4, "columnspacing": 1}
        figure.legend(loc="outside lower left", ncols=len(lines), borderpad=0, **tight)
    elif len(lines) > 1:
        axes.legend(handlelength=1.2)
    return figure


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """Logarithmic where values differ by more than a factor of ten."""
    if min(values) <= 0 or max(values) < 10 * min(values):
        return
    axes.set_yscale("log")
    wide = max(values) >= 1e4 * min(values)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="y", which="minor", length=0)
