"""The charts of how a training went: what was told of it, by step; what belongs together, in one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from simulacra.report.figures import BLUE, GREEN, MUTED, ORANGE, PURPLE, single, style
from simulacra.report.numbers import label, unit

# values of train and validation events that are no terms of the game
NOT_TERMS = {"event", "step", "lr", "images_per_second"}
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
# what keeps its colour from chart to chart
OWN = {"training": BLUE, "train": BLUE, "validation": ORANGE, "scores": ORANGE, "held-out": ORANGE,
       "samples": GREEN}  # fmt: skip
# what scores depend on: others are not drawn with them
MADE_BY = ("extractor", "weights", "resize", "samples", "real", "seed")
# chart -> its values, and what they are called in its legend
TOGETHER = {
    "accuracies": {"real_accuracy": "training", "held_out_accuracy": "held-out", "fake_accuracy": "samples"},
    "outputs": {"real": "training", "fake": "samples"},
    "prdc": {name: name for name in ("precision", "recall", "density", "coverage")},
}
# of an event of scores, what is drawn
SCORES = ("fid", "kid", *TOGETHER["prdc"])
GRADIENT = "_gradient"
# charts of values that are compared with 1
TO_ONE = {"diversity", "prdc"}
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
    """One chart for each term of the game, score and diagnosis, or for those that belong together, by step.

    Args:
        events: of metrics.jsonl; all but `train`, `validation` and the last kind of `scores` are passed over.
        kept: a step to be marked, whose weights were kept.

    Returns:
        Term, or what several are called together -> chart, in the order in which they appear. Terms that
        never have a finite value have none.
    """
    scores = last_scores(events)
    errors = {event["step"]: event["kid_error"] for event in scores}
    terms = [event for event in events if event["event"] in ("train", "validation")]
    # term -> kind of event -> values by step
    series: dict[str, dict[str, Points]] = {}
    for event in [*terms, *scores]:
        for term in SCORES if event["event"] == "scores" else [key for key in event if key not in NOT_TERMS]:
            value = event[term]
            if isinstance(value, (int, float)) and isfinite(value):
                points = series.setdefault(term, {}).setdefault(event["event"], [])
                points.append((event["step"], value * (100 if unit(_belongs(term)[0]) == "%" else 1)))
    lines: dict[str, list[Line]] = {}
    for term, kinds in series.items():
        chart, name = _belongs(term)
        for kind, points in sorted(kinds.items()):
            band = [errors[step] for step, _ in points] if term == "kid" else []
            marker = "" if kind == "train" else "o"
            lines.setdefault(chart, []).append(Line(name or kind, points, marker, band))
    with style():
        return {chart: _chart(chart, several, kept) for chart, several in lines.items()}


def last_scores(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events of scores that were made as the last ones were."""
    scores = [event for event in events if event["event"] == "scores"]
    return [event for event in scores if all(event[by] == scores[-1][by] for by in MADE_BY)]


def _belongs(term: str) -> tuple[str, str]:
    """The chart that a value belongs to, and its name there; none where it has a chart of its own."""
    if term.endswith(GRADIENT):
        return "gradients", term.removesuffix(GRADIENT)
    for chart, names in TOGETHER.items():
        if term in names:
            return chart, names[term]
    return term, ""


def _chart(name: str, lines: Sequence[Line], kept: int | None) -> Figure:
    figure, axes = single(330, 240)
    if kept is not None:
        axes.axvline(kept, color=MUTED, linewidth=1, linestyle=":")
    values: list[float] = []
    for line, colour in zip(lines, COLOURS, strict=False):
        steps, y = zip(*line.points, strict=True)
        # a line of one point is not seen
        shape = "o" if len(steps) == 1 else line.marker
        colour = OWN.get(line.name, colour)
        axes.plot(steps, y, color=colour, marker=shape, markersize=3, label=line.name)
        values += y
        if line.errors:
            low, high = ([v + s * e for v, e in zip(y, line.errors, strict=True)] for s in (-1, 1))
            axes.fill_between(steps, low, high, color=colour, alpha=0.2, linewidth=0)
            values += low + high
    if name in TO_ONE:
        axes.axhline(1, color=MUTED, linewidth=1, linestyle="--")
        axes.set_ylim(0, 1.1 * max(1.0, *values))
    elif name == "accuracies":
        axes.set_ylim(0, 105)
    # outputs have no zero
    elif name != "outputs":
        _scale(axes, values)
    figure.suptitle(f"{label(name)} ({unit(name)})" if unit(name) else label(name), x=0.005, ha="left")
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
