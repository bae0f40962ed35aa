"""Two made-up towns with the same correlation, in which the same policy does the opposite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd

from simulacra.audit.causes.adjustment import Column
from simulacra.audit.causes.graph import Graph
from simulacra.audit.causes.graph_fit import fits
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Finding, Plot, Section
from simulacra.audit.shared.intervals import mean
from simulacra.audit.shared.phrasing import amount, interval
from simulacra.audit.shared.poverty import DETERRENCE, STOPS, Group, policy
from simulacra.report.figures import BLUE, ORANGE

Preset = Literal["direct", "poverty"]
# what is asked where nothing is
DO = "poor=no"
# people, poor among them, and offences by person: not poor, poor
GROUPS: dict[Preset, dict[str, tuple[int, int, tuple[float, float]]]] = {
    "direct": {"A": (2000, 1000, (0.12, 0.12)), "B": (8000, 1600, (0.06, 0.06))},
    "poverty": {"A": (2000, 1000, (0.02, 0.22)), "B": (8000, 1600, (0.02, 0.22))},
}
ARROWS: dict[Preset, list[tuple[str, str]]] = {
    "direct": [("group", "offence"), ("group", "poor")],
    "poverty": [("group", "poor"), ("poor", "offence")],
}
LOOP = (("offence", "conviction"), ("conviction", "poor"))
STORIES: dict[Preset, str] = {
    "direct": "an arrow of its own leads from the group to offences",
    "poverty": "the group is poorer, poverty leads to offences, and a conviction keeps people poor",
}
# the policy: of the group so many are stopped in a year
HARDER, YEARS, RUNS = 0.4, 30, 100


def world(preset: Preset) -> tuple[Graph, pd.DataFrame, tuple[tuple[str, str], ...]]:
    """A town: its graph, its people as text cells, and the arrows that lead back in time.

    Both towns have the same people by group and poverty, and the same offences by group.

    >>> [world(preset)[1].groupby("group")["offence"].value_counts()["A", "yes"] for preset in STORIES]
    [np.int64(240), np.int64(240)]
    """
    rows = []
    for group, (people, poor, rates) in GROUPS[preset].items():
        for state, n, rate in (("no", people - poor, rates[0]), ("yes", poor, rates[1])):
            offences = round(n * rate)
            rows += offences * [(group, state, "yes")] + (n - offences) * [(group, state, "no")]
    cells = pd.DataFrame(rows, columns=["group", "poor", "offence"], index=range(1, len(rows) + 1))
    return Graph(nx.DiGraph(ARROWS[preset])), cells, LOOP if preset == "poverty" else ()


def other(shown: Preset, table: Mapping[str, Column]) -> Section:
    """The other town's graph, held against the people of this one."""
    preset: Preset = "direct" if shown == "poverty" else "poverty"
    section = fits(Graph(nx.DiGraph(ARROWS[preset])), table)
    finding = replace(section.findings[0], name="other")
    plots = [plot for plot in section.plots if plot.name == finding.plot]
    title = "The other story, held against the same people"
    return replace(section, name="other", title=title, findings=[finding], plots=plots)


def towns(shown: Preset) -> Section:
    """The same policy in both towns, year after year."""
    findings, runs = [], []
    for k, preset in enumerate(STORIES):
        people, poor, rates = GROUPS[preset]["A"]
        group = Group(people, poor / people, rates)
        before, after = (policy(group, stops, YEARS, RUNS, seed=k) for stops in (STOPS, HARDER))
        change = after[:, -1] - before[:, -1]
        e = mean(float(change.sum()), float((change**2).sum()), RUNS)
        runs.append(Runs(f"{preset}: {HARDER:.0%} stopped", after, BLUE if preset == "direct" else ORANGE))
        findings.append(
            Finding(
                f"policy.{preset}",
                f"If {STORIES[preset]}: stop {100 * HARDER:.0f} instead of {100 * STOPS:.0f} of 100 people "
                f"of the group each year, and after {YEARS} years {1000 * after[:, -1].mean():.0f} instead "
                f"of {1000 * before[:, -1].mean():.0f} of 1,000 of them offend in a year: a change of "
                f"{amount(e.value)} ({interval(e)}).",
                "no finding" if e.holds(0) else "finding",
                "What stops would do in any real town: people, rates and the loop are made up, so that both "
                "towns have the same correlation between group and offence. It shows that this correlation "
                "cannot decide between them.",
                "change of offences by person",
                e,
                RUNS,
                plot="policy",
            )
        )
    picture = Plot(
        "policy",
        "The same policy in two towns",
        bands(
            np.arange(YEARS + 1),
            runs,
            ("year; stops change after the first", "offences by person of the group"),
            truth=GROUPS["direct"]["A"][2][0],
        ),
        f"Mean and 95 of 100 of {RUNS} runs; dotted: as it was. A stop deters in both towns (offences "
        f"shrink by {DETERRENCE:.0%} of the share that is stopped).",
    )
    note = (
        f"In both towns {GROUPS[shown]['A'][0]:,} of 10,000 people belong to the group, half of it is poor "
        "(of the others 20 of 100), and 12 of 100 of the group and 6 of 100 others offend in a year. Only "
        "the arrows differ."
    )
    return Section(
        "policy",
        "The same correlation, the same policy, two towns",
        "actions",
        findings,
        [picture],
        notes=[note],
    )
