"""Whether a score means what it says: of those it gives 30%, 30 of 100."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, some
from simulacra.audit.shared.rates import MINIMUM
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
        self.total: pd.DataFrame | None = None

    def add(self, part: pd.DataFrame, score: np.ndarray, y: np.ndarray) -> None:
        """Count a part of a table, with scores in [0, 1] and bool outcomes, `(N,)` each."""
        place = np.minimum((score * BINS).astype(int), BINS - 1)
        keys = [part[key] for key in self.labels]
        table = pd.DataFrame({"n": 1, "score": score, "y": y.astype(int)}, index=part.index)
        counts = table.groupby([*keys, pd.Series(place, part.index, name="bin")]).sum()
        self.total = counts if self.total is None else self.total.add(counts, fill_value=0)

    def of(self, key: str | None) -> dict[str, pd.DataFrame]:
        """Group -> the columns n, score and y, summed, for its tenths that are not empty."""
        assert self.total is not None
        if key is None:
            return {EVERYBODY: self.total.groupby("bin").sum()}
        both = self.total.groupby([key, "bin"]).sum()
        return {str(group): both.xs(group) for group in both.index.get_level_values(0).unique()}


def section(bins: Bins, minimum: int, score: str, y: str) -> Section:
    """What the scores say against what turned out, for everybody and by group.

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
        findings.append(judged(name, groups, label, minimum, score, y))
        drawn = [group for group in _largest(groups) if groups[group]["n"].sum() >= minimum][:DRAWN]
        plots.append(
            Plot(
                name,
                f"{score} against {y}" + (f", by {label}" if label else ""),
                reliability({group: groups[group] for group in drawn}, minimum, score, y),
                f"Tenths of the score with {minimum} people or more; on the line a score means what it says. "
                "Intervals 95%, Wilson."
                + (f" The {len(drawn)} largest groups." if len(drawn) < len(groups) else ""),
            )
        )
        tables.append(_table(groups, label, minimum))
    return Section("calibration", f"Does {score} mean what it says?", "predictions", findings, plots, tables)


def error(bins: pd.DataFrame) -> float:
    """Expected calibration error: |observed - predicted| of the tenths, weighed by their people."""
    # ECE = sum_b n_b / n |y_b / n_b - s_b / n_b|
    return float((bins["y"] - bins["score"]).abs().sum() / bins["n"].sum())


def judged(
    name: str, groups: dict[str, pd.DataFrame], label: str, minimum: int, score: str, y: str
) -> Finding:
    """The finding about the group whose score is most surely off; `groups` as `Bins.of` gives them."""
    limits = (
        "Whether the score is right for any single person, or ranks people well. Groups that are calibrated "
        "alike have different error rates wherever the outcome is not equally common in them (Chouldechova "
        "2017)."
    )
    what = f"{y}, observed less predicted share"
    sums = {group: bins.sum() for group, bins in groups.items()}
    kept = {group: s for group, s in sums.items() if s["n"] >= minimum}
    if not kept:
        small = some(f"{group} ({int(s['n']):,})" for group, s in sums.items())
        words = f"Calibration by {label or 'everybody'}: withheld, fewer than {minimum} people in {small}."
        return Finding(name, words, "withheld", limits, what, plot=name)
    # Bonferroni: all groups' intervals hold at once
    level = 1 - (1 - LEVEL) / len(kept)
    off = {g: wilson(int(s["y"]), int(s["n"]), level) - s["score"] / s["n"] for g, s in kept.items()}
    sure = {g: e for g, e in off.items() if not e.holds(0)}
    group = max(sure or off, key=lambda g: _nearest(off[g]) if sure else abs(off[g].value))
    s, e = kept[group], off[group]
    said, seen = s["score"] / s["n"], s["y"] / s["n"]
    people = base(said, seen)
    where = f" whose {label} is {group}" if label else ""
    together = f", 95% for all {len(kept)} groups at once" if len(kept) > 1 else ""
    room = "" if sure else " The data are compatible with no difference."
    more = {"error": Estimate(error(groups[group]))}
    return Finding(
        name,
        f"Of {people:,} people{where} the score expects {frequency(said, people)} with {y}; "
        f"{frequency(seen, people)} had it: {amount(e.value)} ({interval(e)}{together}).{room}",
        "finding" if sure else "no finding",
        limits,
        what,
        e,
        int(sum(s["n"] for s in kept.values())),
        more,
        name,
    )


def _nearest(e: Estimate) -> float:
    """How far an interval stays from 0."""
    low, high = e.ends
    return max(low, -high)


def _largest(groups: dict[str, pd.DataFrame]) -> list[str]:
    return sorted(groups, key=lambda group: -groups[group]["n"].sum())


def _table(groups: dict[str, pd.DataFrame], label: str, minimum: int) -> Table:
    rows = []
    for group in _largest(groups):
        s = groups[group].sum()
        if s["n"] < minimum:
            rows.append([group, f"{int(s['n']):,}", "withheld", "", ""])
            continue
        seen = wilson(int(s["y"]), int(s["n"]))
        told = f"{100 * seen.value:.1f}% ({100 * seen.ends[0]:.1f} to {100 * seen.ends[1]:.1f})"
        rows.append(
            [
                group,
                f"{int(s['n']):,}",
                f"{100 * s['score'] / s['n']:.1f}%",
                told,
                f"{100 * error(groups[group]):.1f}%",
            ]
        )
    return Table(
        f"Calibration{f' by {label}' if label else ''}",
        [label or "who", "people", "predicted", "observed", "error of the tenths"],
        rows,
    )


def reliability(
    groups: dict[str, pd.DataFrame], minimum: int = MINIMUM, score: str = "", y: str = ""
) -> Figure:
    """Observed against predicted share in the tenths of a score, a line for each group."""
    with style():
        figure, axes = single(420, 360)
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1)
        marks: list[Line2D] = []
        colours: Sequence[str] = [CLASS_COLOURS[k] for k in (0, 6, 3, 1, 5)]
        for i, ((group, bins), colour) in enumerate(zip(groups.items(), colours, strict=False)):
            kept = bins[bins["n"] >= minimum]
            if len(kept):
                e = [wilson(int(row["y"]), int(row["n"])) for _, row in kept.iterrows()]
                # lines of several groups side by side
                x = kept["score"] / kept["n"] + 0.006 * (i - (len(groups) - 1) / 2)
                axes.vlines(x, *zip(*(one.ends for one in e), strict=True), color=colour, linewidth=1.2)
                axes.plot(x, [one.value for one in e], color=colour, marker="o", markersize=4.5, linewidth=1)
            marks.append(Line2D([], [], color=colour, marker="o", markersize=4.5, label=shortened(group)))
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel(f"predicted: {shortened(score, 36)}")
        axes.set_ylabel(f"observed: {shortened(y, 36)}")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid()
        if len(groups) > 1:
            figure.legend(handles=marks, loc="outside upper left", ncols=2, handlelength=1.4)
    return figure
