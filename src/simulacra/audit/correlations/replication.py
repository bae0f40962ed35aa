"""Whether the pairs found in the searched rows hold in the rows that were withheld."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulacra.audit.correlations.charts import replication_scatter
from simulacra.audit.correlations.pairwise import ALPHA, FEWEST, correlate, correlation, discoveries, p_value
from simulacra.audit.correlations.search import LISTED, NO_CAUSE, Search
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.phrasing import amount, at_once, base, frequency, interval
from simulacra.audit.shared.rates import unique

TITLE = "Which pairs hold in the withheld rows?"
# pairs with a finding of their own
SHOWN = 10
# other splits that are tried
SPLITS = 20
LIMITS = (
    "That what holds will hold elsewhere: withheld rows come from the same place and time. That what does "
    "not hold is false: too few rows may have been withheld to see it."
)
NOT_NEW = (
    " In {} of these pairs both columns follow the order of the rows, as the last section shows: to them, "
    "the withheld rows are hardly new."
)


@dataclass(frozen=True)
class Replication:
    """A pair in the withheld rows: rows that have both, its correlation, and whether it holds."""

    pair: int
    n: int
    r: Estimate | None
    holds: bool


def replicate(search: Search, found: np.ndarray, r: np.ndarray, rows: np.ndarray) -> list[Replication]:
    """Test pairs in rows that were not searched.

    A pair holds where its interval there excludes 0 on the side on which it was found. All intervals hold
    at once with at least 95% (Bonferroni over the pairs found).

    Args:
        search: the table.
        found: indices of the pairs.
        r: correlations in which all pairs were found, `(M,)`.
        rows: the rows withheld.
    """
    there, n = correlate(search.x[rows])
    replications = []
    for k in map(int, found):
        pair, e, holds = (search.first[k], search.second[k]), None, False
        if not np.isnan(there[pair]):
            e = correlation(float(there[pair]), int(n[pair]), 1 - ALPHA / len(found))
            holds = not e.holds(0) and e.value * r[k] > 0
        replications.append(Replication(k, int(n[pair]), e, bool(holds)))
    return replications


def replication(search: Search) -> Section:
    """How many of the pairs found hold in the withheld rows, and the strongest of them one by one."""
    K, n = len(search.found), len(search.withheld)
    tested = replicate(search, search.found, search.r, search.withheld)
    usable = [(float(search.r[a.pair]), a.r.value, a.holds) for a in tested if a.r is not None]
    if not usable:
        why = f"{n} withheld rows, and {FEWEST} with both values are needed" if K else "no pair was found"
        sentence = f"What holds in new rows: withheld, {why}."
        withheld = Finding("replication", sentence, "withheld", LIMITS, "share")
        return Section("replication", TITLE, "data", [withheld])
    findings, names = [_share(search, tested, usable)], list[str]()
    for a in tested[:SHOWN]:
        one, two = search.names[search.first[a.pair]], search.names[search.second[a.pair]]
        names.append(unique(f"pair.{slug(one)}.{slug(two)}", names))
        findings.append(_pair(search, a, names[-1], K))
    drawn = [(search.label(a.pair), a.n, None if search.ordered[a.pair] else a.r) for a in tested[:SHOWN]]
    plots = [
        Plot(
            "twice",
            "Searched and withheld",
            replication_scatter(usable, (len(search.searched), n)),
            "Every pair that was found. On the line it is as strong in the withheld rows; filled: it holds.",
        ),
        Plot(
            "pairs",
            "In the withheld rows",
            row_chart(drawn, "r in the withheld rows", 0.0),
            f"The {len(drawn)} most certain pairs. Intervals 95% for all {K:,} pairs at once.",
        ),
    ]
    rows = [
        [
            search.label(a.pair),
            f"{search.r[a.pair]:.3f}",
            "" if a.r is None else f"{a.r.value:.3f} ({a.r.ends[0]:.3f} to {a.r.ends[1]:.3f})",
            f"{a.n:,}",
            "too few rows"
            if a.r is None
            else "withheld: both follow the order of the rows"
            if search.ordered[a.pair]
            else "holds"
            if a.holds
            else "does not hold",
        ]
        for a in tested[:LISTED]
    ]
    note = f"The {LISTED} most certain of {K:,}." if K > LISTED else ""
    head = ["pair", "r where it was found", "r in the withheld rows", "rows", ""]
    table = Table("The pairs found", head, rows, note)
    return Section("replication", TITLE, "data", findings, plots, [table])


def _share(search: Search, tested: list[Replication], usable: list[tuple[float, float, bool]]) -> Finding:
    K, n, holds = len(tested), len(search.withheld), sum(a.holds for a in tested)
    before = float(np.mean([abs(found) for found, _, _ in usable]))
    after = float(np.mean([there * np.sign(found) for found, there, _ in usable]))
    sentence = (
        f"Of the {K:,} pair{'s' * (K > 1)} found, {holds:,} {'holds' if holds == 1 else 'hold'} in the {n:,} "
        f"withheld rows. Their mean |r| is {amount(before)} in the searched rows; their mean r in the same "
        f"direction is {amount(after)} in the withheld rows."
    )
    more = {"held": Estimate(holds), "found": Estimate(K)}
    more |= {"searched": Estimate(before), "withheld": Estimate(after)}
    shares = [share for _ in range(SPLITS) if (share := _other_split(search)) is not None]
    if shares:
        least, most = min(shares), max(shares)
        more["splits"] = Estimate(float(np.median(shares)), least, most)
        of = base(least, most)
        sentence += (
            f" In {len(shares)} other random splits, between {frequency(least, of)} and "
            f"{frequency(most, of)} of {of:,} hold."
        )
    ordered = search.ordered[search.found]
    limits, what = LIMITS, "share of the pairs found that holds"
    if ordered.any():
        limits += NOT_NEW.format(int(ordered.sum()))
        more["ordered"] = Estimate(int(ordered.sum()))
    found = any(a.holds and not search.ordered[a.pair] for a in tested)
    return conclude(found, "", "replication", sentence, limits, what, Estimate(holds / K), n, more, "twice")


def _other_split(search: Search) -> float | None:
    """The share that holds where other rows are searched and withheld; None where nothing is found."""
    rows, rest = search.split()
    r, n = (table[search.first, search.second] for table in correlate(search.x[rows]))
    use = np.flatnonzero(~np.isnan(r))
    found = use[discoveries(p_value(r[use], n[use]))]
    return float(np.mean([a.holds for a in replicate(search, found, r, rest)])) if len(found) else None


def _pair(search: Search, a: Replication, name: str, K: int) -> Finding:
    r, what = float(search.r[a.pair]), "r in the withheld rows"
    sentence = f"{search.label(a.pair)}: r = {amount(r)} in {search.n[a.pair]:,} searched rows"
    if a.r is None:
        sentence += f"; in the others withheld, {a.n} of them have both values."
        return Finding(name, sentence, "withheld", NO_CAUSE, what, plot="pairs")
    sentence += f", {amount(a.r.value)} in {a.n:,} others"
    if search.ordered[a.pair]:
        sentence += ". What that shows is withheld: both columns follow the order of the rows."
        return Finding(name, sentence, "withheld", NO_CAUSE, what, plot="pairs")
    sentence += f" ({interval(a.r)}{at_once(K, 'pairs')})."
    none, more = "It does not certainly hold.", {"searched": Estimate(r)}
    return conclude(a.holds, none, name, sentence, NO_CAUSE, what, a.r, a.n, more, "pairs")
