"""The findings of `decide`: from which score on, what it costs, when it would pay, and whom it costs."""

from __future__ import annotations

import numpy as np

from simulacra.audit.decisions.charts import lines, shares
from simulacra.audit.shared.costs import Costs, break_even
from simulacra.audit.shared.figures import by_group as groups_chart
from simulacra.audit.shared.figures import comparison
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.ledger import FACTORS, Ledger
from simulacra.audit.shared.phrasing import amount, base, frequency, interval, join_words, out_of
from simulacra.audit.shared.rates import Mean, Rate, keyed, unique

MATRIX = "Whether the costs are right, who set them, and what has no price."


def actions(costs: Costs) -> str:
    """The actions in words."""
    return join_words(costs.actions, "or")


def cost(ledger: Ledger) -> Section:
    """From which score on each action is the cheapest, what acting on scores costs, and when it would pay."""
    costs, two = ledger.costs, len(ledger.costs.outcomes) == 2
    findings, plots, notes = [], [], []
    if two:
        findings.append(_thresholds(costs))
        caption = (
            f"Expected cost for each probability of {costs.outcomes[0]}; the lowest line is the action "
            "taken. Grey: how many people have which score."
        )
        plots.append(Plot("lines", "What each action costs", lines(costs, ledger.scores), caption))
        never = set(range(len(costs.actions))) - {a for a, _, _ in costs.spans()}
        notes += [f"{costs.actions[a]} is the cheapest action for no score." for a in sorted(never)]
    means = [_everybody(ledger), *(ledger.always(a) for a in range(len(costs.actions)))]
    findings.append(_policy(ledger, means))
    kind = "Paid" if ledger.known else "Expected"
    title = f"{kind} {costs.unit} for each person"
    caption = f"{kind}, for each of {ledger.n:,} people: actions {ledger.rule}, and one action for all."
    plots.append(Plot("cost", title, groups_chart(means, f"{costs.unit} for each person", 2), caption))
    if two:
        findings += _break_evens(ledger)
    got = np.bincount(ledger.rows["action"], ledger.rows["n"], len(costs.actions))
    rows = [
        [action, f"{int(got[a]):,}", *(amount(float(x)) for x in row), amount(mean.value)]
        for a, (action, row, mean) in enumerate(zip(costs.actions, costs.matrix, means[1:], strict=True))
    ]
    head = ["action", "people", *(f"cost under {outcome}" for outcome in costs.outcomes), "each, if for all"]
    table = Table("Actions", head, rows)
    return Section("cost", "What the actions cost", "actions", findings, plots, [table], notes)


def _thresholds(costs: Costs) -> Finding:
    spans = costs.spans()
    positive, last = costs.outcomes[0], spans[-1]
    parts = [
        f"{costs.actions[a]} {f'from {amount(low)} on' if low else f'below {amount(high)}'}"
        if high - low < 1
        else f"{costs.actions[a]} always"
        for a, low, high in spans
    ]
    sentence = f"By the probability of {positive}, the cheapest action is {join_words(parts)}."
    if (p := costs.threshold()) is not None:
        act, leave = costs.right()
        wrong = costs.matrix[act, 1] - costs.matrix[leave, 1]
        miss = costs.matrix[leave, 0] - costs.matrix[act, 0]
        sentence += (
            f" A wrongful '{costs.actions[act]}' costs {amount(wrong)}, a miss {amount(miss)}: p* = "
            f"{amount(wrong)} / ({amount(wrong)} + {amount(miss)}) = {amount(p)}."
        )
    return Finding(
        "threshold",
        sentence,
        "stated",
        f"{MATRIX} It holds if the score is a probability.",
        f"probability of {positive} from which on it is {costs.actions[last[0]]}",
        Estimate(last[1]),
        more=keyed("from", ((costs.actions[a], Estimate(low)) for a, low, _ in spans)),
        plot="lines",
    )


def _everybody(ledger: Ledger) -> Mean:
    everybody = ledger.mean(ledger.rule, slice(None))
    if ledger.known:
        return everybody
    # scores are given: nothing about them is left to chance
    return Mean(everybody.group, everybody.total, everybody.total**2 / everybody.n, everybody.n)


def _policy(ledger: Ledger, means: list[Mean]) -> Finding:
    costs, known = ledger.costs, ledger.known
    limits = f"{MATRIX} What other rules would cost, and who bears it."
    what = f"{costs.unit} saved for each person"
    if known and ledger.n < max(ledger.minimum, 2):
        sentence = f"What was paid: withheld, {ledger.n:,} people are fewer than {ledger.minimum}."
        return Finding("cost", sentence, "withheld", limits, what, plot="cost")
    best = min(range(len(costs.actions)), key=lambda a: means[a + 1].total)
    saved = Estimate((means[best + 1].total - means[0].total) / ledger.n)
    if known:
        # each person is their own comparison
        rows = ledger.rows
        outcome, n = rows["outcome"], rows["n"]
        each = costs.matrix[best][outcome] - costs.matrix[rows["action"], outcome]
        saved = Mean("", float(n @ each), float(n @ each**2), ledger.n).estimate()
    return Finding(
        "cost",
        f"Actions {ledger.rule} {'cost' if known else 'are expected to cost'} {amount(means[0].value)} "
        f"{costs.unit} for each person; the best single action for all, {costs.actions[best]}, "
        f"{amount(means[best + 1].value)}: {amount(abs(saved.value))} "
        + ("less" if saved.value >= 0 else "more")
        + (f" (saved: {interval(saved)})." if known else "."),
        saved.verdict if known else "stated",
        limits + ("" if known else " What is really paid, if the scores are wrong."),
        what,
        saved,
        ledger.n,
        plot="cost",
    )


def _break_evens(ledger: Ledger) -> list[Finding]:
    """When each action would pay that is not the cheapest for the second outcome."""
    costs, rows = ledger.costs, ledger.rows
    default, found, names = costs.right()[1], [], set[str]()
    for a, action in enumerate(costs.actions):
        gain = float(costs.matrix[default, 0] - costs.matrix[a, 0])
        loss = float(costs.matrix[a, 1] - costs.matrix[default, 1])
        if a == default or gain <= 0 or loss <= 0:
            continue
        for key, who, of in (
            ("break-even", "people", rows["n"] > 0),
            ("break-even-taken", f"people who get '{action}'", rows["action"] == a),
        ):
            name = unique(f"{key}.{slug(action)}", names)
            names.add(name)
            found.append(_break_even(ledger, name, action, who, of, gain / loss))
    return found


def _break_even(ledger: Ledger, name: str, action: str, who: str, of: object, given: float) -> Finding:
    costs, rows = ledger.costs, ledger.rows.where(of)
    positive, n = costs.outcomes[0], int(rows["n"].sum())
    limits = (
        f"{MATRIX} It is an average: {action} may pay for those with high scores where it does not for all."
    )
    what = f"cost of a miss over that of a wrongful '{action}' from which on it pays"
    if n < ledger.minimum:
        words = f"Whether {action} pays: withheld, {n:,} {who} are fewer than {ledger.minimum}."
        return Finding(name, words, "withheld", limits, what)
    if ledger.known:
        hits = wilson(int(rows["n"][rows["outcome"] == 0].sum()), n)
    else:
        hits = Estimate(float(rows["p0"].sum()) / n)
    low, high = hits.ends
    if high == 0:
        words = f"Whether {action} pays: withheld, no score leaves room for {positive}."
        return Finding(name, words, "withheld", limits, what)
    least = ""
    if hits.low is None:
        number = Estimate(break_even(hits.value))
    elif low > 0:
        number = Estimate(break_even(hits.value), break_even(high), break_even(low))
    else:
        # none was seen: what the upper end of their share leaves possible
        number, least = Estimate(break_even(high)), "at least "
    pays = given >= number.ends[0]
    of_people = base(hits.value)
    ends = f" ({interval(number)})" if number.low is not None else ""
    held = "turned out" if ledger.known else "are expected to turn out"
    return Finding(
        name,
        f"Of {of_people:,} {who}, {frequency(hits.value, of_people)} {held} {positive}. For '{action}' to "
        f"pay, a miss would have to cost {least}{amount(number.value)} times as much as a wrongful "
        f"'{action}'{ends}; by the costs it is {amount(given)} times.",
        ("no finding" if pays else "finding") if ledger.known else "stated",
        limits,
        what,
        number,
        n,
        {"given": Estimate(given), "hits": hits},
        "lines",
    )


def sensitivity(ledger: Ledger) -> Section:
    """How many would get another action if costs were others."""
    costs, n = ledger.costs, ledger.n
    findings, rates = [], []
    for k in sorted({k for k, _ in ledger.changed}):
        outcome = costs.outcomes[k]
        half, twice = (Rate(f"{outcome}, {name}", ledger.changed[k, f], n)
                       for name, f in zip(("half", "twice"), FACTORS, strict=True))  # fmt: skip
        rates += [half, twice]
        findings.append(
            Finding(
                f"sensitivity.{slug(outcome)}",
                f"If costs under {outcome} were half as high, {out_of(half.value)} people would get another "
                f"action; twice as high, {out_of(twice.value)}.",
                "stated",
                f"{MATRIX} What happens if several costs change at once.",
                "largest share of people treated otherwise",
                max(half, twice, key=lambda rate: rate.k).estimate(),
                n,
                {"half": half.estimate(), "twice": twice.estimate()},
                "sensitivity",
            )
        )
    if len(ledger.taken):
        figure = shares(costs, ledger.taken / n)
        caption = f"Who would get which action if costs under {costs.outcomes[0]} were so many times as high."
    else:
        figure = groups_chart(rates, "treated otherwise", 1)
        caption = "Who would get another action if the costs under one outcome were half or twice as high."
    plots = [Plot("sensitivity", "Other costs, other actions", figure, caption)]
    return Section("sensitivity", "If the costs were others", "actions", findings, plots)


def cost_by_group(ledger: Ledger, key: str) -> tuple[Finding, Plot]:
    """What the actions cost for a person of each group."""
    label = ledger.labels[key]
    return comparison(
        f"cost.{slug(label)}",
        [ledger.mean(group, ledger.rows[key] == group) for group in ledger.groups(key)],
        what=f"{'paid' if ledger.known else 'expected'} costs",
        of="people",
        did=f"cost {{}} {ledger.costs.unit} each",
        does_not_show=f"Who bears these costs: they are the matrix's, not those of the people. {MATRIX}",
        column=label,
        minimum=ledger.minimum,
        caption=f"By {label}. Intervals 95%.",
    )


def by_group(ledger: Ledger, key: str) -> Section:
    """What the actions cost people of each group, and how often they get the wrong one."""
    costs, label, rows = ledger.costs, ledger.labels[key], ledger.rows
    right, everybody = costs.right(), rows["n"] > 0
    made = [cost_by_group(ledger, key)]

    def add(name: str, of: object, did: object, limits: str, what: str, people: str, done: str) -> None:
        rates = [ledger.rate(group, (rows[key] == group) & of, did) for group in ledger.groups(key)]
        made.append(
            comparison(
                f"{name}.{slug(label)}", [rate for rate in rates if rate.n], what=what, of=people, did=done,
                does_not_show=limits, column=label, minimum=ledger.minimum,
                caption=f"By {label}. Intervals 95%.",
            )
        )  # fmt: skip

    for k, outcome in enumerate(costs.outcomes) if ledger.known else ():
        add(
            f"wrong.{slug(outcome)}", rows["outcome"] == k, rows["action"] != right[k],
            "Why the groups differ, and how wrong each action is: 'cost' weighs them.",
            f"wrong actions for {outcome}", f"people who turned out {outcome}",
            f"got another action than '{costs.actions[right[k]]}'",
        )  # fmt: skip
    for a, action in enumerate(costs.actions):
        if len(costs.actions) == 2 and a == right[-1]:
            continue
        got = rows["action"] == a
        add(
            f"action.{slug(action)}", everybody, got,
            "Whether they should: what turns out may be more common in one group.",
            f"shares who get '{action}'", "people", f"get '{action}'",
        )  # fmt: skip
        if ledger.known and len(costs.outcomes) == 2 and a != right[1]:
            add(
                f"hits.{slug(action)}", got, rows["outcome"] == 0,
                "Who should have got it: those just above the threshold, not the average, show whether the "
                "bar is as high for all.",
                f"hit rates of '{action}'", f"people who got '{action}'", f"turned out {costs.outcomes[0]}",
            )  # fmt: skip
    findings, plots = zip(*made, strict=True)
    return Section(f"groups.{slug(label)}", f"Whom it costs, by {label}", "actions", findings, plots)
