"""The search of a table for correlations: what was found, what chance alone finds, whether rows depend."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from simulacra.audit.correlations.charts import p_histogram, pair_scatter, table_shapes
from simulacra.audit.correlations.pairwise import (
    ALPHA,
    FEWEST,
    correlate,
    correlation,
    discoveries,
    family_wise_error,
    p_value,
    serial_correlation,
    shuffled,
    standardised,
)
from simulacra.audit.shared.figures import rows as row_chart
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Table, conclude
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, out_of, shorten
from simulacra.audit.shared.random_rows import SAMPLE, Loose, sampled
from simulacra.audit.shared.source import Source
from simulacra.errors import ConfigError

# columns compared: half a million pairs
MOST_COLUMNS = 1000
# numbers held at once
CELLS = 10_000_000
# rows of a table of pairs
LISTED = 20
# multiplications that shuffling may take, and how often it is done
WORK, SHUFFLES = 2e11, (20, 200)
NO_CAUSE = "That one of the two acts on the other: something else may act on both, or rows may depend."


class Search:
    """The columns of a table, rows drawn at random to search and rows withheld, and all pairs of columns.

    Attributes:
        x: numbers `(N, D)`, NaN where there is none.
        names: of the D columns.
        searched: rows that are searched, in order.
        withheld: the others.
        first, second: columns of every pair that `FEWEST` searched rows or more have, int `(M,)`.
        r, n, p: its correlation in the rows searched, their number, and p, `(M,)`.
        found: indices of the significant pairs after the correction, strongest first.

    >>> x = np.random.default_rng(0).normal(size=(40, 3))
    >>> search = Search(np.c_[x, x[:, 0] + 0.1 * x[:, 1]], ["a", "b", "c", "d"], 0.5)
    >>> len(search.p), search.label(search.found[0])
    (6, 'a and d')
    """

    def __init__(self, x: np.ndarray, names: list[str], holdout: float = 0.0, seed: int = 0) -> None:
        self.x, self.names, self.holdout = x, names, holdout
        self.rng = np.random.default_rng(seed)
        self.searched, self.withheld = self.split()
        r, n = correlate(x[self.searched])
        i, j = np.triu_indices(len(names), 1)
        use = ~np.isnan(r[i, j])
        self.first, self.second = i[use], j[use]
        self.r, self.n = r[self.first, self.second], n[self.first, self.second]
        self.p = p_value(self.r, self.n)
        found = np.flatnonzero(discoveries(self.p))
        self.found = found[np.lexsort((found, -np.abs(self.r[found]), self.p[found]))]

    def split(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows to search and rows to withhold, drawn anew."""
        mixed = self.rng.permutation(len(self.x))
        k = round(self.holdout * len(mixed))
        return np.sort(mixed[k:]), np.sort(mixed[:k])

    def label(self, pair: int) -> str:
        """How sentences name a pair."""
        return f"{self.names[self.first[pair]]} and {self.names[self.second[pair]]}"

    @cached_property
    def serials(self) -> tuple[np.ndarray, np.ndarray]:
        """Serial correlation and p of every column, over all rows, `(D,)` each."""
        both = np.array([serial_correlation(column) for column in self.x.T])
        return both[:, 0], both[:, 1]

    @cached_property
    def dependent(self) -> np.ndarray:
        """Columns whose neighbouring rows are more alike, or less, than chance allows."""
        return np.flatnonzero(discoveries(self.serials[1]))

    @cached_property
    def ordered(self) -> np.ndarray:
        """Pairs of two such columns, bool `(M,)`: their p is too small. One such column alone leaves p right,
        since the rows of the other are exchangeable."""
        return np.isin(self.first, self.dependent) & np.isin(self.second, self.dependent)


def read(path: Path, columns: str | None) -> tuple[np.ndarray, list[str], dict[str, str | int | float]]:
    """The columns of numbers of a table, at most 20,000 random rows.

    Returns:
        Numbers `(N, D)` with NaN, the names of their columns, and what was read.

    Raises:
        ConfigError: fewer than two columns are named, or one twice.
        DataError: the table cannot be used.
    """
    source = Source(path)
    names = list(dict.fromkeys(source.names))
    if columns is not None:
        names = [source.column(name) for name in columns.split(",")]
        if len(set(names)) < max(2, len(names)):
            raise ConfigError("columns: name two or more, each once")
    fields = {name: Loose(name) for name in names}
    table = sampled(source, fields, min(SAMPLE, CELLS // len(fields)), drop=False)
    x = table.to_numpy(dtype=np.float64)
    varies = ~np.isnan(standardised(x)).all(axis=0)
    passed = {}
    for (name, field), use in zip(fields.items(), varies, strict=True):
        if field.odd is not None:
            if columns is not None:
                raise source.error(f"column '{name}' holds '{field.odd[:40]}', which is not a number")
            passed[name] = f"{name} (text: '{field.odd[:20]}')"
        elif not use:
            passed[name] = f"{name} (constant)"
    names = [name for name in fields if name not in passed]
    if len(names) < 2 or len(x) < FEWEST:
        why = f"; passed over: {shorten(passed.values(), 3)}" if passed else ""
        raise source.error(
            f"{len(names)} columns of numbers that vary and {len(x)} rows; at least 2 columns and {FEWEST} "
            f"rows are needed{why}"
        )
    if len(names) > MOST_COLUMNS:
        raise source.error(
            f"{len(names):,} columns of numbers make too many pairs; name at most {MOST_COLUMNS:,} of them "
            "with --columns"
        )
    inputs = {key: value for key, value in source.about().items() if key != "rows left out"}
    inputs |= {"rows used": len(x), "columns compared": len(names)}
    if passed:
        inputs["columns passed over"] = shorten(passed.values(), 20)
    return x[:, [name not in passed for name in fields]], names, inputs


def found_pairs(search: Search) -> Section:
    """How many pairs look related, how many are left after the correction, and the strongest."""
    M, D, n = len(search.p), len(search.names), len(search.searched)
    title = "What was found in the searched rows"
    if not M:
        sentence = f"Pairs of {D} columns: withheld, no two share {FEWEST} values in {n} rows."
        withheld = Finding("pairs", sentence, "withheld", NO_CAUSE, "pairs left")
        return Section("found", title, "data", [withheld])
    raw, K = int((search.p <= ALPHA).sum()), len(search.found)
    sentence = (
        f"Of {M:,} pairs of {D:,} columns, {raw:,} look{'s' * (raw == 1)} related in {n:,} rows (p below "
        f"{ALPHA:.2g}); by chance alone it would be {amount(ALPHA * M)}. After the correction for multiple "
        f"tests, {'1 is' if K == 1 else f'{K:,} are' if K else 'none is'} left."
    )
    limits = (
        "Which of those left are false: the correction (Benjamini and Hochberg 1995) lets 5 of 100 through "
        f"on average. {NO_CAUSE}"
    )
    ordered = int(search.ordered[search.found].sum())
    if ordered:
        sentence += (
            f" In {ordered:,} of them both columns follow the order of the rows (last section): that alone "
            "makes a p too small."
        )
    number, more = "pairs left after the correction", {"uncorrected": Estimate(raw)}
    more |= {"expected": Estimate(ALPHA * M), "all": Estimate(M), "ordered": Estimate(ordered)}
    pairs = conclude(ordered < K, "", "pairs", sentence, limits, number, Estimate(K), n, more, "p")
    caption = (
        "How often chance alone gives a pair at least as strong. If all columns were independent, all bars "
        "would reach the dotted line."
    )
    # pairs with a right p first
    best = int(np.lexsort((-np.abs(search.r), search.p, search.ordered))[0])
    rows = "Every row that has both." + (" Filled: searched. Open: withheld." if len(search.withheld) else "")
    plots = [
        Plot("p", "p of all pairs", p_histogram(search.p), caption),
        Plot("strongest", search.label(best), pair_scatter(search, best), rows),
    ]
    tables = [] if len(search.withheld) else [_listed(search)]
    return Section("found", title, "data", [pairs, _strongest(search, best)], plots, tables)


def format_p(p: float) -> str:
    """p in a sentence.

    >>> format_p(0.02526), format_p(0.0)
    ('p = 0.025', 'p below 1e-300')
    """
    return f"p = {p:.2g}" if p > 1e-300 else "p below 1e-300"


def format_chance(chance: float) -> str:
    """A probability as tables out of many, also where it is next to 0 or 1.

    >>> format_chance(0.923), format_chance(0.99999), format_chance(1e-9)
    ('92 of 100', 'more than 999 of 1,000', 'fewer than 1 of 1,000,000')
    """
    if chance > 0.9995:
        return "more than 999 of 1,000"
    return out_of(chance) if chance >= 1e-6 else "fewer than 1 of 1,000,000"


def _strongest(search: Search, pair: int) -> Finding:
    """The strongest pair, compared with the strongest of as many pairs of columns of noise."""
    p, M, n = float(search.p[pair]), len(search.p), int(search.n[pair])
    if search.ordered[pair]:
        why = "in all pairs both columns follow the order of the rows, so that no p is right"
        sentence = f"The strongest pair: withheld, {why}."
        return Finding("strongest", sentence, "withheld", NO_CAUSE, "chance of so strong a pair")
    without = " of columns that do not both follow the order of the rows" if search.ordered.any() else ""
    r, chance = correlation(float(search.r[pair]), n), family_wise_error(p, M)
    sentence = (
        f"The strongest pair{without} is {search.label(pair)}: r = {amount(r.value)} ({interval(r)}) in "
        f"{n:,} rows, {format_p(p)} for this pair alone. But it is the strongest of {M:,} pairs: if all "
        f"columns were independent, {format_chance(chance)} tables of this shape would have a pair as strong."
    )
    what = "chance of so strong a pair among all pairs"
    more = {"r": r, "p": Estimate(p), "one-column": Estimate(family_wise_error(p, len(search.names) - 1))}
    return conclude(
        chance <= ALPHA, "", "strongest", sentence, NO_CAUSE, what, Estimate(chance), n, more, "strongest"
    )


def _listed(search: Search) -> Table:
    """The strongest pairs that are left after the correction."""
    rows = [
        [search.label(k), f"{search.r[k]:.3f}", f"{search.p[k]:.2g}", f"{search.n[k]:,}"]
        for k in search.found[:LISTED]
    ]
    note = f"The {LISTED} strongest of {len(search.found):,}." if len(search.found) > LISTED else ""
    head = ["pair", "r", "p", "rows"]
    return Table("Pairs left after the correction", head, rows or [["none", "", "", ""]], note)


def false_findings(search: Search) -> Section:
    """How likely a false finding is in a table of this shape, by the formula and by shuffling the table."""
    D, n = len(search.names), len(search.searched)
    M = D * (D - 1) // 2
    every, one = family_wise_error(ALPHA, M), family_wise_error(ALPHA, D - 1)
    sentence = (
        f"If all {D:,} columns were independent, {amount(ALPHA * M)} of the {M:,} pairs would still look "
        f"related (p below {ALPHA:.2g}); the chance of at least one such false finding is "
        f"{format_chance(every)}. For one column compared with the {D - 1:,} others it is "
        f"{format_chance(one)}."
    )
    limits = "How many of the pairs of this table are false: only how many there would be if all were."
    what, more = "chance of at least one false finding, uncorrected", {"one-column": Estimate(one)}
    more["expected"] = Estimate(ALPHA * M)
    findings = [Finding("chance", sentence, "stated", limits, what, Estimate(every), n, more, "wide")]
    if len(search.p):
        findings.append(_shuffled(search))
    caption = (
        "Pairs with |r| of 0.5 or more that chance alone is expected to give if all columns are independent. "
        "Wide tables have many columns and few rows, tall ones few columns and many rows."
    )
    plot = Plot("wide", "Wide and tall tables", table_shapes(D, n), caption, paper=True)
    return Section("chance", "What would chance alone find?", "data", findings, [plot])


def _shuffled(search: Search) -> Finding:
    x = search.x[search.searched]
    times = int(np.clip(WORK / (len(x) * x.shape[1] ** 2), *SHUFFLES))
    raw, corrected = shuffled(x, times, search.rng)
    any_raw, any_corrected = (wilson(int((counts > 0).sum()), times) for counts in (raw, corrected))
    # the correction promises no more than ALPHA where all are false
    broken, of = any_corrected.ends[0] > ALPHA, base(any_raw.value, any_corrected.value)
    sentence = (
        f"In a simulation, every column was shuffled on its own, {times} times; all that is found then is "
        f"false. Of {of:,} such tables, {frequency(any_raw.value, of)} had a pair with p below {ALPHA:.2g} "
        f"({amount(float(raw.mean()))} pairs on average), and {frequency(any_corrected.value, of)} "
        f"({interval(any_corrected)}) had one after the correction, which promises 5 of 100 at most."
    )
    if broken:
        sentence += " The p of this table are too small: its numbers are too far from normal."
    limits = "What happens where rows depend on each other: shuffling removes that too."
    what = "share of shuffled tables with a false finding after the correction"
    more = {"uncorrected": any_raw, "pairs": Estimate(float(raw.mean()))}
    return conclude(broken, "", "chance.shuffled", sentence, limits, what, any_corrected, times, more, "wide")


def row_order(search: Search, whole: bool) -> Section:
    """Whether neighbouring rows are alike: then rows carry less information, and withheld rows are not new.

    Args:
        search: the table.
        whole: every row of the table was read, so that neighbours are neighbours.
    """
    r, p = search.serials
    D, n, k = len(r), len(search.x), len(search.dependent)
    worst = int(np.lexsort((-np.abs(r), p))[0])
    M, ordered = len(search.p), int(search.ordered.sum())
    counters = [search.names[i] for i in search.dependent if _rises(search.x[:, i])]
    sentence = (
        f"In {k:,} of {D:,} columns ({shorten([search.names[i] for i in search.dependent], 5)}), a row is "
        "more like the one above it, or less, than in a random order; the most certain is "
        f"{search.names[worst]} (serial correlation {amount(float(r[worst]))}, {format_p(float(p[worst]))})."
        if k
        else f"In none of {D:,} columns is a row more like the one above it, or less, than in a random order "
        "(p of all columns corrected together)."
    )
    if counters:
        sentence += f" The rows are sorted by {shorten(counters, 5)}, or numbered."
    if k:
        sentence += (
            f" In {ordered:,} of {M:,} pairs both columns do: rows that follow each other, as years do, "
            "carry less information than independent ones, so that their p is too small, and withheld rows "
            "are not new to them. The p of the other pairs stand."
            if ordered
            else " No pair has two such columns: every p stands."
        )
    limits = (
        "Why: a table that was sorted looks the same, although its rows may be independent. Rows may also "
        "depend in ways that their order does not show."
    )
    what, more = "columns whose rows depend on their order", {"largest": Estimate(float(np.abs(r).max()))}
    findings = [conclude(k > 0, "", "order", sentence, limits, what, Estimate(k), n, more, "order")]
    if whole and search.ordered[search.found].any():
        findings.append(_changes(search))
    drawn = [(search.names[i], n, Estimate(float(r[i]))) for i in np.argsort(p, kind="stable")[:20]]
    figure = row_chart(drawn, "serial correlation", 0.0)
    caption = (
        f"The {len(drawn)} columns with the smallest p. 0: the order of the rows carries no information."
    )
    plots = [Plot("order", "Each row and the one above it", figure, caption)]
    return Section("order", "Do rows depend on each other?", "data", findings, plots)


def _rises(x: np.ndarray) -> bool:
    """Whether numbers, NaN left out, only rise or only fall."""
    steps = np.diff(x[~np.isnan(x)])
    return len(steps) > 0 and bool((steps > 0).all() or (steps < 0).all())


def _changes(search: Search) -> Finding:
    """Whether pairs that are correlated in levels are so in changes from row to row; two trends are not."""
    r, n = correlate(np.diff(search.x, axis=0))
    found = search.found[search.ordered[search.found]]
    K, hold = len(found), []
    for k in found:
        pair = search.first[k], search.second[k]
        if not np.isnan(r[pair]):
            e = correlation(float(r[pair]), int(n[pair]), 1 - ALPHA / K)
            if not e.holds(0) and e.value * search.r[k] > 0:
                hold.append(search.label(k))
    shown = f": {shorten(hold, 3)}" if hold else ""
    sentence = (
        "Any two columns that rise over the rows are correlated. Of the "
        f"{K:,} pairs of such columns left after the correction, {len(hold):,} are also correlated in their "
        f"changes from row to row{shown}."
    )
    n_changes = len(search.x) - 1
    limits = f"That the others are unrelated: {n_changes:,} changes may be too few. {NO_CAUSE}"
    what, more = "pairs that are correlated in their changes", {"share": Estimate(len(hold) / K)}
    number = Estimate(len(hold))
    return conclude(bool(hold), "", "changes", sentence, limits, what, number, n_changes, more, "order")
