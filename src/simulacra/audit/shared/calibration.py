"""Whether a score is calibrated: of 100 people with a score of 30%, 30 are positive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from simulacra.audit.shared.figures import legend, percent
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.phrasing import amount, at_once, base, frequency, interval, shorten
from simulacra.audit.shared.rates import MINIMUM, surest
from simulacra.audit.shared.rows import Rows, Sums
from simulacra.report.figures import CLASS_COLOURS, INK, shortened, single, style

BINS = 10
# groups with a line of their own
DRAWN = 5
EVERYBODY = "everybody"


class Bins:
    """How many people of each group have a score in each tenth, what the scores add up to, and how many were
    positive.

    Args:
        labels: key of a grouping -> what sentences call it.
    """

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.sums = Sums([*labels, "bin"], ["score", "y"])

    def add(self, part: Any, score: np.ndarray, y: np.ndarray) -> None:
        """Count a part of a table, with scores in [0, 1] and bool outcomes, `(N,)` each."""
        place = np.minimum((score * BINS).astype(int), BINS - 1)
        keys = {key: np.asarray(part[key]) for key in self.labels}
        self.sums.add(keys | {"bin": place, "score": score, "y": y})

    def of(self, key: str | None) -> dict[str, Rows]:
        """Group -> the columns n, score and y, summed, for its tenths that are not empty."""
        rows = self.sums.rows()
        names = np.full(len(rows), EVERYBODY, dtype=object) if key is None else rows[key]
        return {str(group): _by_bin(rows.where(names == group)) for group in dict.fromkeys(names)}


def _by_bin(rows: Rows) -> Rows:
    bins, place = np.unique(rows["bin"], return_inverse=True)
    return Rows({name: np.bincount(place, rows[name], len(bins)) for name in ("n", "score", "y")})


def section(bins: Bins, minimum: int, score: str, y: str) -> Section:
    """Scores against outcomes, for everybody and by group.

    Args:
        bins: of everybody.
        minimum: people that a number of a group needs.
        score: what sentences call the score.
        y: what they call the outcome.
    """
    findings, plots, tables = [], [], []
    for key in (None, *bins.labels):
        label = "" if key is None else bins.labels[key]
        groups = bins.of(key)
        name = "calibration" + (f".{slug(label)}" if label else "")
        findings.append(calibration_finding(name, groups, label, minimum, score, y))
        drawn = [group for group in _largest(groups) if groups[group]["n"].sum() >= minimum][:DRAWN]
        chart = reliability({group: groups[group] for group in drawn}, minimum, score, y)
        caption = (
            f"Tenths of the score with {minimum} people or more; a calibrated score lies on the line. "
            "Intervals 95%, Wilson."
        )
        caption += f" The {len(drawn)} largest groups." if len(drawn) < len(groups) else ""
        plots.append(Plot(name, f"{score} against {y}{f', by {label}' if label else ''}", chart, caption))
        tables.append(_table(groups, label, minimum))
    return Section("calibration", f"Is {score} calibrated?", "predictions", findings, plots, tables)


def error(bins: Rows) -> float:
    """Expected calibration error: |observed - predicted| of the tenths, weighed by their people."""
    # ECE = sum_b n_b / n |y_b / n_b - s_b / n_b|
    return float(np.abs(bins["y"] - bins["score"]).sum() / bins["n"].sum())


def calibration_finding(
    name: str, groups: dict[str, Rows], label: str, minimum: int, score: str, y: str
) -> Finding:
    """The finding about the group whose score is most surely off; `groups` as `Bins.of` gives them."""
    limits = (
        "Whether the score is right for any single person, or ranks people well. Groups that are calibrated "
        "alike have different error rates wherever the outcome is not equally common in them (Chouldechova "
        "2017)."
    )
    what = f"{y}, observed less predicted share"
    sums = {group: _total(bins) for group, bins in groups.items()}
    kept = {group: s for group, s in sums.items() if s["n"] >= minimum}
    if not kept:
        small = shorten(f"{group} ({int(s['n']):,})" for group, s in sums.items())
        words = f"Calibration by {label or 'everybody'}: withheld, fewer than {minimum} people in {small}."
        return Finding(name, words, "withheld", limits, what, plot=name)
    # Bonferroni: all groups' intervals hold at once
    level = 1 - (1 - LEVEL) / len(kept)
    off = {g: wilson(int(s["y"]), int(s["n"]), level) - s["score"] / s["n"] for g, s in kept.items()}
    group, sure = surest(off)
    s, e = kept[group], off[group]
    expected, seen = s["score"] / s["n"], s["y"] / s["n"]
    people = base(expected, seen)
    where = f" whose {label} is {group}" if label else ""
    return conclude(
        sure,
        "The data are compatible with no difference.",
        name,
        f"Of {people:,} people{where}, the score expects {frequency(expected, people)} with {y}; "
        f"{frequency(seen, people)} had it: {amount(e.value)} ({interval(e)}{at_once(len(kept))}).",
        limits,
        what,
        e,
        int(sum(s["n"] for s in kept.values())),
        {"error": Estimate(error(groups[group]))},
        name,
    )


def _largest(groups: dict[str, Rows]) -> list[str]:
    return sorted(groups, key=lambda group: -groups[group]["n"].sum())


def _table(groups: dict[str, Rows], label: str, minimum: int) -> Table:
    rows = []
    for group in _largest(groups):
        s = _total(groups[group])
        cells = ["withheld", "", ""]
        if s["n"] >= minimum:
            seen = [f"{100 * x:.1f}" for x in _shares(s)]
            cells = [f"{100 * s['score'] / s['n']:.1f}%", "{}% ({} to {})".format(*seen)]
            cells.append(f"{100 * error(groups[group]):.1f}%")
        rows.append([group, f"{int(s['n']):,}", *cells])
    head = [label or "who", "people", "predicted", "observed", "error of the tenths"]
    return Table(f"Calibration{f' by {label}' if label else ''}", head, rows)


def _total(bins: Rows) -> dict[str, float]:
    return {name: float(values.sum()) for name, values in bins.columns.items()}


def _shares(s: Mapping[str, float]) -> tuple[float, float, float]:
    """The observed share and the ends of its interval."""
    e = wilson(int(s["y"]), int(s["n"]))
    return e.value, *e.ends


def reliability(groups: dict[str, Rows], minimum: int = MINIMUM, score: str = "", y: str = "") -> Figure:
    """Observed against predicted share in the tenths of a score, a line for each group."""
    with style():
        figure, axes = single(420, 360)
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1)
        colours = [CLASS_COLOURS[k] for k in (0, 6, 3, 1, 5)]
        for i, (bins, colour) in enumerate(zip(groups.values(), colours, strict=False)):
            kept = bins.where(bins["n"] >= minimum)
            if len(kept):
                rows = [{"n": n, "y": y} for n, y in zip(kept["n"], kept["y"], strict=True)]
                value, low, high = zip(*map(_shares, rows), strict=True)
                # lines of several groups side by side
                x = kept["score"] / kept["n"] + 0.006 * (i - (len(groups) - 1) / 2)
                axes.vlines(x, low, high, color=colour, linewidth=1.2)
                axes.plot(x, value, color=colour, marker="o", markersize=4.5, linewidth=1)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set(xlabel=f"predicted: {shortened(score, 36)}", ylabel=f"observed: {shortened(y, 36)}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(percent)
        axes.grid()
        if len(groups) > 1:
            legend(figure, groups, colours)
    return figure
