"""Who was flagged and who should have been, counted by group, and the findings about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulacra.audit.shared.costs import Costs
from simulacra.audit.shared.figures import comparison
from simulacra.audit.shared.findings import Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.ledger import Ledger
from simulacra.audit.shared.rates import Rate
from simulacra.audit.shared.rows import Sums

RECORDED = "Whether {y} was recorded alike in all groups: who is watched more is caught more."
IMPOSSIBLE = (
    "Where {y} is not equally common in all groups, they cannot have the same false-positive rate, the same "
    "false-negative rate and the same share of flagged people with {y} at once, unless nobody is mistaken "
    "(Chouldechova 2017; Kleinberg, Mullainathan and Raghavan 2016). Which of them ought to be the same is "
    "no question that a number answers."
)


@dataclass(frozen=True)
class Measure:
    """A rate: of those that `of` picks out of y and flag, those that `did` picks."""

    name: str
    what: str
    people: str
    done: str
    of: tuple[str, bool] | None
    did: tuple[str, bool]
    limits: str


BASE = Measure(
    "base-rate", "shares with {y}", "people", "have {y}", None, ("y", True),
    "Why it is more common in one group, or that it will stay so.",
)  # fmt: skip
MEASURES = (
    Measure(
        "flagged", "shares flagged", "people", "were flagged", None, ("flag", True),
        "Whether more should have been: {y} may be more common in one group.",
    ),
    Measure(
        "false-positive-rate", "false-positive rates", "people without {y}", "were flagged",
        ("y", False), ("flag", True),
        "Why the groups differ, and what being flagged does to people.",
    ),
    Measure(
        "false-negative-rate", "false-negative rates", "people with {y}", "were not flagged",
        ("y", True), ("flag", False),
        "Why the groups differ, and what being missed means to people.",
    ),
    Measure(
        "precision", "shares of flagged people with {y}", "flagged people", "have {y}",
        ("flag", True), ("y", True),
        "Whether those who are not flagged are treated alike; error rates are about them too.",
    ),
    Measure(
        "false-omission-rate", "shares of people with {y} who were not flagged", "people who were not "
        "flagged",
        "have {y}", ("flag", False), ("y", True),
        "Whether those who are flagged are treated alike; error rates are about them too.",
    ),
)  # fmt: skip


class Confusion:
    """Counts of y and flag by group.

    Args:
        labels: key of a grouping -> what sentences call it.
        y: what they call the outcome.
        minimum: people that a number of a group needs.
    """

    def __init__(self, labels: dict[str, str], y: str, minimum: int) -> None:
        self.labels, self.y, self.minimum = labels, y, minimum
        # columns y, flag and those of the groups
        self.sums = Sums([*labels, "y", "flag"])

    def add(self, part: Any) -> None:
        """Count a part with the columns y, flag and those of the groups."""
        self.sums.add(part)

    def rates(self, measure: Measure, key: str | None) -> list[Rate]:
        """The rate of every group with anybody to count, or of everybody."""
        rows = self.sums.rows()
        names = np.full(len(rows), "everybody", dtype=object) if key is None else rows[key]
        of = np.ones(len(rows), bool) if measure.of is None else rows[measure.of[0]] == measure.of[1]
        did = of & (rows[measure.did[0]] == measure.did[1])
        found = []
        for name in dict.fromkeys(names):
            here = names == name
            n = int(rows["n"][here & of].sum())
            if n or key is not None:
                found.append(Rate(str(name), int(rows["n"][here & did].sum()), n))
        return sorted(found, key=lambda rate: -rate.n)

    def ledger(self, costs: Costs) -> Ledger:
        """What it costs to do what is right under the first outcome to all who are flagged, and what is right
        under the second to all others."""
        act, leave = costs.right()
        rows = self.sums.rows()
        rows["action"] = np.where(rows["flag"], act, leave)
        rows["outcome"] = np.where(rows["y"], 0, 1)
        each = costs.matrix[rows["action"], rows["outcome"]]
        rows["cost"], rows["squares"] = rows["n"] * each, rows["n"] * each**2
        none = np.zeros(100, dtype=int)
        taken = np.zeros((0, len(costs.actions)), dtype=int)
        return Ledger(costs, self.labels, rows, True, {}, taken, None, none, self.minimum, "as flagged")


def outcomes(confusion: Confusion) -> Section:
    """How common the outcome is in each group."""
    findings, plots = zip(*(_compared(confusion, BASE, key) for key in confusion.labels), strict=True)
    return Section("outcome", f"How common {confusion.y} is", "data", findings, plots)


def rates(confusion: Confusion, key: str) -> Section:
    """Who is flagged, and who is wrongly flagged or missed, in the groups of a grouping."""
    label, y, minimum = confusion.labels[key], confusion.y, confusion.minimum
    findings, plots = zip(*(_compared(confusion, measure, key) for measure in MEASURES), strict=True)
    measures = (BASE, *MEASURES)
    columns = [{r.group: r for r in confusion.rates(measure, key)} for measure in measures]
    rows = [
        [group, f"{all_.n:,}", *(_cell(column.get(group), minimum) for column in columns)]
        for group, all_ in columns[0].items()
    ]
    totals = [next(iter(confusion.rates(measure, None)), None) for measure in measures]
    assert totals[0] is not None
    rows.append(["everybody", f"{totals[0].n:,}", *(_cell(total, minimum) for total in totals)])
    head = [
        label, "people", f"with {y}", "flagged", "false-positive rate", "false-negative rate",
        f"flagged people with {y}", f"not flagged, with {y}",
    ]  # fmt: skip
    note = f"Intervals 95%, Wilson, each on its own. Withheld: fewer than {minimum} people to count."
    title = f"Who is flagged, who wrongly, who is missed, by {label}"
    tables, notes = [Table(f"Rates by {label}", head, rows, note)], [IMPOSSIBLE.format(y=y)]
    return Section(f"rates.{slug(label)}", title, "predictions", findings, plots, tables, notes)


def _compared(confusion: Confusion, measure: Measure, key: str) -> tuple[Finding, Plot]:
    label, y = confusion.labels[key], confusion.y
    people = measure.people.format(y=y)
    return comparison(
        f"{measure.name}.{slug(label)}", confusion.rates(measure, key), what=measure.what.format(y=y),
        of=people, did=measure.done.format(y=y), column=label, minimum=confusion.minimum,
        does_not_show=f"{measure.limits} {RECORDED}".format(y=y),
        caption=f"By {label}, of {people}. Intervals 95%, Wilson.",
    )  # fmt: skip


def _cell(rate: Rate | None, minimum: int) -> str:
    if rate is None or rate.n < minimum:
        return "withheld"
    low, high = wilson(rate.k, rate.n).ends
    return f"{100 * rate.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
