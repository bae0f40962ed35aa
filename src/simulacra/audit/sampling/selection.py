"""The findings of `sampling`: who is selected, what reweighting corrects, and what it cannot correct."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np

from simulacra.audit.sampling.reference import Selection
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import (
    amount,
    at_once,
    base,
    format_estimate,
    frequency,
    interval,
    out_of,
    shorten,
)
from simulacra.audit.shared.rates import keyed, surest

NO_DIFFERENCE = "The data are compatible with no difference."
WHY = (
    "Why: who decided where to look, whom to ask, and what to record. Whether those selected did what they "
    "were selected for, and whether the reference is right."
)
# how much more readily within groups, where groups are not known to be selected unevenly
ODDS = 2.0
CANNOT = (
    "Weights make every group as large as in the reference. They do not change who was selected within a "
    "group, what was recorded of those people and by whom, groups in which nobody was selected, and the "
    "errors of the reference itself."
)


def shares(found: Selection, minimum: int) -> Section:
    """Groups among those selected and in the reference, and how many times as likely one is selected."""
    column, n, r = found.column, found.n, found.reference
    kept = found.large(minimum)
    limits, what = WHY, "share of those selected less share of the reference"
    if small := [f"{name} ({found.k[g]:,})" for g, name in enumerate(found.groups) if g not in kept]:
        limits += (
            f" Groups of which fewer than {minimum} are selected or expected are left out: {shorten(small)}."
        )
    name, title = f"share.{slug(column)}", f"Who is selected, by {column}"
    if n < minimum or not kept:
        sentence = f"Shares by {column}: withheld, {n:,} people selected are too few."
        names = (name, f"selection.{slug(column)}")
        findings = [Finding(name, sentence, "withheld", limits, what) for name in names]
        return Section("selection", title, "data", findings)
    # Bonferroni: the intervals of all groups hold at once; of two groups one mirrors the other
    excess = {g: found.excess(g, 1 - (1 - LEVEL) / (len(kept) if len(r) > 2 else 1)) for g in kept}
    g, sure = surest(excess)
    share, people = found.k[g] / n, base(found.k[g] / n, float(r[g]))
    sentence = (
        f"Of {people:,} people selected, {frequency(share, people)} have {column} {found.groups[g]}; of "
        f"{people:,} in the reference, {frequency(float(r[g]), people)}: difference "
        f"{format_estimate(excess[g])}{at_once(len(kept) if len(r) > 2 else 1)}."
    )
    each = {g: found.excess(g) for g in kept}
    more = keyed("group", ((found.groups[g], each[g]) for g in kept))
    findings = [
        conclude(sure, NO_DIFFERENCE, name, sentence, limits, what, excess[g], n, more, "share"),
        _ratio(found, kept, limits),
    ]
    drawn = [(name, int(found.k[g]), each.get(g)) for g, name in enumerate(found.groups)]
    figure = rows(drawn, "share selected less share of the reference", 0.0)
    caption = "Right of 0: more are selected than the reference has. Intervals 95%, each on its own."
    plot = Plot("share", title, figure, caption)
    return Section("selection", title, "data", findings, [plot], [_table(found)])


def highest_ratio(found: Selection, kept: list[int]) -> tuple[int, int, Estimate] | None:
    """The pair of groups whose ratio is most certainly above 1, the higher first; None where there is none.

    Intervals hold for all pairs at once (Bonferroni).
    """
    level = 1 - (1 - LEVEL) / max(comb(len(kept), 2), 1)
    ratios = [(a, b, e) for a, b in permutations(kept, 2) if (e := found.ratio(a, b, level)) and e.value >= 1]
    return max(ratios, key=lambda ratio: (max(ratio[2].ends[0], 1.0), ratio[2].value), default=None)


def _ratio(found: Selection, kept: list[int], limits: str) -> Finding:
    column, what = found.column, "ratio of selection between two groups"
    name = f"selection.{slug(column)}"
    pair = highest_ratio(found, kept)
    if pair is None:
        sentence = f"Selection by {column}: withheld, only one group has anybody selected."
        return Finding(name, sentence, "withheld", limits, what, plot="share")
    a, b, e = pair
    pairs = comb(len(kept), 2)
    sentence = (
        f"For as many people in the reference, those whose {column} is {found.groups[a]} are selected "
        f"{amount(e.value)} times as often as those whose {column} is {found.groups[b]} "
        f"({interval(e)}{at_once(pairs, 'pairs')})."
    )
    sure = e.ends[0] > 1
    sentence += "" if sure else f" {NO_DIFFERENCE}"
    rate = {g: float(found.k[g] / found.n / found.reference[g]) for g in kept}
    more = keyed("group", ((found.groups[g], Estimate(rate[g])) for g in kept))
    largest = sorted(kept, key=lambda g: -int(found.k[g]))[:2]
    one, other = sorted(largest, key=lambda g: -rate[g])
    two = found.ratio(one, other, 1 - (1 - LEVEL) / pairs)
    if {one, other} != {a, b} and two is not None:
        more["largest"] = two
        sentence += (
            f" The two largest groups: {found.groups[one]} {format_estimate(two)} times as often as "
            f"{found.groups[other]}."
        )
    return conclude(sure, "", name, sentence, limits, what, e, int(found.k[a] + found.k[b]), more, "share")


def _table(found: Selection) -> Table:
    r, w = found.reference, found.weights
    cells = []
    for g in np.argsort(-found.k, kind="stable"):
        share = wilson(int(found.k[g]), found.n)
        low, high = share.ends
        selected = f"{100 * share.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
        weight = amount(float(w[g])) if found.k[g] else "none"
        cells.append([found.groups[g], f"{found.k[g]:,}", selected, f"{100 * r[g]:.1f}%", weight])
    head = [found.column, "selected", "share selected", "share of the reference", "weight"]
    note = "Weight: what each person counts for when groups are as large as in the reference."
    return Table(f"Selected and reference by {found.column}", head, cells, note)


def weights(found: Selection, minimum: int, y: str | None) -> Section:
    """What reweighting to the reference costs, and how it changes the outcome."""
    n, w, here = found.n, found.weights, np.flatnonzero(found.k)
    least, most = here[w[here].argmin()], int(w.argmax())
    left = found.effective / n
    each = (
        f" whose {found.column} is {found.groups[least]} counts for {amount(float(w[least]))}, each whose "
        f"{found.column} is {found.groups[most]} for {amount(float(w[most]))}"
    )
    if w[least] == w[most]:
        each = f" counts for {amount(float(w[most]))}"
    sentence = (
        f"To make groups as large as in the reference, each person{each}. The {n:,} people then carry "
        f"as much information as {found.effective:,.0f} drawn at random, {out_of(left)}."
    )
    limits = "What weights cannot undo, below; what is lost for a question on which the groups do not differ."
    what = "effective sample size, share of those selected"
    more = {"effective": Estimate(found.effective), "largest": Estimate(float(w[most]))}
    findings = [Finding("weights", sentence, "stated", limits, what, Estimate(left), n, more, "weights")]
    drawn = [(found.groups[g], int(found.k[g]), Estimate(float(w[g]))) for g in here]
    figure = rows(drawn, "weight of each person", 1.0)
    plots = [Plot("weights", "Weights", figure, "The weight of each person selected; dotted: weight 1.")]
    if y is not None:
        finding, plot = _outcome(found, minimum, y)
        findings.append(finding)
        plots += plot
    return Section("weights", "What does reweighting correct?", "data", findings, plots)


def _outcome(found: Selection, minimum: int, y: str) -> tuple[Finding, list[Plot]]:
    assert found.y is not None
    n = found.n
    limits = (
        f"How people were selected within groups, below; whether {y} was recorded alike in all groups. "
        "Shares of the reference are taken as exact."
    )
    what = f"share with {y} as in the reference, less as selected"
    if n < minimum:
        sentence = f"{y} reweighted to the reference: withheld, {n:,} people are fewer than {minimum}."
        return Finding("reweighted", sentence, "withheld", limits, what), []
    each = [(int(g), wilson(int(found.y[g]), int(found.k[g]))) for g in np.flatnonzero(found.k)]
    o, r = found.k / n, found.k * found.weights / n
    raw, after = wilson(int(found.y.sum()), n), combined([(float(r[g]), e) for g, e in each])
    moved = combined([(float(r[g] - o[g]), e) for g, e in each])
    people = base(raw.value, after.value)
    sentence = (
        f"Of {people:,} people selected, {frequency(raw.value, people)} have {y}; after reweighting to the "
        f"reference, {frequency(after.value, people)} of {people:,}: difference {format_estimate(moved)}."
    )
    more, sure = {"selected": raw, "reweighted": after}, not moved.holds(0)
    finding = conclude(
        sure, NO_DIFFERENCE, "reweighted", sentence, limits, what, moved, n, more, "reweighted"
    )
    drawn = [("as selected", n, raw), ("as in the reference", n, after)]
    figure = rows(drawn, f"share with {y}", shares=True)
    caption = f"Share with {y}, of {n:,} people. Intervals 95%, Wilson's and their sum."
    return finding, [Plot("reweighted", y, figure, caption)]


def uncorrectable(found: Selection, minimum: int, y: str | None) -> Section:
    """What no weight corrects: groups without anybody, selection within groups, errors of the reference."""
    r, n = found.reference, found.n
    none = np.flatnonzero((found.k == 0) & (r > 0))
    few = np.flatnonzero((found.k > 0) & (found.k < minimum))
    gone, thin = float(r[none].sum()), float(r[few].sum())
    sentence = "Every group of the reference has somebody selected."
    if len(none):
        sentence = (
            f"{out_of(gone)} people in the reference are in groups in which nobody is selected "
            f"({shorten([found.groups[g] for g in none])}): no weight brings them back."
        )
    if len(few):
        sentence += (
            f" {out_of(thin)} are in groups in which fewer than {minimum} are selected "
            f"({shorten([found.groups[g] for g in few])}), and would be estimated from those few."
        )
    what, more = "share of the reference without anybody selected", {"few": Estimate(thin)}
    limits = "What those people are like."
    findings = [Finding("uncovered", sentence, "stated", limits, what, Estimate(gone), n, more, "uncovered")]
    pair = highest_ratio(found, found.large(minimum)) if n >= minimum else None
    if pair is not None:
        findings.append(_tipping(found, *pair))
    drawn = [(name, int(found.k[g]), Estimate(float(r[g]))) for g, name in enumerate(found.groups)]
    figure = rows(drawn, "share of the reference", shares=True)
    plots = [Plot("uncovered", "The reference", figure, "Shares of the groups in the reference.")]
    if y is not None and n >= minimum:
        # at least as unevenly as groups are selected, where that is known
        odds = pair[2].ends[0] if pair is not None and pair[2].ends[0] > 1 else ODDS
        finding, plot = _within(found, odds, y)
        findings.append(finding)
        plots.append(plot)
    return Section("cannot", "What can reweighting not correct?", "data", findings, plots, notes=[CANNOT])


def _tipping(found: Selection, a: int, b: int, e: Estimate) -> Finding:
    """How wrong the reference would have to be for the selection to be even."""
    rate = ""
    if found.rate is not None:
        more = "; more than all of them" if found.rate[a] * e.value > 1 else ""
        rate = f" (its rate there is {amount(float(found.rate[a]))}{more})"
    sentence = (
        "The two groups would be equally likely to be selected only if, for each person whose "
        f"{found.column} is {found.groups[b]}, there were {amount(e.value)} times as many whose "
        f"{found.column} is {found.groups[a]} as the reference gives{rate}; within the interval, "
        f"{amount(max(e.ends[0], 1.0))} times as many would suffice."
    )
    limits = "Whether the reference is wrong. Surveys miss people, and people do not report everything."
    what, n = "times as many as in the reference, for even selection", int(found.k[a] + found.k[b])
    return Finding("tipping", sentence, "stated", limits, what, e, n, plot="uncovered")


def _within(found: Selection, odds: float, y: str) -> tuple[Finding, Plot]:
    low, as_is, high = found.shifted(odds), found.shifted(1), found.shifted(1 / odds)
    people = base(low, as_is, high)
    sentence = (
        f"If people with {y} were selected {amount(odds)} times as readily as others within every group, "
        f"{frequency(low, people)} of {people:,} people in the reference would have {y}; if as much less "
        f"readily, {frequency(high, people)}. Reweighting gives {frequency(as_is, people)} in both cases."
    )
    limits = "Whether it is so: nothing in the table shows it."
    what = f"difference between the two shares with {y}"
    more = {"low": Estimate(low), "high": Estimate(high), "reweighted": Estimate(as_is)}
    finding = Finding(
        "within", sentence, "stated", limits, what, Estimate(high - low), found.n, more, "within"
    )
    cases = {
        f"{y} selected more readily": low,
        "alike within groups": as_is,
        f"{y} selected less readily": high,
    }
    drawn = [(case, found.n, Estimate(share)) for case, share in cases.items()]
    figure = rows(drawn, f"share with {y}", shares=True)
    caption = f"The share with {y} in the reference, by how people were selected within groups."
    return finding, Plot("within", f"{y} in the reference", figure, caption)
