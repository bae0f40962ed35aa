"""Two simulated towns with the same correlation, in which the same policy has opposite effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import networkx as nx
import numpy as np
import pandas as pd

from simulacra.audit.causes.adjustment import Column
from simulacra.audit.causes.graph import Graph
from simulacra.audit.causes.graph_fit import fit
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Plot, Section, conclude
from simulacra.audit.shared.intervals import mean_of
from simulacra.audit.shared.phrasing import amount, interval
from simulacra.audit.shared.poverty import DETERRENCE, STOPS, Group, policy
from simulacra.report.figures import BLUE, ORANGE

Preset = Literal["direct", "poverty"]
# the default intervention
DO = "poor=no"
# people, poor people among them, and offences per person: not poor, poor
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
    "direct": "the group itself acts on offences",
    "poverty": "the group is poorer, poverty leads to offences, and a conviction keeps people poor",
}
LIMITS = (
    "What stops would do in any real town: people, rates and the loop are made up, so that both towns have "
    "the same correlation between group and offence. It shows that this correlation cannot decide between "
    "them."
)
# the policy: the share of the group that is stopped in a year
HARDER, YEARS, RUNS = 0.4, 30, 100


def town(preset: Preset) -> tuple[Graph, pd.DataFrame, tuple[tuple[str, str], ...]]:
    """A town: its graph, its people as text cells, and the arrows that lead back in time.

    Both towns have the same people by group and poverty, and the same offences by group.

    >>> [town(preset)[1].groupby("group")["offence"].value_counts()["A", "yes"] for preset in STORIES]
    [np.int64(240), np.int64(240)]
    """
    rows = []
    for group, (people, poor, rates) in GROUPS[preset].items():
        for state, n, rate in (("no", people - poor, rates[0]), ("yes", poor, rates[1])):
            offences = round(n * rate)
            rows += offences * [(group, state, "yes")] + (n - offences) * [(group, state, "no")]
    cells = pd.DataFrame(rows, columns=["group", "poor", "offence"], index=range(1, len(rows) + 1))
    return Graph(nx.DiGraph(ARROWS[preset])), cells, LOOP if preset == "poverty" else ()


def other_graph(shown: Preset, table: Mapping[str, Column]) -> Section:
    """The fit of the other town's graph to the people of this one."""
    section = fit(Graph(nx.DiGraph(ARROWS["direct" if shown == "poverty" else "poverty"])), table)
    finding = replace(section.findings[0], name="other")
    plots = [plot for plot in section.plots if plot.name == finding.plot]
    title = "Does the other town's graph fit the same people?"
    return replace(section, name="other", title=title, findings=[finding], plots=plots)


def same_policy(shown: Preset) -> Section:
    """The effect of the same policy in both towns, year after year."""
    findings, runs = [], []
    for k, preset in enumerate(STORIES):
        people, poor, rates = GROUPS[preset]["A"]
        group = Group(people, poor / people, rates)
        before, after = (policy(group, stops, YEARS, RUNS, seed=k) for stops in (STOPS, HARDER))
        e = mean_of(after[:, -1] - before[:, -1])
        runs.append(Runs(f"{preset}: {HARDER:.0%} stopped", after, BLUE if preset == "direct" else ORANGE))
        sentence = (
            f"If {STORIES[preset]}: stop {100 * HARDER:.0f} instead of {100 * STOPS:.0f} of 100 people of "
            f"the group each year, and after {YEARS} years {1000 * after[:, -1].mean():.0f} instead of "
            f"{1000 * before[:, -1].mean():.0f} of 1,000 of them offend in a year: a change of "
            f"{amount(e.value)} ({interval(e)})."
        )
        name, what = f"policy.{preset}", "change of offences per person"
        findings.append(conclude(not e.holds(0), "", name, sentence, LIMITS, what, e, RUNS, plot="policy"))
    labels = ("year; stops change after the first", "offences per person of the group")
    chart = bands(np.arange(YEARS + 1), runs, labels, truth=GROUPS["direct"]["A"][2][0])
    caption = (
        f"Mean and central 95% of {RUNS} runs; dotted: at the start. Stops deter in both towns (offences "
        f"shrink by {DETERRENCE:.0%} of the share of people stopped)."
    )
    plot = Plot("policy", "The same policy in two towns", chart, caption)
    note = (
        f"In both towns {GROUPS[shown]['A'][0]:,} of 10,000 people belong to the group; 50 of 100 of them "
        f"are poor (20 of 100 others), and 12 of 100 of them offend in a year (6 of 100 others). Only the "
        "arrows differ."
    )
    title = "The same correlation, the same policy, two towns"
    return Section("policy", title, "actions", findings, [plot], notes=[note])
