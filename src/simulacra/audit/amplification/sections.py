"""What training leans towards, and whether predictions lean further: the findings and charts."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from simulacra.audit.amplification.measures import GROUP, OBJECT, Leanings, Tables
from simulacra.audit.shared.figures import WIDTH, rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import wilson
from simulacra.audit.shared.phrasing import amount, interval, listed, some, told
from simulacra.audit.shared.rates import unique
from simulacra.report.figures import BLUE, CLASS_COLOURS, INK, MUTED, ORANGE, shortened, single, style

# groups with a finding of their own
GROUPS = 5
# objects in the table
SHOWN = 60
READINGS = (
    "Two readings are told, because published figures mix them. The mean counts every object with the group "
    "it leans towards in training; the percentages of Zhao et al. 2017 count only objects that lean towards "
    "one group (man), out of all. For COCO their text says 0.036 and 65.67%. The results they released say "
    "0.031743 and 49 of 66 objects that lean further, whichever way; 44 of them lean towards man, and 44 of "
    "67, one object more than was released, is 65.67%. A mean of 0.036 does not follow from these results: "
    "over all objects it is 0.031743, as their own notebook prints, over those that lean towards man 0.0391. "
    "For imSitu the text's 45.75% is 97 of 212 verbs; whichever way, 147 lean further, by 0.050223."
)
BARELY = (
    "An object that barely leans in training leans there by chance, and less so in any other rows: less than "
    "before is therefore never told as a finding."
)
WHY = (
    "Why: fewer examples, another mix of rows, or what the model makes of a doubt. Whether training is right."
)


def training(tables: Tables, found: Leanings, small: list[str], minimum: int) -> Section:
    """Which group each object goes with in training."""
    G, what = len(found.groups), tables.names[OBJECT]
    limits = "Whether it is so in the world: who was asked, watched or photographed decides too."
    title = f"Which {tables.names[GROUP]} each {what} goes with in training"
    if not found.objects:
        return Section("training", title, "data", [_withheld("training", "leaning", what, minimum, limits)])
    counts, even = found.train, 1 / G
    # Bonferroni: the intervals of all pairs hold at once
    level = 1 - (1 - LEVEL) / counts.size
    shares = {
        (o, g): wilson(int(counts[o, g]), int(counts[o].sum()), level)
        for o in range(len(counts))
        for g in range(G)
    }
    o, g = max(shares, key=lambda pair: (shares[pair].ends[0], shares[pair].value))
    lean = shares[o, g] - even
    sure = lean.ends[0] > 0
    each = found.leans.sum(axis=0)
    toward = [f"{int(k):,} lean towards {name}" for name, k in zip(found.groups, each, strict=True) if k]
    one, group = found.objects[o], found.groups[g]
    more = {"objects": Estimate(len(found.objects))}
    for name, k in zip(found.groups, each, strict=True):
        more[unique(f"toward.{slug(name)}", more)] = Estimate(int(k))
    finding = Finding(
        "training",
        f"Of {len(found.objects):,} values of {what} {listed(toward) or 'none leans'} in training. "
        f"Most surely {one}: {100 * shares[o, g].value:.0f} of 100 are {group}, where "
        f"{100 * even:.0f} would be no leaning (share {told(shares[o, g])}, {100 * LEVEL:.0f}% for all "
        f"{counts.size:,} pairs at once)." + ("" if sure else " The data are compatible with no leaning."),
        "finding" if sure else "no finding",
        limits + _left_out(small, minimum, what),
        f"share of {group} with {one}, less 1 / {G}",
        lean,
        int(counts.sum()),
        more,
        "training",
    )
    first = found.groups[0]
    estimates: list[tuple[str, int, Estimate | None]] = [
        (name, int(row.sum()), wilson(int(row[0]), int(row.sum())))
        for name, row in zip(found.objects, counts, strict=True)
    ]
    figure = rows(estimates, f"share of {first}", even, shares=True)
    caption = f"The values of {what} with most rows. Dotted: no leaning, 1 / {G}. Intervals 95%, Wilson."
    return Section("training", title, "data", [finding], [Plot("training", title, figure, caption)])


def amplification(tables: Tables, found: Leanings, small: list[str], minimum: int, margin: float) -> Section:
    """Whether predictions lean further than training did; Zhao et al. 2017."""
    what = tables.names[OBJECT]
    title = "Do the predictions lean further than training?"
    limits = f"{WHY} {BARELY}{_left_out(small, minimum, what)}"
    if not found.leans.any():
        none = [
            _withheld(name, "how much further", what, minimum, limits)
            for name in ("amplification", "amplification.object", "violations")
        ]
        return Section("amplification", title, "predictions", none, notes=[READINGS])
    toward = [g for g in range(len(found.groups)) if found.leans[:, g].any()][:GROUPS]
    findings, names = [_mean(found, limits, what)], ["amplification.object"]
    for g in toward:
        names.append(unique(f"amplification.toward.{slug(found.groups[g])}", names))
        findings.append(_toward(found, g, names[-1], limits, what))
    findings += [_object(found, what), _violations(found, margin, what)]
    two = len(found.groups) == 2
    caption = (
        f"A point for each {what}{'' if two else ' and group'}; above the line a share is larger in the "
        f"predictions than in training. Dotted: {amount(margin)} away; orange: further away."
    )
    plot = Plot("leaning", title, scatter(found, margin), caption)
    return Section(
        "amplification", title, "predictions", findings, [plot], [_table(found, margin, what)], [READINGS]
    )


def _mean(found: Leanings, limits: str, what: str) -> Finding:
    e, size = found.amplification(), len(found.objects)
    k = found.amplified()
    further = e.ends[0] > 0
    more = {"amplified": Estimate(k), "objects": Estimate(size), "share-amplified": Estimate(k / size)}
    return Finding(
        "amplification",
        f"Where training leans towards a group, the predictions lean {away(e)} on average over "
        f"{size:,} values of {what}; {k:,} of them lean further."
        + ("" if further else " The data are compatible with no amplification."),
        "finding" if further else "no finding",
        limits,
        "mean amplification, predicted less training share",
        e,
        int(found.pred.sum()),
        more,
        "leaning",
    )


def _toward(found: Leanings, g: int, name: str, limits: str, what: str) -> Finding:
    e, group, size = found.amplification(g), found.groups[g], len(found.objects)
    leaning, k = int(found.leans[:, g].sum()), found.amplified(g)
    further = e.ends[0] > 0
    more = {"amplified": Estimate(k), "objects": Estimate(leaning), "share-of-all": Estimate(k / size)}
    return Finding(
        name,
        f"{leaning:,} of {size:,} values of {what} lean towards {group} in training; {k:,} of all {size:,} "
        f"({100 * k / size:.2f}%) do and lean further in the predictions. Those {leaning:,} lean {away(e)} "
        "on average." + ("" if further else " The data are compatible with no amplification."),
        "finding" if further else "no finding",
        limits,
        f"mean amplification of what leans towards {group} in training",
        e,
        int(found.pred[found.leans[:, g]].sum()),
        more,
        "leaning",
    )


def _object(found: Leanings, what: str) -> Finding:
    """The object that most surely leans further."""
    leaning = [int(o) for o in np.flatnonzero(found.leans.any(axis=1))]
    # Bonferroni: the intervals of all objects hold at once
    level = 1 - (1 - LEVEL) / len(leaning)
    moved = {o: found.further(o, found.leans[o], level) for o in leaning}
    o = max(moved, key=lambda one: (moved[one].ends[0], moved[one].value))
    groups = found.leans[o]
    train, pred = (float(b[o][groups].sum()) for b in (found.bias(), found.bias(True)))
    names = listed([name for name, lean in zip(found.groups, groups, strict=True) if lean], "or")
    e = moved[o]
    sure = e.ends[0] > 0
    return Finding(
        "amplification.object",
        f"With {found.objects[o]}, of 100 in training {100 * train:.0f} are {names}, of 100 in the "
        f"predictions {100 * pred:.0f} (difference {told(e)}, {100 * LEVEL:.0f}% for all {len(leaning):,} at "
        "once)."
        + ("" if sure else " With none of them do the predictions surely lean further than training."),
        "finding" if sure else "no finding",
        f"Anything about other values of {what}; this one leans further most surely. {WHY}",
        f"share of {names} with {found.objects[o]}, predicted less training",
        e,
        int(found.pred[o].sum()),
        {"training": Estimate(train), "predicted": Estimate(pred)},
        "leaning",
    )


def _violations(found: Leanings, margin: float, what: str) -> Finding:
    off, size, G = found.violations(margin), len(found.objects), len(found.groups)
    # Bonferroni over objects and groups; two groups mirror each other
    level = 1 - (1 - LEVEL) / (size * (G if G > 2 else 1))
    sure = 0
    for o in np.flatnonzero(off):
        ends = [found.further(int(o), np.arange(G) == g, level).ends for g in range(G)]
        sure += any(low > margin or high < -margin for low, high in ends)
    k = int(off.sum())
    return Finding(
        "violations",
        f"With {k:,} of {size:,} values of {what} a group's share differs by more than {amount(margin)} "
        f"between training and predictions; with {sure:,} of them chance alone cannot be why.",
        "finding" if sure else "no finding",
        f"Which way: towards and away from the leaning count alike. Why {amount(margin)} and not another "
        "margin. With few rows, shares differ that much by chance.",
        f"values of {what} that are off by more than {amount(margin)}",
        Estimate(k),
        int(found.pred.sum()),
        {"objects": Estimate(size), "share": Estimate(k / size), "sure": Estimate(sure)},
        "leaning",
    )


def away(e: Estimate) -> str:
    """How much further or less something leans."""
    return f"{amount(abs(e.value))} {'further' if e.value >= 0 else 'less'} ({interval(e)})"


def _withheld(name: str, words: str, what: str, minimum: int, limits: str) -> Finding:
    sentence = (
        f"{words[0].upper()}{words[1:]}: withheld, no {what} that leans has {minimum} rows in both tables."
    )
    return Finding(name, sentence, "withheld", limits, words)


def _left_out(small: list[str], minimum: int, what: str) -> str:
    if not small:
        return ""
    return (
        f" Nothing about values of {what} with fewer than {minimum} rows in training or in the predictions: "
        f"{some(small)}."
    )


def _table(found: Leanings, margin: float, what: str) -> Table:
    train, pred = found.bias(), found.bias(True)
    order = np.argsort(-np.abs(pred - train).max(axis=1), kind="stable")[:SHOWN]
    cells = []
    for o in order:
        # the group whose share in training is the largest
        g = int(found.train[o].argmax())
        e = found.further(int(o), np.arange(len(found.groups)) == g)
        cells.append(
            [
                found.objects[o],
                found.groups[g],
                f"{int(found.train[o].sum()):,}",
                f"{int(found.pred[o].sum()):,}",
                f"{100 * train[o, g]:.1f}%",
                f"{100 * pred[o, g]:.1f}%",
                f"{100 * e.value:.1f} ({100 * e.ends[0]:.1f} to {100 * e.ends[1]:.1f})",
            ]
        )
    head = [what, "most in training", "training", "predictions", "share in training", "predicted"]
    note = "Intervals 95%, Newcombe, each on its own; differences in percentage points."
    if len(order) < len(found.objects):
        note += f" The {len(order)} of {len(found.objects):,} that differ most."
    return Table(f"Shares by {what}", [*head, "difference"], cells, note)


def scatter(found: Leanings, margin: float) -> Figure:
    """Shares in the predictions against those in training; of two groups those of the first."""
    train, pred, two = found.bias(), found.bias(True), len(found.groups) == 2
    with style():
        figure, axes = single(WIDTH, 400)
        ends = np.array([0.0, 1.0])
        axes.plot(ends, ends, color=INK, linewidth=1)
        for side in (-margin, margin):
            axes.plot(ends, ends + side, color=MUTED, linewidth=1, linestyle=":")
        marks: list[Line2D] = []
        for g in range(1 if two else len(found.groups)):
            off = np.abs(pred[:, g] - train[:, g]) > margin
            colours = [ORANGE if far else BLUE for far in off]
            edge = "white" if two else CLASS_COLOURS[g % len(CLASS_COLOURS)]
            marker = "os^Dv*pXhP"[g % 10]
            axes.scatter(
                train[:, g], pred[:, g], 34, colours, marker=marker, edgecolors=edge, linewidths=0.8, zorder=2
            )
            marks.append(
                Line2D([], [], color=edge, marker=marker, linestyle="", label=shortened(found.groups[g]))
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        name = f" of {shortened(found.groups[0])}" if two else ""
        axes.set_xlabel(f"share{name} in training")
        axes.set_ylabel(f"share{name} in the predictions")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid()
        if not two:
            figure.legend(handles=marks, loc="outside upper left", ncols=3, handlelength=1)
    return figure
