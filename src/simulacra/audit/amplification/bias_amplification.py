"""Whether predictions are more biased towards a group than the training data: Zhao et al. 2017."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from simulacra.audit.amplification.tables import GROUP, OBJECT, Tables, most_common
from simulacra.audit.shared.figures import WIDTH, rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude, slug
from simulacra.audit.shared.intervals import combined, newcombe, wilson
from simulacra.audit.shared.phrasing import amount, at_once, format_estimate, interval, join_words, shorten
from simulacra.audit.shared.rates import keyed, unique
from simulacra.report.figures import BLUE, CLASS_COLOURS, INK, MUTED, ORANGE, shortened, single, style

K = TypeVar("K", bound=Hashable)

NOT_AMPLIFIED = "The data are compatible with no amplification."
# groups with a finding of their own
GROUPS = 5
# objects in the table
SHOWN = 60
READINGS = (
    "Published figures mix two definitions, so both are reported. The mean counts every object with the "
    "group it is biased towards in training; the percentages of Zhao et al. 2017 count only objects that are "
    "biased towards one group (man), out of all. For COCO their text gives 0.036 and 65.67%. The results "
    "they released give 0.031743 and 49 of 66 objects whose bias is amplified, towards either group; 44 of "
    "them are biased towards man, and 44 of 67, one object more than was released, is 65.67%. A mean of "
    "0.036 does not follow from these results: over all objects it is 0.031743, as their own notebook "
    "prints, over those that are biased towards man 0.0391. For imSitu the text's 45.75% is 97 of 212 verbs; "
    "towards either group, 147 are amplified, by 0.050223."
)
BY_CHANCE = (
    "An object with a small bias in training has it partly by chance, and would have less in any other rows: "
    "a decrease is therefore never reported as a finding."
)
WHY = (
    "Why: fewer examples, another mix of rows, or what the model does when it is uncertain. Whether training "
    "is right."
)


@dataclass(frozen=True)
class Bias:
    """Counts c(o, g) of objects (rows) and groups (columns) in training and predictions, `(O, G)` each.

    Attributes:
        objects, groups: their names.
        train, pred: counts.
        small: names and counts of the objects that are left out, since they have too few rows.

    >>> both = Bias(("cook",), ("f", "m"), np.array([[67, 33]]), np.array([[84, 16]]))
    >>> both.share().tolist(), round(both.amplification().value, 2), both.amplified()
    ([[0.67, 0.33]], 0.17, 1)
    """

    objects: tuple[str, ...]
    groups: tuple[str, ...]
    train: np.ndarray
    pred: np.ndarray
    small: tuple[str, ...] = ()

    def share(self, predicted: bool = False) -> np.ndarray:
        """b(o, g) = c(o, g) / sum_g' c(o, g'), `(O, G)`; Zhao et al. 2017, section 3."""
        counts = self.pred if predicted else self.train
        return counts / counts.sum(axis=1, keepdims=True)

    def biased(self, toward: int | None = None) -> np.ndarray:
        """Whether b*(o, g) > 1 / |G| in training, `(O, G)`; all False but for one group where it is given."""
        # counts are integers: an exact tie is not biased
        biased = self.train * len(self.groups) > self.train.sum(axis=1, keepdims=True)
        return biased if toward is None else biased & (np.arange(len(self.groups)) == toward)

    def difference(self, o: int, groups: np.ndarray, level: float = LEVEL) -> Estimate:
        """b~ - b* of an object, summed over groups, bool `(G,)`; Newcombe's interval."""
        k, k_train = self.pred[o][groups].sum(), self.train[o][groups].sum()
        return newcombe(int(k), int(self.pred[o].sum()), int(k_train), int(self.train[o].sum()), level)

    def amplification(self, toward: int | None = None) -> Estimate:
        """Mean amplification over all objects, or over those that are biased towards one group.

        1 / |O| sum_g sum_{o: b*(o, g) > 1 / |G|} b~(o, g) - b*(o, g); an object without bias adds nothing,
        and counts in |O| (Zhao et al. 2017, section 3). All groups that one object is biased towards are
        counted as one share, so that objects are independent of each other.

        Raises:
            ValueError: no object is biased towards the group.
        """
        biased = self.biased(toward)
        objects = np.flatnonzero(biased.any(axis=1))
        size = len(self.objects) if toward is None else len(objects)
        if size == 0:
            raise ValueError("no object is biased towards the group")
        return combined([(1 / size, self.difference(int(o), biased[o])) for o in objects])

    def amplified(self, toward: int | None = None) -> int:
        """How many objects are more biased in the predictions, of all or of those biased towards a group."""
        biased = self.biased(toward)
        # shares compared without dividing: k~ n* > k* n~
        said, seen = (self.pred * biased).sum(axis=1), (self.train * biased).sum(axis=1)
        return int((said * self.train.sum(axis=1) > seen * self.pred.sum(axis=1)).sum())

    def violations(self, margin: float) -> np.ndarray:
        """Whether |b~(o, g) - b*(o, g)| is above the margin for any group, bool `(O,)`."""
        # without tolerance: of the 107 verbs that Zhao et al. count, one lies on the margin, and rounds above
        return np.asarray(np.abs(self.share(True) - self.share()).max(axis=1) > margin)


def count(tables: Tables, minimum: int) -> Bias:
    """The objects with at least `minimum` rows in both tables, those with most rows in training first."""
    train, pred = (
        frame.pivot_table(index=OBJECT, columns=GROUP, values="n", aggfunc="sum", fill_value=0).reindex(
            index=most_common(tables.train, OBJECT), columns=tables.groups, fill_value=0
        )
        for frame in (tables.train, tables.preds)
    )
    n_train, n_pred = train.sum(axis=1), pred.sum(axis=1)
    kept = (n_train >= minimum) & (n_pred >= minimum)
    small = [f"{o} ({int(n_train[o]):,} and {int(n_pred[o]):,})" for o in train.index[~kept]]
    counts = [table[kept].to_numpy().astype(np.int64) for table in (train, pred)]
    return Bias(tuple(map(str, train.index[kept])), tables.groups, counts[0], counts[1], tuple(small))


def training(tables: Tables, bias: Bias, minimum: int) -> Section:
    """Which group each object goes with in training."""
    c, G, what = bias.train, len(bias.groups), tables.names[OBJECT]
    limits = "Whether it is so in the world: who was asked, watched or photographed decides too."
    limits += _left_out(bias, minimum, what)
    title = f"Which {tables.names[GROUP]} goes with which {what} in training?"
    if not bias.objects:
        return Section("training", title, "data", [_withheld("training", "bias", what, minimum, limits)])
    # Bonferroni: the intervals of all pairs hold at once
    level = 1 - (1 - LEVEL) / c.size
    shares = {(o, g): wilson(int(k), int(c[o].sum()), level) for (o, g), k in np.ndenumerate(c)}
    o, g = most_certain(shares)
    excess = shares[o, g] - 1 / G
    toward = list(zip(bias.groups, bias.biased().sum(axis=0), strict=True))
    each = join_words([f"{k:,} are biased towards {name}" for name, k in toward if k]) or "none is biased"
    sentence = (
        f"Of {len(bias.objects):,} values of {what}, {each} in training. The most certain: of 100 rows with "
        f"{bias.objects[o]}, {100 * shares[o, g].value:.0f} have {bias.groups[g]}; without bias it would be "
        f"{100 / G:.0f} (share {format_estimate(shares[o, g])}{at_once(c.size, 'pairs')})."
    )
    no_bias = "The data are compatible with no bias."
    share = f"share of {bias.groups[g]} with {bias.objects[o]}, less 1 / {G}"
    more = {"objects": Estimate(len(bias.objects))}
    more = keyed("toward", ((name, Estimate(k)) for name, k in toward), more)
    sure, n = excess.ends[0] > 0, int(c.sum())
    finding = conclude(sure, no_bias, "training", sentence, limits, share, excess, n, more, "training")
    n_rows = c.sum(axis=1)
    drawn = [
        (one, int(n), wilson(int(k), int(n))) for one, k, n in zip(bias.objects, c[:, 0], n_rows, strict=True)
    ]
    figure = rows(drawn, f"share of {bias.groups[0]}", 1 / G, shares=True)
    caption = f"The values of {what} with most rows. Dotted: no bias, 1 / {G}. Intervals 95%, Wilson."
    return Section("training", title, "data", [finding], [Plot("training", title, figure, caption)])


def amplification(tables: Tables, bias: Bias, minimum: int, margin: float) -> Section:
    """Whether bias is larger in the predictions than in training."""
    what = tables.names[OBJECT]
    title = "Do the predictions amplify the bias of training?"
    limits = f"{WHY} {BY_CHANCE}{_left_out(bias, minimum, what)}"
    if not bias.biased().any():
        findings = [
            _withheld(name, "amplification", what, minimum, limits)
            for name in ("amplification", "amplification.object", "violations")
        ]
        return Section("amplification", title, "predictions", findings, notes=[READINGS])
    findings, names = [_mean(bias, limits, what)], ["amplification.object"]
    for g in np.flatnonzero(bias.biased().any(axis=0))[:GROUPS]:
        names.append(unique(f"amplification.toward.{slug(bias.groups[g])}", names))
        findings.append(_toward(bias, int(g), names[-1], limits, what))
    findings += [_object(bias, what), _violations(bias, margin, what)]
    caption = (
        f"A point for each {what}{'' if len(bias.groups) == 2 else ' and group'}; above the line a share is "
        f"larger in the predictions than in training. Dotted: {amount(margin)} away; orange: further away."
    )
    plot = Plot("leaning", title, scatter(bias, margin), caption)
    return Section("amplification", title, "predictions", findings, [plot], [_table(bias, what)], [READINGS])


def _mean(bias: Bias, limits: str, what: str) -> Finding:
    e, size, k = bias.amplification(), len(bias.objects), bias.amplified()
    sentence = (
        f"On average over {size:,} values of {what}, bias is {format_change(e)} in the predictions than in "
        f"training; it is higher for {k:,} of them."
    )
    number, n = "mean amplification, predicted less training share", int(bias.pred.sum())
    more = {"amplified": Estimate(k), "objects": Estimate(size), "share-amplified": Estimate(k / size)}
    return conclude(
        e.ends[0] > 0, NOT_AMPLIFIED, "amplification", sentence, limits, number, e, n, more, "leaning"
    )


def _toward(bias: Bias, g: int, name: str, limits: str, what: str) -> Finding:
    e, group, size, k = bias.amplification(g), bias.groups[g], len(bias.objects), bias.amplified(g)
    biased = bias.biased(g).any(axis=1)
    sentence = (
        f"{biased.sum():,} of {size:,} values of {what} are biased towards {group} in training; on average "
        f"their bias is {format_change(e)} in the predictions. It is higher for {k:,}, "
        f"{100 * k / size:.2f}% of all {size:,}."
    )
    number = f"mean amplification of what is biased towards {group} in training"
    more = {"amplified": Estimate(k), "objects": Estimate(biased.sum()), "share-of-all": Estimate(k / size)}
    n = int(bias.pred[biased].sum())
    return conclude(e.ends[0] > 0, NOT_AMPLIFIED, name, sentence, limits, number, e, n, more, "leaning")


def _object(bias: Bias, what: str) -> Finding:
    """The object whose bias is amplified most certainly."""
    biased = bias.biased()
    objects = [int(o) for o in np.flatnonzero(biased.any(axis=1))]
    # Bonferroni: the intervals of all objects hold at once
    level = 1 - (1 - LEVEL) / len(objects)
    changes = {o: bias.difference(o, biased[o], level) for o in objects}
    o = most_certain(changes)
    e, name = changes[o], bias.objects[o]
    train, pred = (float(share[o][biased[o]].sum()) for share in (bias.share(), bias.share(True)))
    groups = join_words([bias.groups[g] for g in np.flatnonzero(biased[o])], "or")
    sentence = (
        f"Of 100 rows with {name}, {100 * train:.0f} have {groups} in training and {100 * pred:.0f} in the "
        f"predictions (difference {format_estimate(e)}{at_once(len(objects), f'values of {what}')})."
    )
    none = f"For no {what} is amplification certain."
    limits = f"Anything about other values of {what}; this one is amplified most certainly. {WHY}"
    number, n = f"share of {groups} with {name}, predicted less training", int(bias.pred[o].sum())
    more = {"training": Estimate(train), "predicted": Estimate(pred)}
    return conclude(
        e.ends[0] > 0, none, "amplification.object", sentence, limits, number, e, n, more, "leaning"
    )


def _violations(bias: Bias, margin: float, what: str) -> Finding:
    off, size, G = bias.violations(margin), len(bias.objects), len(bias.groups)
    # Bonferroni over objects and groups; two groups mirror each other
    level = 1 - (1 - LEVEL) / (size * (G if G > 2 else 1))
    sure = 0
    for o in np.flatnonzero(off):
        ends = [bias.difference(int(o), group, level).ends for group in np.eye(G, dtype=bool)]
        sure += any(low > margin or high < -margin for low, high in ends)
    k, n = int(off.sum()), int(bias.pred.sum())
    sentence = (
        f"For {k:,} of {size:,} values of {what} a group's share differs by more than {amount(margin)} "
        f"between training and predictions; for {sure:,} of them chance alone cannot explain it."
    )
    limits = (
        f"The direction: more and less bias count alike. Why {amount(margin)} and not another margin. With "
        "few rows, shares differ that much by chance."
    )
    number = f"values of {what} that are off by more than {amount(margin)}"
    more = {"objects": Estimate(size), "share": Estimate(k / size), "sure": Estimate(sure)}
    return conclude(sure > 0, "", "violations", sentence, limits, number, Estimate(k), n, more, "leaning")


def most_certain(estimates: Mapping[K, Estimate]) -> K:
    """The key of the number that is most certainly large: the one with the highest lower end."""
    return max(estimates, key=lambda key: (estimates[key].ends[0], estimates[key].value))


def format_change(e: Estimate) -> str:
    """How much higher or lower a bias is, with the interval."""
    return f"{amount(abs(e.value))} {'higher' if e.value >= 0 else 'lower'} ({interval(e)})"


def _withheld(name: str, number: str, what: str, minimum: int, limits: str) -> Finding:
    sentence = f"{number.capitalize()}: withheld, no {what} has {minimum} rows in both tables and a bias."
    return Finding(name, sentence, "withheld", limits, number)


def _left_out(bias: Bias, minimum: int, what: str) -> str:
    left_out = f" Values of {what} with fewer than {minimum} rows in either table are left out: "
    return f"{left_out}{shorten(bias.small)}." if bias.small else ""


def _table(bias: Bias, what: str) -> Table:
    train, pred = bias.share(), bias.share(True)
    order = np.argsort(-np.abs(pred - train).max(axis=1), kind="stable")[:SHOWN]
    cells = []
    for o in map(int, order):
        # the group whose share in training is the largest
        g = int(bias.train[o].argmax())
        e = bias.difference(o, np.arange(len(bias.groups)) == g)
        n = [f"{int(counts[o].sum()):,}" for counts in (bias.train, bias.pred)]
        shares = [f"{100 * share[o, g]:.1f}%" for share in (train, pred)]
        change = f"{100 * e.value:.1f} ({100 * e.ends[0]:.1f} to {100 * e.ends[1]:.1f})"
        cells.append([bias.objects[o], bias.groups[g], *n, *shares, change])
    head = ["most in training", "training", "predictions", "share in training", "predicted", "difference"]
    note = "Intervals 95%, Newcombe, each on its own; differences in percentage points."
    if len(order) < len(bias.objects):
        note += f" The {len(order)} of {len(bias.objects):,} that differ most."
    return Table(f"Shares by {what}", [what, *head], cells, note)


def scatter(bias: Bias, margin: float) -> Figure:
    """Shares in the predictions against those in training; of two groups those of the first."""
    train, pred, two = bias.share(), bias.share(True), len(bias.groups) == 2
    with style():
        figure, axes = single(WIDTH, 400)
        for offset, colour, line in ((0, INK, "-"), (-margin, MUTED, ":"), (margin, MUTED, ":")):
            axes.axline((0, offset), slope=1, color=colour, linewidth=1, linestyle=line)
        marks: list[Line2D] = []
        for g in range(1 if two else len(bias.groups)):
            off = np.abs(pred[:, g] - train[:, g]) > margin
            colours = np.where(off, ORANGE, BLUE).tolist()
            edge = "white" if two else CLASS_COLOURS[g % len(CLASS_COLOURS)]
            marker = "os^Dv*pXhP"[g % 10]
            x, y = train[:, g], pred[:, g]
            axes.scatter(x, y, 34, colours, marker=marker, edgecolors=edge, linewidths=0.8, zorder=2)
            name = shortened(bias.groups[g])
            marks.append(Line2D([], [], color=edge, marker=marker, linestyle="", label=name))
        name = f" of {shortened(bias.groups[0])}" if two else ""
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set(xlabel=f"share{name} in training", ylabel=f"share{name} in the predictions")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid()
        if not two:
            figure.legend(handles=marks, loc="outside upper left", ncols=3, handlelength=1)
    return figure
