"""Which way amplification goes, from group to object or back: Wang and Russakovsky 2021."""

from __future__ import annotations

from simulacra.audit.amplification.bias_amplification import most_certain
from simulacra.audit.amplification.tables import GROUP, OBJECT, Tables
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import combined, newcombe, paired
from simulacra.audit.shared.phrasing import format_estimate, shorten
from simulacra.audit.shared.rates import keyed

# numbers of single objects or groups that gates can reach
REACHED = 50


# a value that is known, its rows, and what it adds to the mean; None where it has too few rows
Part = tuple[str, int, Estimate | None]


def direction(
    tables: Tables, given: str, minimum: int
) -> tuple[Estimate | None, list[Part], dict[str, list[str]]]:
    """Directional amplification, A -> T (`given` the group) or T -> A (`given` the object).

    Wang and Russakovsky 2021, section 4.

    BiasAmp = 1 / (|A| |T|) sum_{a, t} y_at D_at + (1 - y_at) (-D_at), with y_at = 1 where a and t occur
    together in training more often than by chance, P(a, t) > P(a) P(t). A -> T: D_at = P(t^ | a) - P(t | a);
    T -> A: D_at = P(a^ | t) - P(a | t). Shares of one condition add up to 1, so that its sum is twice the
    difference of P(t in S), S the options with y = 1. The truth is that of the same rows where it is known,
    else training's; what is known is taken from the predictions' table where no truth is given.

    Args:
        tables: counts.
        given: what is known.
        minimum: rows that a condition needs in both tables.

    Returns:
        BiasAmp, None where nothing has enough rows; the parts of what is known; and for each what is known
        the options that are more common with it than overall in training.
    """
    option = OBJECT if given == GROUP else GROUP
    # c(given, option) of training
    seen = tables.train.pivot_table(index=given, columns=option, values="n", aggfunc="sum", fill_value=0)
    c = seen.to_numpy().astype(int)
    y = c * c.sum() > c.sum(axis=1, keepdims=True) * c.sum(axis=0, keepdims=True)
    preds, truth = tables.preds, f"true {option}" if tables.known(option) else None
    condition = f"true {given}" if tables.known(given) else given
    options = {*seen.columns, *preds[option], *(preds[truth] if truth else ())}
    parts: list[Part] = []
    associated: dict[str, list[str]] = {}
    for row, name in enumerate(map(str, seen.index)):
        inside = associated[name] = [str(one) for one in seen.columns[y[row]]]
        here = preds[preds[condition] == name]
        n, n_train, count = int(here["n"].sum()), int(c[row].sum()), here["n"]
        said = here[option].isin(inside)
        k, e = int(count[said].sum()), None
        if truth and n >= minimum:
            was = here[truth].isin(inside)
            e = paired(int(count[said & was].sum()), k, int(count[was].sum()), n)
        elif min(n, n_train) >= minimum:
            e = newcombe(k, n, int(c[row][y[row]].sum()), n_train)
        # 1 / |T| sum_t (2 y - 1) D = 2 / |T| (P(t^ in S) - P(t in S))
        parts.append((name, n, None if e is None else combined([(2 / len(options), e)])))
    kept = [e for _, _, e in parts if e is not None]
    return combined([(1 / len(kept), e) for e in kept]) if kept else None, parts, associated


def directions(tables: Tables, minimum: int) -> Section:
    """A -> T and T -> A."""
    findings, plots = [], []
    for given in (GROUP, OBJECT):
        finding, plot = _finding(tables, given, minimum)
        findings.append(finding)
        plots += plot
    note = (
        "A is the group, T the object. A to T: for people of a known group, are the objects that go with the "
        "group in training predicted more often than they occur? T to A: with a known object, is the group "
        "that goes with it in training predicted more often than it occurs? Above 0: more often."
    )
    title = "Which way does amplification go?"
    return Section("directions", title, "predictions", findings, plots, notes=[note])


def _finding(tables: Tables, given: str, minimum: int) -> tuple[Finding, list[Plot]]:
    option = OBJECT if given == GROUP else GROUP
    name, arrow = ("a-to-t", "A to T") if given == GROUP else ("t-to-a", "T to A")
    known, asked, truth = tables.names[given], tables.names[option], tables.known(option)
    what = f"directional amplification, {arrow}"
    limits = f"Why, and which of the two the model uses. Pairs of {known} and {asked} that training lacks."
    if not tables.known(given):
        limits += (
            f" If {known} was predicted too, its errors are not counted: the prediction is taken for the "
            f"truth; --true-{given} names a column with the truth."
        )
    if not truth:
        limits += f" Whether people of the two tables differ; --true-{option} compares within one table."
    e, parts, associated = direction(tables, given, minimum)
    if option not in tables.predicted or e is None:
        why = f"no {known} has {minimum} rows" if option in tables.predicted else f"{asked} was not predicted"
        return Finding(name, f"{arrow}: withheld, {why}.", "withheld", limits, what), []
    if small := [f"{part} ({n:,})" for part, n, one in parts if one is None]:
        limits += f" Values of {known} with fewer than {minimum} rows are left out: {shorten(small)}."
    # against training alone, a bias by chance shrinks by itself: less is then no finding
    sure = e.ends[0] > 0 or (truth and e.ends[1] < 0)
    measured = {part: one for part, _, one in parts if one is not None}
    sizes = {part: n for part, n, one in parts if one is not None}
    largest = sorted(measured, key=lambda part: -sizes[part])[:REACHED]
    more, n = keyed(given, ((part, measured[part]) for part in largest)), sum(sizes.values())
    most = most_certain(measured)
    often = "more often than" if e.value > 0 else "less often than" if e.value < 0 else "as often as"
    sentence = (
        f"{arrow}: given {known}, the predicted {asked} is one associated with it in training {often} the "
        f"{'true one' if truth else 'one in training'}: {format_estimate(e)}, the mean over all pairs. The "
        f"largest part comes from {known} {most} (associated: {shorten(associated[most], 3) or 'nothing'}): "
        f"{format_estimate(measured[most])}."
    )
    none = "The data are compatible with no amplification this way."
    finding = conclude(sure, none, name, sentence, limits, what, e, n, more, name)
    caption = (
        f"What each {known} adds (mean over all {asked}); above 0, what is common with it in training is "
        "amplified. Intervals 95%."
    )
    figure = rows(parts, "amplification", 0.0)
    return finding, [Plot(name, f"Amplification from {known} to {asked}", figure, caption)]
