"""The findings of `sampling`: who is selected, what reweighting undoes, and what it cannot undo."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from simulacra.audit.sampling.reference import Selection
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, out_of, some, told
from simulacra.audit.shared.rates import unique

WHY = (
    "Why: who decided where to look, whom to ask, and what to write down. Whether those selected did what "
    "they were selected for, and whether the reference is right."
)
# how much more readily within groups, where groups are not known to be selected unevenly
ODDS = 2.0
CANNOT = (
    "Weights make every group as large as in the reference. They leave as it is who was selected within a "
    "group, what was recorded of those people and by whom, groups in which nobody was selected, and the "
    "errors of the reference itself."
)


def shares(found: Selection, minimum: int) -> Section:
    """Groups among those selected and in the reference, and how many times as readily one is selected."""
    column, n, r = found.column, found.n, found.reference
    kept = [int(g) for g in np.flatnonzero(found.large(minimum))]
    limits = WHY
    small = [f"{found.groups[g]} ({found.k[g]:,})" for g in range(len(r)) if g not in kept]
    if small:
        limits += (
            f" Nothing about groups of which fewer than {minimum} are selected or expected: {some(small)}."
        )
    what = "share of those selected less share of the reference"
    names = [f"share.{slug(column)}", f"selection.{slug(column)}"]
    title = f"Who is selected, by {column}"
    if n < minimum or not kept:
        words = f"Shares by {column}: withheld, {n:,} people selected are too few."
        findings = [Finding(name, words, "withheld", limits, what) for name in names]
        return Section("selection", title, "data", findings)
    # Bonferroni: the intervals of all groups hold at once; of two groups one mirrors the other
    level = 1 - (1 - LEVEL) / (len(kept) if len(r) > 2 else 1)
    excess = {g: found.excess(g, level) for g in kept}
    sure = {g: e for g, e in excess.items() if not e.holds(0)}
    g = max(sure or excess, key=lambda one: max(excess[one].ends[0], -excess[one].ends[1]))
    share, e, name = found.k[g] / n, excess[g], found.groups[g]
    people = base(share, float(r[g]))
    more: dict[str, Estimate] = {}
    for one in kept:
        more[unique(f"group.{slug(found.groups[one])}", more)] = found.excess(one)
    together = f", {100 * LEVEL:.0f}% for all {len(kept)} groups at once" if len(r) > 2 else ""
    findings = [
        Finding(
            names[0],
            f"Of {people:,} people selected {frequency(share, people)} have {column} {name}, of {people:,} "
            f"in the reference {frequency(float(r[g]), people)}: difference {told(e)}{together}."
            + ("" if sure else " The data are compatible with no difference."),
            "finding" if sure else "no finding",
            limits,
            what,
            e,
            n,
            more,
            "share",
        ),
        _ratio(found, kept, names[1], limits),
    ]
    drawn = [(found.groups[one], int(found.k[one]), found.excess(one) if one in kept else None)
             for one in range(len(r))]  # fmt: skip
    label = "share selected less share of the reference"
    caption = "Right of 0: more are selected than the reference has. Intervals 95%, each on its own."
    plot = Plot("share", title, rows(drawn, label, 0.0), caption)
    return Section("selection", title, "data", findings, [plot], [_table(found)])


def surest(found: Selection, kept: list[int]) -> tuple[int, int, Estimate] | None:
    """The pair of groups whose ratio is most surely above 1, the higher first; None where there is none.

    Intervals hold for all pairs at once (Bonferroni).
    """
    pairs = list(combinations(kept, 2))
    ratios = []
    for a, b in pairs:
        for one, other in ((a, b), (b, a)):
            e = found.ratio(one, other, 1 - (1 - LEVEL) / len(pairs))
            if e is not None and e.value >= 1:
                ratios.append((one, other, e))
                break
    return max(ratios, key=lambda ratio: (max(ratio[2].ends[0], 1.0), ratio[2].value), default=None)


def _ratio(found: Selection, kept: list[int], name: str, limits: str) -> Finding:
    column, what = found.column, "how many times as readily one group is selected as another"
    pair = surest(found, kept)
    if pair is None:
        words = f"Selection by {column}: withheld, of one group only anybody is selected."
        return Finding(name, words, "withheld", limits, what, plot="share")
    a, b, e = pair
    sure = e.ends[0] > 1
    pairs = len(kept) * (len(kept) - 1) // 2
    together = f", {100 * LEVEL:.0f}% for all {pairs} pairs at once" if pairs > 1 else ""
    r, more = found.reference, dict[str, Estimate]()
    for g in kept:
        more[unique(f"group.{slug(found.groups[g])}", more)] = Estimate(found.k[g] / found.n / r[g])
    largest = ""
    one, other = sorted(sorted(kept, key=lambda g: -int(found.k[g]))[:2], key=lambda g: -found.k[g] / r[g])
    two = found.ratio(one, other, 1 - (1 - LEVEL) / pairs)
    if {one, other} != {a, b} and two is not None:
        more["largest"] = two
        largest = (
            f" The two largest groups: {found.groups[one]} {told(two)} times as often as "
            f"{found.groups[other]}."
        )
    return Finding(
        name,
        f"For as many people in the reference, those whose {column} is {found.groups[a]} are selected "
        f"{amount(e.value)} times as often as those whose {column} is {found.groups[b]} "
        f"({interval(e)}{together})."
        + ("" if sure else " The data are compatible with no difference.")
        + largest,
        "finding" if sure else "no finding",
        limits,
        what,
        e,
        int(found.k[a] + found.k[b]),
        more,
        "share",
    )


def _table(found: Selection) -> Table:
    r, w = found.reference, found.weights
    cells = []
    for g in np.argsort(-found.k, kind="stable"):
        share = wilson(int(found.k[g]), found.n)
        low, high = share.ends
        cells.append(
            [
                found.groups[g],
                f"{found.k[g]:,}",
                f"{100 * share.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})",
                f"{100 * r[g]:.1f}%",
                amount(float(w[g])) if found.k[g] else "none",
            ]
        )
    head = [found.column, "selected", "share selected", "share of the reference", "weight"]
    note = "Weight: what each person counts for when groups are as large as in the reference."
    return Table(f"Selected and reference by {found.column}", head, cells, note)


def weights(found: Selection, minimum: int, y: str | None) -> Section:
    """What reweighting to the reference costs, and what it makes of the outcome."""
    n, w = found.n, found.weights
    here = found.k > 0
    least, most = int(np.where(here, w, np.inf).argmin()), int(w.argmax())
    left = found.effective / n
    each = (
        f" whose {found.column} is {found.groups[least]} counts for {amount(float(w[least]))}, each whose "
        f"{found.column} is {found.groups[most]} for {amount(float(w[most]))}"
    )
    if w[least] == w[most]:
        each = f" counts for {amount(float(w[most]))}"
    finding = Finding(
        "weights",
        f"To make groups as large as in the reference, each person{each}. The {n:,} people then tell as much "
        f"as {found.effective:,.0f} drawn evenly, {out_of(left)}.",
        "stated",
        "What weights cannot undo, below; what is lost for a question on which the groups do not differ.",
        "people drawn evenly that tell as much, share of those selected",
        Estimate(left),
        n,
        {"effective": Estimate(found.effective), "largest": Estimate(float(w[most]))},
        "weights",
    )
    findings = [finding]
    drawn: list[tuple[str, int, Estimate | None]] = [
        (found.groups[g], int(found.k[g]), Estimate(float(w[g]))) for g in np.flatnonzero(here)
    ]
    plots = [Plot("weights", "Weights", rows(drawn, "weight of each person", 1.0),
                  "What each person selected counts for; dotted: one for one.")]  # fmt: skip
    if y is not None:
        one, plot = _outcome(found, minimum, y)
        findings.append(one)
        plots += plot
    return Section("weights", "What reweighting would undo", "data", findings, plots)


def _outcome(found: Selection, minimum: int, y: str) -> tuple[Finding, list[Plot]]:
    assert found.y is not None
    n, here = found.n, [int(g) for g in np.flatnonzero(found.k > 0)]
    limits = (
        f"How people were selected within groups, below; whether {y} was recorded alike in all groups. "
        "Shares of the reference are taken as exact."
    )
    what = f"share with {y} as in the reference, less as selected"
    if n < minimum:
        words = f"{y} counted as in the reference: withheld, {n:,} people are fewer than {minimum}."
        return Finding("reweighted", words, "withheld", limits, what), []
    each = {g: wilson(int(found.y[g]), int(found.k[g])) for g in here}
    o, r = found.k / n, found.k * found.weights / n
    raw = wilson(int(found.y.sum()), n)
    after = combined([(float(r[g]), each[g]) for g in here])
    moved = combined([(float(r[g] - o[g]), each[g]) for g in here])
    people = base(raw.value, after.value)
    sure = not moved.holds(0)
    finding = Finding(
        "reweighted",
        f"Of {people:,} people selected {frequency(raw.value, people)} have {y}; counted as in the "
        f"reference, of {people:,} {frequency(after.value, people)}: difference {told(moved)}."
        + ("" if sure else " The data are compatible with no difference."),
        "finding" if sure else "no finding",
        limits,
        what,
        moved,
        n,
        {"selected": raw, "reweighted": after},
        "reweighted",
    )
    drawn = [("as selected", n, raw), ("as in the reference", n, after)]
    caption = f"Share with {y}, of {n:,} people. Intervals 95%, Wilson's and their sum."
    return finding, [Plot("reweighted", y, rows(drawn, f"share with {y}", shares=True), caption)]


def cannot(found: Selection, minimum: int, y: str | None) -> Section:
    """What no weight undoes: groups without anybody, selection within groups, errors of the reference."""
    r, n = found.reference, found.n
    none = [g for g in range(len(r)) if found.k[g] == 0 and r[g] > 0]
    few = [g for g in range(len(r)) if 0 < found.k[g] < minimum]
    gone, thin = float(r[none].sum()), float(r[few].sum())
    sentence = (
        f"{out_of(gone)} in the reference are in groups of which nobody is selected "
        f"({some([found.groups[g] for g in none])}): no weight brings them back."
        if none
        else "Somebody of every group in the reference is selected."
    )
    if few:
        sentence += (
            f" {out_of(thin)} are in groups of which fewer than {minimum} are selected "
            f"({some([found.groups[g] for g in few])}), and would be told from those few."
        )
    findings = [
        Finding(
            "uncovered",
            sentence,
            "stated",
            "What those people are like.",
            "share of the reference without anybody selected",
            Estimate(gone),
            n,
            {"few": Estimate(thin)},
            "uncovered",
        )
    ]
    kept = [int(g) for g in np.flatnonzero(found.large(minimum))]
    pair = surest(found, kept) if n >= minimum else None
    if pair is not None:
        findings.append(_tipping(found, pair))
    drawn = [(found.groups[g], int(found.k[g]), Estimate(float(r[g]))) for g in range(len(r))]
    plots = [Plot("uncovered", "The reference", rows(drawn, "share of the reference", shares=True),
                  "Shares of the groups in the reference.")]  # fmt: skip
    if y is not None and n >= minimum:
        # as unevenly as groups are selected at least, where that is known
        odds = pair[2].ends[0] if pair is not None and pair[2].ends[0] > 1 else ODDS
        one, plot = _within(found, odds, y)
        findings.append(one)
        plots.append(plot)
    return Section("cannot", "What reweighting cannot undo", "data", findings, plots, notes=[CANNOT])


def _tipping(found: Selection, pair: tuple[int, int, Estimate]) -> Finding:
    """How wrong the reference would have to be for the selection to be even."""
    a, b, e = pair
    rate = ""
    if found.rate is not None:
        more = "; more than all of them" if found.rate[a] * e.value > 1 else ""
        rate = f" (its rate there is {amount(float(found.rate[a]))}{more})"
    return Finding(
        "tipping",
        f"Only if the reference had {amount(e.value)} times as many people whose {found.column} is "
        f"{found.groups[a]}{rate} for each one whose {found.column} is {found.groups[b]} as it says, would "
        f"the two be selected as readily; {amount(max(e.ends[0], 1.0))} times as many would do within the "
        "interval.",
        "stated",
        "Whether the reference is wrong. Surveys miss people, and people do not tell everything.",
        "times as many as in the reference, for even selection",
        e,
        int(found.k[a] + found.k[b]),
        plot="uncovered",
    )


def _within(found: Selection, odds: float, y: str) -> tuple[Finding, Plot]:
    low, as_is, high = found.shifted(odds), found.shifted(1), found.shifted(1 / odds)
    people = base(low, as_is, high)
    finding = Finding(
        "within",
        f"Were people with {y} selected {amount(odds)} times as readily as others within every group, the "
        f"reference would have {frequency(low, people)} of {people:,} with {y}; were they "
        f"selected as much less readily, {frequency(high, people)}. Reweighting says "
        f"{frequency(as_is, people)} either way.",
        "stated",
        "Whether it is so: nothing in the table tells.",
        f"how far apart the shares with {y} are",
        Estimate(high - low),
        found.n,
        {"low": Estimate(low), "high": Estimate(high), "reweighted": Estimate(as_is)},
        "within",
    )
    drawn: list[tuple[str, int, Estimate | None]] = [
        (f"{y} selected more readily", found.n, Estimate(low)),
        ("alike within groups", found.n, Estimate(as_is)),
        (f"{y} selected less readily", found.n, Estimate(high)),
    ]
    caption = (
        f"The share with {y} in the reference that the same table stands for, by how people got into it."
    )
    return finding, Plot(
        "within", f"{y} in the reference", rows(drawn, f"share with {y}", shares=True), caption
    )
