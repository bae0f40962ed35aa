"""Which objects are predicted more often than they occur: Leino et al. 2019."""

from __future__ import annotations

from simulacra.audit.amplification.bias_amplification import most_certain
from simulacra.audit.amplification.tables import OBJECT, Tables
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import newcombe, paired
from simulacra.audit.shared.phrasing import at_once, base, format_estimate, frequency
from simulacra.audit.shared.rates import keyed

# objects that gates can reach
REACHED = 50


def over_predictions(tables: Tables, level: float = LEVEL) -> dict[str, tuple[int, Estimate]]:
    """Object -> how often it occurs, and B = P(predicted) - P(occurs); the most common first.

    Of one object against all others this is B(h) = E[h(x) - y] (Leino et al. 2019, definition 1). What
    occurs is the truth of the same rows, where it is known, else training.
    """
    preds, truth, n = tables.preds, f"true {OBJECT}", tables.n
    said = preds.groupby(OBJECT)["n"].sum()
    real = preds.groupby(truth)["n"].sum() if truth in preds else tables.train.groupby(OBJECT)["n"].sum()
    found = {}
    for name in sorted({*said.index, *real.index}, key=lambda name: (-real.get(name, 0), name)):
        k, was = int(said.get(name, 0)), int(real.get(name, 0))
        if truth in preds:
            both = int(preds["n"][(preds[OBJECT] == name) & (preds[truth] == name)].sum())
            e = paired(both, k, was, n, level)
        else:
            e = newcombe(k, n, was, int(real.sum()), level)
        found[str(name)] = was, e
    return found


def most_over_predicted(tables: Tables) -> str:
    """The object that is most certainly predicted too often."""
    return most_certain({name: e for name, (_, e) in over_predictions(tables).items()})


def section(tables: Tables, minimum: int) -> Section:
    """B(h) of every object."""
    what, truth = tables.names[OBJECT], tables.known(OBJECT)
    title = f"Which {what} is predicted too often?"
    limits = "Whether single predictions are right: too many and too few may cancel out."
    if not truth:
        limits += " Whether the two tables have the same kind of rows; --true-object compares within one."
    if OBJECT not in tables.predicted or tables.n < minimum:
        why = f"{what} was not predicted" if OBJECT not in tables.predicted else f"fewer than {minimum} rows"
        finding = Finding("over-prediction", f"{title[:-1]}: withheld, {why}.", "withheld", limits)
        return Section("over-prediction", title, "predictions", [finding])
    found = over_predictions(tables)
    # Bonferroni: the intervals of all objects hold at once
    together = over_predictions(tables, 1 - (1 - LEVEL) / len(found))
    name = most_certain({name: e for name, (_, e) in together.items()})
    was, e = together[name]
    real = was / (tables.n if truth else int(tables.train["n"].sum()))
    people = base(real, real + e.value)
    sentence = (
        f"Of {people:,} predictions, {frequency(real + e.value, people)} are {name}; "
        f"{'in truth' if truth else 'in training'}, {frequency(real, people)} of {people:,} are: "
        f"{format_estimate(e)}{at_once(len(found), f'values of {what}')}."
    )
    none = f"No {what} is certainly predicted too often."
    number = f"B(h) = E[h(x) - y], share predicted less share {'in truth' if truth else 'in training'}"
    more = keyed("object", ((one, each) for one, (_, each) in list(found.items())[:REACHED]))
    finding = conclude(
        e.ends[0] > 0, none, "over-prediction", sentence, limits, number, e, tables.n, more, "over-prediction"
    )
    drawn = [(one, n, each) for one, (n, each) in found.items()]
    figure = rows(drawn, "predicted less real, share of rows", 0.0)
    caption = f"B(h) for each {what}, each interval 95% on its own; right of 0: predicted too often."
    note = (
        "An uncertain classifier predicts what is common: even the best possible one predicts it too often "
        "(Leino et al. 2019)."
    )
    plot = Plot("over-prediction", title, figure, caption)
    return Section("over-prediction", title, "predictions", [finding], [plot], notes=[note])
