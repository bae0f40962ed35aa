"""Which way amplification goes, from group to object or back, and what is said too often: the findings."""

from __future__ import annotations

from simulacra.audit.amplification.measures import (
    GROUP,
    OBJECT,
    Direction,
    Key,
    Tables,
    direction,
    priors,
    widest,
)
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, slug
from simulacra.audit.shared.phrasing import base, frequency, some, told
from simulacra.audit.shared.rates import unique

# numbers of single objects or groups that gates can reach
REACHED = 50


def directions(tables: Tables, minimum: int) -> Section:
    """A -> T and T -> A; Wang and Russakovsky 2021."""
    findings, plots = [], []
    for given in (GROUP, OBJECT):
        finding, more = _direction(tables, given, minimum)
        findings.append(finding)
        plots += more
    note = (
        "A is the group, T the object. A to T: of people who are known to be in a group, is more often said "
        "what goes with their group in training? T to A: with an object that is known, is more often that "
        "group predicted that goes with it in training? Above 0: more often than it is so."
    )
    return Section("directions", "Which way does it go?", "predictions", findings, plots, notes=[note])


def _direction(tables: Tables, given: Key, minimum: int) -> tuple[Finding, list[Plot]]:
    option: Key = OBJECT if given == GROUP else GROUP
    name, arrow = ("a-to-t", "A to T") if given == GROUP else ("t-to-a", "T to A")
    known, asked = tables.names[given], tables.names[option]
    truth = tables.known(option)
    limits = f"Why, and which of the two the model goes by. Ties of {known} and {asked} that training lacks. "
    if not tables.known(given):
        limits += (
            f"Nothing of it holds where {known} was predicted too, and wrongly: it is taken as it stands; "
            f"--true-{given} names a column with the truth. "
        )
    if not truth:
        limits += f"Whether people of the two tables differ; --true-{option} compares within one table. "
    what = f"directional amplification, {arrow}"
    if option not in tables.predicted:
        words = f"{arrow}: withheld, {asked} was not predicted."
        return Finding(name, words, "withheld", limits.strip(), what), []
    found = direction(tables, given, minimum)
    small = [f"{part} ({n:,})" for part, n, e in found.parts if e is None]
    if found.total is None:
        words = f"{arrow}: withheld, no {known} has {minimum} rows."
        return Finding(name, words, "withheld", limits.strip(), what), []
    if small:
        limits += f"Nothing about {known} with fewer than {minimum} rows: {some(small)}."
    e = found.total
    # against training alone, leanings that were chance shrink by themselves
    sure = e.ends[0] > 0 or (truth and e.ends[1] < 0)
    measured = [(part, n, one) for part, n, one in found.parts if one is not None]
    further = max(measured, key=lambda part: (part[2].ends[0], part[2].value))
    more: dict[str, Estimate] = {}
    for part, _, one in sorted(measured, key=lambda part: -part[1])[:REACHED]:
        more[unique(f"{given}.{slug(part)}", more)] = one
    against = f"the real {asked}" if truth else f"the {asked} of training"
    finding = Finding(
        name,
        f"{arrow}: given {known}, the predicted {asked} is one that goes with it in training {_way(e)} than "
        f"{against} is: {told(e)}, the mean over all pairs. {_most(found, further, known)}"
        + ("" if sure else " The data are compatible with no amplification this way."),
        "finding" if sure else "no finding",
        limits.strip(),
        what,
        e,
        sum(n for _, n, _ in measured),
        more,
        name,
    )
    title = f"Amplification from {known} to {asked}"
    caption = (
        f"What each {known} adds (mean over all {asked}); above 0 the predictions go further with what is "
        "common with it in training. Intervals 95%."
    )
    return finding, [Plot(name, title, rows(found.parts, "amplification", 0.0), caption)]


def _way(e: Estimate) -> str:
    return "more often" if e.value > 0 else "less often" if e.value < 0 else "no more often"


def _most(found: Direction, part: tuple[str, int, Estimate], known: str) -> str:
    name, _, e = part
    goes = some(found.lifted[name], 3) or "nothing"
    return f"Most goes that way where {known} is {name} (with it goes {goes}): {told(e)}."


def over_prediction(tables: Tables, minimum: int) -> Section:
    """B(h) of every object; Leino et al. 2019."""
    what, truth = tables.names[OBJECT], tables.known(OBJECT)
    title = f"Which {what} is said too often?"
    number = f"B(h) = E[h(x) - y], share of rows said less share that {'is' if truth else 'was in training'}"
    limits = "Whether single predictions are right: what is said too often and too seldom may cancel out."
    if not truth:
        limits += " Whether the rows of the two tables are of one kind; --true-object compares within one."
    if OBJECT not in tables.predicted or tables.n < minimum:
        few = f"{what} was not predicted" if OBJECT not in tables.predicted else f"fewer than {minimum} rows"
        finding = Finding("over-prediction", f"{title[:-1]}: withheld, {few}.", "withheld", limits)
        return Section("over-prediction", title, "predictions", [finding])
    found = priors(tables)
    # Bonferroni: the intervals of all objects hold at once
    together = priors(tables, 1 - (1 - LEVEL) / len(found))
    name, was, e = widest(together)
    sure = e.ends[0] > 0
    total = tables.n if truth else int(tables.train["n"].sum())
    real = was / total
    people = base(real, real + e.value)
    more: dict[str, Estimate] = {}
    for one, _, each in found[:REACHED]:
        more[unique(f"object.{slug(one)}", more)] = each
    finding = Finding(
        "over-prediction",
        f"The predictions say {name} of {frequency(real + e.value, people)} of {people:,}, where "
        f"{frequency(real, people)} {'are' if truth else 'were in training'}: {told(e)}, "
        f"{100 * LEVEL:.0f}% for all {len(found):,} values of {what} at once."
        + ("" if sure else f" No {what} is surely said too often."),
        "finding" if sure else "no finding",
        limits,
        number,
        e,
        tables.n,
        more,
        "over-prediction",
    )
    figure = rows([(one, n, each) for one, n, each in found], "said less real, share of rows", 0.0)
    caption = f"B(h) for each {what}, each interval 95% on its own; right of 0: said too often."
    plot = Plot("over-prediction", title, figure, caption)
    note = (
        "A classifier that doubts says what is common: even the best possible one says it too often "
        "(Leino et al. 2019)."
    )
    return Section("over-prediction", title, "predictions", [finding], [plot], notes=[note])
