"""The search of a table for correlations: what was found, what chance alone finds, whether rows depend."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from simulacra.audit.correlations.charts import p_values, points, wide
from simulacra.audit.correlations.pairwise import (
    ALPHA,
    FEWEST,
    any_false,
    correlate,
    correlation,
    kept,
    p_value,
    serial,
    shuffled,
)
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Table
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, out_of, some

# rows of a table of pairs
LISTED = 20
# multiplications that shuffling may take, and how often it is done
WORK, SHUFFLES = 2e11, (20, 200)
NO_CAUSE = "That one of the two acts on the other: something else may act on both, or rows may depend."


class Search:
    """A table cut at random into rows to search and rows withheld, and the pairs of its columns.

    Attributes:
        x: numbers `(N, D)`, NaN where there is none.
        names: of the D columns.
        searched: rows that are searched, in order.
        withheld: the others.
        first, second: columns of every pair that `FEWEST` searched rows or more have, int `(M,)`.
        r, n, p: its correlation in the rows searched, their number, and p, `(M,)`.
        found: places of those that are kept, strongest first.

    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> search = Search(np.c_[x, x[:, 0] + 0.1 * x[:, 1]], ["a", "b", "c", "d"], 0.5)
    >>> len(search.p), search.label(search.found[0])
    (6, 'a and d')
    """

    def __init__(self, x: np.ndarray, names: list[str], holdout: float = 0.0, seed: int = 0) -> None:
        self.x, self.names = x, names
        self.rng = np.random.default_rng(seed)
        self.holdout = holdout
        self.searched, self.withheld = self.cut()
        self.first, self.second, self.r, self.n = self.pairs(self.searched)
        self.p = p_value(self.r, self.n)
        places = np.flatnonzero(kept(self.p)) if len(self.p) else np.empty(0, dtype=int)
        self.found = places[np.lexsort((places, -np.abs(self.r[places]), self.p[places]))]

    def cut(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows to search and rows to withhold, drawn anew."""
        mixed = self.rng.permutation(len(self.x))
        k = round(self.holdout * len(mixed))
        return np.sort(mixed[k:]), np.sort(mixed[:k])

    def pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Columns, correlation and number of rows of every pair that can be looked at in these rows."""
        r, n = correlate(self.x[rows])
        i, j = np.triu_indices(len(self.names), 1)
        use = ~np.isnan(r[i, j])
        return i[use], j[use], r[i, j][use], n[i, j][use]

    def label(self, pair: int) -> str:
        """What sentences call a pair."""
        return f"{self.names[self.first[pair]]} and {self.names[self.second[pair]]}"

    @cached_property
    def serials(self) -> tuple[np.ndarray, np.ndarray]:
        """Serial correlation and p of every column, over all rows, `(D,)` each."""
        both = np.array([serial(column) for column in self.x.T])
        return both[:, 0], both[:, 1]

    @property
    def dependent(self) -> np.ndarray:
        """Columns whose neighbouring rows are more alike, or more unlike, than chance allows."""
        return np.flatnonzero(kept(self.serials[1]))


def found(search: Search) -> Section:
    """How many pairs look related, how many are left after the correction, and the strongest."""
    M, n = len(search.p), len(search.searched)
    title = "What was found in the rows that were searched"
    if not M:
        words = f"Pairs of {len(search.names)} columns: withheld, no two share {FEWEST} values in {n} rows."
        return Section("found", title, "data", [Finding("pairs", words, "withheld", NO_CAUSE, "pairs left")])
    raw, K = int((search.p <= ALPHA).sum()), len(search.found)
    pairs = Finding(
        "pairs",
        f"Of {M:,} pairs of {len(search.names):,} columns {raw:,} look related in {n:,} rows (p below "
        f"{ALPHA:.2g}); {amount(ALPHA * M)} would by chance alone. After the correction for so many looks "
        f"{_left(K)} left.",
        "finding" if K else "no finding",
        "Which of those left are the false ones: the correction (Benjamini and Hochberg 1995) lets 5 of 100 "
        f"through on average. {NO_CAUSE}",
        "pairs left after the correction",
        Estimate(K),
        n,
        {"uncorrected": Estimate(raw), "expected": Estimate(ALPHA * M), "all": Estimate(M)},
        "p",
    )
    bars = Plot(
        "p",
        "p of all pairs",
        p_values(search.p),
        "How often chance alone gives a pair at least as strong. If no column had to do with any other, all "
        "bars would reach the dotted line.",
    )
    best = int(np.lexsort((-np.abs(search.r), search.p))[0])
    tables = [] if len(search.withheld) else [listed(search)]
    cloud = Plot(
        "strongest",
        search.label(best),
        points(search, best),
        "Every row that has both." + (" Filled: searched. Open: withheld." if len(search.withheld) else ""),
    )
    return Section("found", title, "data", [pairs, strongest(search, best)], [bars, cloud], tables)


def _left(K: int) -> str:
    return "1 is" if K == 1 else f"{K:,} are" if K else "none is"


def surely(p: float) -> str:
    """p in a sentence.

    >>> surely(0.02526), surely(0.0)
    ('p = 0.025', 'p below 1e-300')
    """
    return f"p = {p:.2g}" if p > 1e-300 else "p below 1e-300"


def likely(chance: float) -> str:
    """A chance as tables out of so many, also where it is next to 0 or 1.

    >>> likely(0.923), likely(0.99999), likely(1e-9)
    ('92 of 100', 'more than 999 of 1,000', 'fewer than 1 of 1,000,000')
    """
    if chance > 0.9995:
        return "more than 999 of 1,000"
    return out_of(chance) if chance >= 1e-6 else "fewer than 1 of 1,000,000"


def strongest(search: Search, pair: int) -> Finding:
    """The strongest pair, against the strongest of as many pairs of columns of noise."""
    p, M, n = float(search.p[pair]), len(search.p), int(search.n[pair])
    r, chance = correlation(float(search.r[pair]), n), any_false(p, M)
    one = any_false(p, len(search.names) - 1)
    sure = chance <= ALPHA
    return Finding(
        "strongest",
        f"{search.label(pair)} go together most strongly: r = {amount(r.value)} ({interval(r)}) in {n:,} "
        f"rows, {surely(p)} if nobody had searched. But it is the strongest of {M:,} pairs: where no column "
        f"has to do with any other, it is as strong in {likely(chance)} tables of this shape.",
        "finding" if sure else "no finding",
        NO_CAUSE,
        "chance of so strong a pair among all pairs",
        Estimate(chance),
        n,
        {"r": r, "p": Estimate(p), "one-column": Estimate(one)},
        "strongest",
    )


def listed(search: Search) -> Table:
    """The strongest pairs that are left after the correction."""
    shown = search.found[:LISTED]
    rows = [[search.label(k), f"{search.r[k]:.3f}", f"{search.p[k]:.2g}", f"{search.n[k]:,}"] for k in shown]
    note = f"The {LISTED} strongest of {len(search.found):,}." if len(search.found) > LISTED else ""
    return Table(
        "Pairs left after the correction", ["pair", "r", "p", "rows"], rows or [["none", "", "", ""]], note
    )


def chance(search: Search) -> Section:
    """How likely a false finding is in a table of this shape, by the formula and by shuffling the table."""
    D, n = len(search.names), len(search.searched)
    M = D * (D - 1) // 2
    every, one = any_false(ALPHA, M), any_false(ALPHA, D - 1)
    picture = Plot(
        "wide",
        "Wide and tall tables",
        wide(D, n),
        "Pairs with |r| of 0.5 or more that chance alone is expected to give, where no column has to do "
        "with any other. Wide tables have many columns and few rows, tall ones few columns and many rows.",
        paper=True,
    )
    formula = Finding(
        "chance",
        f"If none of the {D:,} columns had to do with any other, {amount(ALPHA * M)} of the {M:,} pairs "
        f"would still look related (p below {ALPHA:.2g}); the chance of at least one such false finding is "
        f"{likely(every)}. For one column held against the {D - 1:,} others it is {likely(one)}.",
        "stated",
        "How many of the pairs of this table are false: only how many there would be if all were.",
        "chance of at least one false finding, uncorrected",
        Estimate(every),
        n,
        {"one-column": Estimate(one), "expected": Estimate(ALPHA * M)},
        "wide",
    )
    findings = [formula]
    if len(search.p):
        findings.append(_shuffled(search))
    return Section("chance", "What chance alone would find", "data", findings, [picture])


def _shuffled(search: Search) -> Finding:
    x = search.x[search.searched]
    times = int(np.clip(WORK / (len(x) * x.shape[1] ** 2), *SHUFFLES))
    raw, left = shuffled(x, times, search.rng)
    any_left, any_raw = wilson(int((left > 0).sum()), times), wilson(int((raw > 0).sum()), times)
    # the correction promises no more than ALPHA where all are false
    broken = any_left.ends[0] > ALPHA
    of = base(any_raw.value, any_left.value)
    return Finding(
        "chance.shuffled",
        f"Tried out: every column was shuffled on its own, {times} times; all that is found then is false. "
        f"Of {of:,} such tables {frequency(any_raw.value, of)} had a pair with p below {ALPHA:.2g} "
        f"({amount(float(raw.mean()))} pairs on average), {frequency(any_left.value, of)} "
        f"({interval(any_left)}) had one after the correction, which promises 5 of 100 at most."
        + (" The p of this table are too small: its numbers are too far from normal." if broken else ""),
        "finding" if broken else "no finding",
        "What happens where rows depend on each other: shuffling takes that away too.",
        "share of shuffled tables with a false finding after the correction",
        any_left,
        times,
        {"uncorrected": any_raw, "pairs": Estimate(float(raw.mean()))},
        "wide",
    )


def order(search: Search, whole: bool) -> Section:
    """Whether neighbouring rows are alike: then rows are worth less than they look, and withheld ones too.

    Args:
        search: the table.
        whole: every row of the table was read, so that neighbours are neighbours.
    """
    r, p = search.serials
    D, n, k = len(r), len(search.x), len(search.dependent)
    worst = int(np.lexsort((-np.abs(r), p))[0])
    findings = [
        Finding(
            "order",
            f"In {k:,} of {D:,} columns a row is more like the one above it, or less, than in an order drawn "
            f"at random; most surely in {search.names[worst]} (serial correlation {amount(float(r[worst]))}, "
            f"{surely(float(p[worst]))}). Rows that follow each other, as years do, are worth fewer than "
            "they look: every p here is too small then, and withheld rows are no new data."
            if k
            else f"In none of {D:,} columns is a row more like the one above it, or less, than in an order "
            "drawn at random (p of all columns corrected together).",
            "finding" if k else "no finding",
            "Why: a table that was sorted looks the same, and its rows may be independent all the same. "
            "Rows may also depend in ways that their order does not show.",
            "columns whose rows depend on their order",
            Estimate(k),
            n,
            {"largest": Estimate(float(np.abs(r).max()))},
            "order",
        )
    ]
    drawn: list[tuple[str, int, Estimate | None]] = [
        (search.names[i], n, Estimate(float(r[i]))) for i in np.argsort(p, kind="stable")[:20]
    ]
    plots = [
        Plot(
            "order",
            "Each row and the one above it",
            row_chart(drawn, "serial correlation", 0.0),
            f"Of {min(D, 20)} columns, those most surely ordered. 0: the order of the rows says nothing.",
        )
    ]
    if k and whole and len(search.found):
        findings.append(_changes(search))
    return Section("order", "Do rows depend on each other?", "data", findings, plots)


def _changes(search: Search) -> Finding:
    """Whether what goes together in levels does in changes from row to row; a trend in both does not."""
    r, n = correlate(np.diff(search.x, axis=0))
    K = len(search.found)
    usable = [k for k in search.found if not np.isnan(r[search.first[k], search.second[k]])]
    level = 1 - ALPHA / K
    hold = []
    for k in usable:
        i, j = search.first[k], search.second[k]
        e = correlation(float(r[i, j]), int(n[i, j]), level)
        if not e.holds(0) and e.value * search.r[k] > 0:
            hold.append(k)
    shown = f": {some([search.label(k) for k in hold], 3)}" if hold else ""
    return Finding(
        "changes",
        f"Two columns that both rise over the rows go together whatever they are. Of the {K:,} pairs left "
        f"after the correction {len(hold):,} also go together in their changes from row to row{shown}.",
        "finding" if hold else "no finding",
        f"That the others have nothing to do with each other: {len(search.x) - 1:,} changes may be too few. "
        f"{NO_CAUSE}",
        "pairs that go together in their changes",
        Estimate(len(hold)),
        len(search.x) - 1,
        {"share": Estimate(len(hold) / K)},
        "order",
    )
