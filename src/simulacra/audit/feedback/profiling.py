"""A loop of profiling: stops follow the records, records follow the stops, and a record keeps people poor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulacra.audit.feedback.patrols import of_runs
from simulacra.audit.shared.bands import Runs, bands
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, told
from simulacra.audit.shared.poverty import DETERRENCE, STOPS, Group, Town
from simulacra.report.figures import BLUE, GREEN, ORANGE

# both alike: 30 of 100 are poor, 2 of 100 offend in a year who are not poor, 22 of 100 who are
GROUPS = (Group(10_000, 0.3, (0.02, 0.22)), Group(40_000, 0.3, (0.02, 0.22)))
PEOPLE = sum(group.people for group in GROUPS)
# years of records before the first, and how many times as often the first group was stopped in them
BEFORE, TWICE = 5, 2
LIMITS = (
    "What profiling does in any real town: people, rates and the loop are made up. It shows that groups "
    "which begin alike can be made to differ by what the records say of them."
)


@dataclass(frozen=True)
class Years:
    """Both groups in many runs, year after year, float `(2, S, T)`.

    Attributes:
        stops: stops by person.
        offences: offences by person.
        poor: share that is poor.
    """

    stops: np.ndarray
    offences: np.ndarray
    poor: np.ndarray


def loop(years: int, runs: int, corrected: bool, seed: int = 0) -> Years:
    """Let the town live: `PEOPLE * STOPS` stops a year, shared out as the groups share the records.

    The records hold convictions, or corrected: each conviction by how often its group was stopped then, which
    is what the group's offences were on average (Horvitz and Thompson 1952).

    Returns:
        T = years + 1, the first as it began.
    """
    rng = np.random.default_rng(seed)
    towns = [Town(group, runs, rng) for group in GROUPS]
    people = np.array([group.people for group in GROUPS])
    # the first group was stopped more often, as many people in all
    once = PEOPLE * STOPS / (TWICE * people[0] + people[1])
    stops = np.tile(np.array([[TWICE * once], [once]]), (1, runs))
    expected = np.array([[BEFORE * group.people * _offending(group)] for group in GROUPS])
    records = np.broadcast_to(expected * (1.0 if corrected else stops), (2, runs)).copy()
    kept: list[list[np.ndarray]] = []
    for _ in range(years + 1):
        share = records / records.sum(axis=0)
        stops = np.minimum(share * PEOPLE * STOPS / people[:, None], 1.0)
        poor = [town.poor for town in towns]
        made = [town.year(s) for town, s in zip(towns, stops, strict=True)]
        offences, caught = (np.stack(numbers) for numbers in zip(*made, strict=True))
        records += caught / stops if corrected else caught
        kept.append([stops, offences / people[:, None], np.stack(poor)])
    return Years(*(np.stack(numbers, axis=2) for numbers in zip(*kept, strict=True)))


def _offending(group: Group) -> float:
    """Offences by person at the beginning."""
    return (1 - group.poor) * group.offences[0] + group.poor * group.offences[1]


def sections(years: int, runs: int, seed: int = 0) -> list[Section]:
    """The loop as it is, and corrected.

    Args:
        years: how long.
        runs: with different seeds.
        seed: of all draws.
    """
    plain, fixed = (loop(years, runs, corrected, seed) for corrected in (False, True))
    at, began = np.arange(years + 1), _offending(GROUPS[0])
    everywhere = f"Mean and 95 of 100 of {runs} runs."
    names = ("group A", "group B")
    offences = Plot(
        "offences",
        "Offences",
        bands(
            at,
            [Runs(name, x, c) for name, x, c in zip(names, plain.offences, (ORANGE, BLUE), strict=True)],
            ("year", "offences a year, by person"),
            truth=began,
        ),
        f"{everywhere} Dotted: both groups at the beginning.",
    )
    poor = Plot(
        "poor",
        "Poverty",
        bands(
            at,
            [Runs(name, x, c) for name, x, c in zip(names, plain.poor, (ORANGE, BLUE), strict=True)],
            ("year", "share that is poor"),
            truth=GROUPS[0].poor,
        ),
        f"{everywhere} Dotted: both groups at the beginning.",
    )
    stops = Plot(
        "stops",
        "Stops",
        bands(
            at,
            [
                Runs("group A, as it is", plain.stops[0], ORANGE),
                Runs("group A, corrected", fixed.stops[0], GREEN),
            ],
            ("year", "stops by person of group A"),
            truth=STOPS,
        ),
        f"{everywhere} Dotted: as many stops for everybody.",
    )
    repaired = Plot(
        "repaired",
        "Offences, A less B",
        bands(
            at,
            [
                Runs("as it is", plain.offences[0] - plain.offences[1], ORANGE),
                Runs("corrected", fixed.offences[0] - fixed.offences[1], GREEN),
            ],
            ("year", "offences by person, A less B"),
            truth=0.0,
            shares=True,
        ),
        f"{everywhere} Dotted: no difference.",
    )
    note = (
        f"Group A has {GROUPS[0].people:,} people, group B {GROUPS[1].people:,}. In both, "
        f"{100 * GROUPS[0].poor:.0f} of 100 are poor and {100 * began:.0f} of 100 offend in a year. In the "
        f"{BEFORE} years before, A was stopped twice as often: of the same offences twice as many "
        f"are on record. {PEOPLE * STOPS:,.0f} stops a year are shared out as the records are; whoever is "
        "caught has a record, which keeps people poor; poor people offend more. Stops also deter: offences "
        f"shrink by {DETERRENCE:.0%} of the share of people stopped."
    )
    predicted = Section(
        "records",
        "What the records come to say",
        "predictions",
        [
            _gap(
                "offences", plain.offences[:, :, -1], years, runs, "offend in a year",
                " They began alike: the prediction has made itself true.", "offences by person, A less B",
                "offences",
            ),
        ],
        [offences],
        notes=[note],
    )  # fmt: skip
    done = Section(
        "bearing",
        "Who is stopped, and who is poor",
        "actions",
        [
            _gap(
                "stops", plain.stops[:, :, -1], years, runs, "are stopped in a year", "", "stops by "
                "person, A less B",
                "stops",
            ),
            _gap(
                "poor", plain.poor[:, :, -1], years, runs, "are poor", "", "share that is poor, A less B",
                "poor",
            ),
        ],
        [stops, poor],
    )  # fmt: skip
    correction = Section(
        "correction",
        "If each conviction counts by how often people were stopped",
        "actions",
        [
            _gap(
                "corrected", fixed.offences[:, :, -1], years, runs, "offend in a year, with the "
                "correction", "",
                "offences by person, A less B", "repaired",
            ),
            _gain(plain, fixed, years, runs),
        ],
        [repaired],
    )  # fmt: skip
    return [predicted, done, correction]


def _gap(
    name: str, x: np.ndarray, years: int, runs: int, did: str, then: str, what: str, plot: str
) -> Finding:
    """A number of both groups `(2, S)` in the last year."""
    e, (a, b) = of_runs(x[0] - x[1]), x.mean(axis=1)
    of = max(1000, base(float(a), float(b)))
    sure = not e.holds(0)
    low, high = np.percentile(x[0] - x[1], [2.5, 97.5])
    return Finding(
        name,
        f"After {years} years, of {of:,} people of group A {frequency(float(a), of)} {did}, of group B "
        f"{frequency(float(b), of)}: difference {told(e)}, mean of {runs} runs."
        + ((then if e.value > 0 else "") if sure else " That is no more than chance."),
        "finding" if sure else "no finding",
        LIMITS,
        what,
        e,
        runs,
        {"a": of_runs(x[0]), "b": of_runs(x[1]), "runs": Estimate(e.value, float(low), float(high))},
        plot,
    )


def _gain(plain: Years, fixed: Years, years: int, runs: int) -> Finding:
    """How much of the difference between the groups the correction takes away."""
    before, after = (x.offences[0, :, -1] - x.offences[1, :, -1] for x in (plain, fixed))
    e = of_runs(before - after)
    sure = not e.holds(0)
    return Finding(
        "gain",
        "Counting each conviction by how often its group was stopped makes the difference in offences after "
        f"{years} "
        f"years smaller by {amount(e.value)} ({interval(e)})." + ("" if sure else " That may be chance."),
        "finding" if sure else "no finding",
        "That a corrected loop does no harm: as many people are stopped, and who is caught stays poor for "
        "longer.",
        "how much smaller the difference is",
        e,
        runs,
        plot="repaired",
    )
