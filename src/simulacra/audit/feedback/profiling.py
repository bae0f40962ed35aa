"""A loop of profiling: stops follow the records, records follow the stops, and a record keeps people poor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import mean_of
from simulacra.audit.shared.phrasing import amount, base, format_estimate, frequency, interval
from simulacra.audit.shared.poverty import DETERRENCE, STOPS, Group, Town
from simulacra.report.figures import BLUE, ORANGE

# both alike: 30% are poor; in a year 2% of those who are not poor and 22% of the poor offend
GROUPS = (Group(10_000, 0.3, (0.02, 0.22)), Group(40_000, 0.3, (0.02, 0.22)))
PEOPLE = sum(group.people for group in GROUPS)
# offences a year per person at the start
OFFENDING = (1 - GROUPS[0].poor) * GROUPS[0].offences[0] + GROUPS[0].poor * GROUPS[0].offences[1]
# years of records before the first, and how many times as often the first group was stopped in them
BEFORE, TWICE = 5, 2
LIMITS = (
    "What profiling does in any real town: people, rates and the loop are made up. It shows that groups that "
    "start out alike can be made to differ by what the records say about them."
)
NO_HARM = (
    "That a corrected loop does no harm: just as many people are stopped, and those who are caught stay poor "
    "for longer."
)
CHANCE = "Chance alone may explain that."


@dataclass(frozen=True)
class Years:
    """Both groups in many runs, year after year, float `(2, S, T)`.

    Attributes:
        stops: stops per person.
        offences: offences per person.
        poor: share of people who are poor.
    """

    stops: np.ndarray
    offences: np.ndarray
    poor: np.ndarray


def loop(years: int, runs: int, corrected: bool, seed: int = 0) -> Years:
    """Simulate the town: `PEOPLE * STOPS` stops a year, shared between the groups like the records.

    The records hold convictions. With the correction, each conviction is weighted by one over its group's
    probability of being stopped, so that the records estimate offences (Horvitz and Thompson 1952).

    Returns:
        T = years + 1; the first year is the start.
    """
    rng = np.random.default_rng(seed)
    towns = [Town(group, runs, rng) for group in GROUPS]
    people = np.array([group.people for group in GROUPS])
    # the first group was stopped more often, with the same total
    once = PEOPLE * STOPS / (TWICE * people[0] + people[1])
    stops = np.tile(np.array([[TWICE * once], [once]]), (1, runs))
    expected = BEFORE * people[:, None] * OFFENDING
    records = np.broadcast_to(expected * (1.0 if corrected else stops), (2, runs)).copy()
    kept: list[list[np.ndarray]] = []
    for _ in range(years + 1):
        share = records / records.sum(axis=0)
        stops = np.minimum(share * PEOPLE * STOPS / people[:, None], 1.0)
        poor = np.stack([town.poor for town in towns])
        made = [town.year(s) for town, s in zip(towns, stops, strict=True)]
        offences, caught = (np.stack(numbers) for numbers in zip(*made, strict=True))
        records += caught / stops if corrected else caught
        kept.append([stops, offences / people[:, None], poor])
    return Years(*(np.stack(numbers, axis=2) for numbers in zip(*kept, strict=True)))


def sections(years: int, runs: int, seed: int = 0) -> list[Section]:
    """The loop without and with the correction, in many runs of so many years."""
    plain, fixed = (loop(years, runs, corrected, seed) for corrected in (False, True))

    def plot(name: str, title: str, label: str, lines: dict[str, np.ndarray], truth: float, is_: str) -> Plot:
        drawn = [Runs(n, x, c) for (n, x), c in zip(lines.items(), (ORANGE, BLUE), strict=True)]
        chart = bands(np.arange(years + 1), drawn, ("year", label), truth=truth)
        return Plot(name, title, chart, f"Mean and central 95% of {runs} runs. Dotted: {is_}.")

    def gap(name: str, x: np.ndarray, did: str, what: str, shown: str) -> Finding:
        """A number of both groups in the last year, of `(2, S, T)`."""
        a, b = x[:, :, -1]
        e = mean_of(a - b)
        of = max(1000, base(a.mean(), b.mean()))
        sentence = (
            f"After {years} years, {frequency(a.mean(), of)} of {of:,} people of group A {did}, and "
            f"{frequency(b.mean(), of)} of {of:,} of group B: difference {format_estimate(e)}, mean of "
            f"{runs} runs."
        )
        if name == "offences" and e.ends[0] > 0:
            sentence += " They started out alike: the prediction has made itself true."
        spread = Estimate(e.value, *np.percentile(a - b, [2.5, 97.5]))
        more = {"a": mean_of(a), "b": mean_of(b), "runs": spread}
        return conclude(not e.holds(0), CHANCE, name, sentence, LIMITS, what, e, runs, more, shown)

    equal, offending, less = (
        "both groups at the start",
        "offences a year, per person",
        "offences per person, A less B",
    )
    groups = ("group A", "group B")
    by_group = dict(zip(groups, plain.offences, strict=True))
    offences = plot("offences", "Offences", offending, by_group, OFFENDING, equal)
    by_group = dict(zip(groups, plain.poor, strict=True))
    poor = plot("poor", "Poverty", "share who are poor", by_group, GROUPS[0].poor, equal)
    stopped = {"group A, as it is": plain.stops[0], "group A, corrected": fixed.stops[0]}
    stops = plot("stops", "Stops", "stops per person of group A", stopped, STOPS, "equal stops for everybody")
    before, after = (x.offences[0] - x.offences[1] for x in (plain, fixed))
    both = {"as it is": before, "corrected": after}
    repaired = plot("repaired", "Offences, A less B", less, both, 0.0, "no difference")

    gain = mean_of(before[:, -1] - after[:, -1])
    sentence = (
        "Weighting each conviction by how often its group was stopped makes the difference in offences after "
        f"{years} years smaller by {amount(gain.value)} ({interval(gain)})."
    )
    what = "how much smaller the difference is"
    improvement = conclude(
        not gain.holds(0), CHANCE, "gain", sentence, NO_HARM, what, gain, runs, plot="repaired"
    )
    note = (
        f"Group A has {GROUPS[0].people:,} people, group B {GROUPS[1].people:,}. In both, "
        f"{100 * GROUPS[0].poor:.0f} of 100 are poor and {100 * OFFENDING:.0f} of 100 offend in a year. In "
        f"the {BEFORE} years before, A was stopped twice as often, so that twice as many of the same "
        f"offences are on record. {PEOPLE * STOPS:,.0f} stops a year are shared out like the records. People "
        f"who are caught get a record, which keeps them poor; poor people offend more. Stops also deter: "
        f"offences shrink by {DETERRENCE:.0%} of the share of people stopped."
    )
    recorded = [gap("offences", plain.offences, "offend in a year", less, "offences")]
    bearing = [
        gap("stops", plain.stops, "are stopped in a year", "stops per person, A less B", "stops"),
        gap("poor", plain.poor, "are poor", "share who are poor, A less B", "poor"),
    ]
    did = "offend in a year, with the correction"
    corrected = [gap("corrected", fixed.offences, did, less, "repaired"), improvement]
    title = "If each conviction is weighted by how often people were stopped"
    return [
        Section("records", "What the records come to say", "predictions", recorded, [offences], notes=[note]),
        Section("bearing", "Who is stopped, and who is poor", "actions", bearing, [stops, poor]),
        Section("correction", title, "actions", corrected, [repaired]),
    ]
