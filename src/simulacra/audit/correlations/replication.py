"""What was found in the rows that were searched, looked up in the rows that were withheld."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulacra.audit.correlations.charts import twice
from simulacra.audit.correlations.pairwise import ALPHA, FEWEST, correlate, correlation, kept, p_value
from simulacra.audit.correlations.search import LISTED, NO_CAUSE, Search
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.phrasing import amount, base, frequency, interval
from simulacra.audit.shared.rates import unique

TITLE = "What holds in the rows that were withheld"
# pairs with a finding of their own
TOLD = 10
# other ways to withhold that are tried
SPLITS = 20
LIMITS = (
    "That what holds will hold elsewhere: withheld rows come from the same place and time. That what does "
    "not hold is false: too few rows may have been withheld to see it."
)


NOT_NEW = " Here rows depend on their order, as the last section shows: the withheld ones are hardly new."


@dataclass(frozen=True)
class Again:
    """A pair in the withheld rows: its correlation there, and whether it holds."""

    pair: int
    n: int
    r: Estimate | None
    holds: bool


def again(search: Search, found: np.ndarray, r: np.ndarray, rows: np.ndarray) -> list[Again]:
    """Look pairs up in rows that were not searched.

    A pair holds where its interval there leaves 0 out on the side on which it was found. All intervals hold
    at once with at least 95% (Bonferroni over the pairs found).

    Args:
        search: the table.
        found: places of the pairs.
        r: correlations in which all pairs were found, `(M,)`.
        rows: the rows withheld.
    """
    there, n = correlate(search.x[rows])
    level, made = 1 - ALPHA / max(len(found), 1), []
    for k in found:
        i, j = search.first[k], search.second[k]
        if np.isnan(there[i, j]):
            made.append(Again(int(k), int(n[i, j]), None, False))
            continue
        e = correlation(float(there[i, j]), int(n[i, j]), level)
        made.append(Again(int(k), int(n[i, j]), e, not e.holds(0) and e.value * r[k] > 0))
    return made


def replication(search: Search) -> Section:
    """How many of the pairs found hold in the withheld rows, and the strongest of them one by one."""
    K, n = len(search.found), len(search.withheld)
    looked = again(search, search.found, search.r, search.withheld) if K else []
    usable = [a for a in looked if a.r is not None]
    if not usable:
        why = (
            "nothing was found that could be looked up"
            if not K
            else f"{n} withheld rows, and {FEWEST} with both values are needed"
        )
        return Section(
            "replication",
            TITLE,
            "data",
            [
                Finding(
                    "replication", f"What holds in new rows: withheld, {why}.", "withheld", LIMITS, "share"
                )
            ],
        )
    findings = [_share(search, looked)]
    names: list[str] = []
    for a in looked[:TOLD]:
        one, two = search.names[search.first[a.pair]], search.names[search.second[a.pair]]
        names.append(unique(f"pair.{slug(one)}.{slug(two)}", names))
        findings.append(_pair(search, a, names[-1], K))
    plots = [
        Plot(
            "twice",
            "Searched and withheld",
            twice(
                [(float(search.r[a.pair]), a.r.value, a.holds) for a in usable if a.r is not None],
                (len(search.searched), n),
            ),
            "Every pair that was found. On the line it is as strong in the withheld rows; filled: it holds.",
        ),
        Plot(
            "pairs",
            "In the withheld rows",
            row_chart(
                [(search.label(a.pair), a.n, a.r) for a in looked[:TOLD]], "r in the withheld rows", 0.0
            ),
            f"The {min(TOLD, K)} pairs most surely found. Intervals 95% for all {K:,} pairs at once.",
        ),
    ]
    rows = [
        [
            search.label(a.pair),
            f"{search.r[a.pair]:.3f}",
            "" if a.r is None else f"{a.r.value:.3f} ({a.r.ends[0]:.3f} to {a.r.ends[1]:.3f})",
            f"{a.n:,}",
            "too few rows" if a.r is None else "holds" if a.holds else "does not hold",
        ]
        for a in looked[:LISTED]
    ]
    note = f"The {LISTED} most surely found of {K:,}." if K > LISTED else ""
    head = ["pair", "r where it was found", "r in the withheld rows", "rows", ""]
    return Section(
        "replication", TITLE, "data", findings, plots, [Table("The pairs found", head, rows, note)]
    )


def _share(search: Search, looked: list[Again]) -> Finding:
    K, n = len(looked), len(search.withheld)
    holds = sum(a.holds for a in looked)
    shares = []
    for _ in range(SPLITS):
        rows, rest = search.cut()
        share = _once(search, rows, rest)
        if share is not None:
            shares.append(share)
    before = float(np.mean([abs(search.r[a.pair]) for a in looked if a.r is not None]))
    after = float(np.mean([a.r.value * np.sign(search.r[a.pair]) for a in looked if a.r is not None]))
    more = {
        "held": Estimate(holds),
        "found": Estimate(K),
        "searched": Estimate(before),
        "withheld": Estimate(after),
    }
    other = ""
    if shares:
        more["splits"] = Estimate(float(np.median(shares)), min(shares), max(shares))
        of = base(min(shares), max(shares))
        other = (
            f" With other rows withheld, {len(shares)} times at random, it is between "
            f"{frequency(min(shares), of)} and {frequency(max(shares), of)} of {of:,}."
        )
    return Finding(
        "replication",
        f"Of the {K:,} pairs found {holds:,} {'holds' if holds == 1 else 'hold'} in the {n:,} rows that "
        f"were withheld. Their strength was {amount(before)} on average where they were found, and is "
        f"{amount(after)} where they were not.{other}",
        "finding" if holds else "no finding",
        LIMITS + (NOT_NEW if len(search.dependent) else ""),
        "share of the pairs found that holds",
        Estimate(holds / K),
        n,
        more,
        "twice",
    )


def _once(search: Search, rows: np.ndarray, rest: np.ndarray) -> float | None:
    """The share that holds where other rows are searched and withheld; None where nothing is found."""
    r, n = correlate(search.x[rows])
    r, n = r[search.first, search.second], n[search.first, search.second]
    use = np.flatnonzero(~np.isnan(r))
    found = use[kept(p_value(r[use], n[use]))] if len(use) else use
    if not len(found):
        return None
    return float(np.mean([a.holds for a in again(search, found, r, rest)]))


def _pair(search: Search, a: Again, name: str, K: int) -> Finding:
    label, r = search.label(a.pair), float(search.r[a.pair])
    began = f"{label}: r = {amount(r)} in the {search.n[a.pair]:,} rows in which it was found"
    if a.r is None:
        words = f"{began}; in the others withheld, {a.n} of them have both values."
        return Finding(name, words, "withheld", NO_CAUSE, "r in the withheld rows", plot="pairs")
    together = f", 95% for all {K:,} pairs at once" if K > 1 else ""
    return Finding(
        name,
        f"{began}, {amount(a.r.value)} in {a.n:,} others ({interval(a.r)}{together})."
        + ("" if a.holds else " It does not hold surely."),
        "finding" if a.holds else "no finding",
        NO_CAUSE,
        "r in the withheld rows",
        a.r,
        a.n,
        {"searched": Estimate(r)},
        "pairs",
    )
