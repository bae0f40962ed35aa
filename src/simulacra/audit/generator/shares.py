"""Shares of groups: in the data, among the classifier's errors, and in the samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from matplotlib.figure import Figure

from simulacra.audit.generator.charts import beside, pictures
from simulacra.audit.generator.group_classifier import Grouping
from simulacra.audit.generator.grouped import GroupedGenerator
from simulacra.audit.generator.prevalence import (
    MULTIPLIED,
    WIDEST,
    Prevalence,
    discrepancy_interval,
    quantiles,
)
from simulacra.audit.shared.figures import by_group, rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, conclude
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import (
    NO_DIFFERENCE,
    amount,
    at_once,
    base,
    format_estimate,
    frequency,
    shorten,
)
from simulacra.audit.shared.rates import Rate, compared, keyed

ASSUMPTION = (
    "The correction assumes that the classifier errs on samples as on held-out data of the same group. For "
    "samples unlike the data that may be wrong: the pictures below show its predictions."
)


def data_section(audited: GroupedGenerator) -> Section:
    """How large the groups are in the data."""
    limits = (
        "Who is missing from the data altogether, and how large the groups ought to be: compare with a "
        "reference ('simulacra audit sampling'). Whether the labels are right."
    )
    findings, plots = [], []
    for grouping, key in zip(audited.groupings, audited.keys, strict=True):
        counts, n = grouping.counts(grouping.train), len(grouping.train)
        order = np.argsort(-counts, kind="stable")
        found = [(grouping.groups[g], int(counts[g]), wilson(int(counts[g]), n)) for g in order if counts[g]]
        (largest, _, most), (smallest, _, least) = found[0], found[-1]
        people = base(least.value, most.value)
        sentence = (
            f"Of {people:,} {audited.split_noun}, {frequency(least.value, people)} are in group {smallest}, "
            f"the smallest of {len(found)}, and {frequency(most.value, people)} in {largest}, the largest."
        )
        name, what, more = (
            f"data.{key}",
            "share of the smallest group",
            keyed("group", ((g, e) for g, _, e in found)),
        )
        findings.append(Finding(name, sentence, "stated", limits, what, least, n, more, key))
        caption = f"Shares of {n:,} {audited.split_noun}. Intervals 95%, Wilson's."
        plots.append(Plot(key, grouping.name, rows(found, "share of the data", shares=True), caption))
    return Section("data", "Who is in the data", "data", findings, plots)


def classifier_section(audited: GroupedGenerator) -> Section:
    """How accurate the classifier is for examples whose groups are known."""
    noun, minimum = audited.noun, audited.minimum
    limits = (
        f"How accurate it is on samples, which nobody has labelled. Whether a group can be seen in {noun} at "
        f"all: the labels are what somebody wrote down."
    )
    findings, plots, tables = [], [], []
    for grouping, key in zip(audited.groupings, audited.keys, strict=True):
        confusions = grouping.confusions
        known = np.flatnonzero(confusions.sum(axis=1))
        right = [Rate(grouping.groups[g], int(confusions[g, g]), int(confusions[g].sum())) for g in known]
        what, of, did = "shares classified correctly", f"held-out {noun}", "are classified correctly"
        findings.append(
            compared(
                f"classifier.{key}", right, what=what, of=of, did=did, column="group", does_not_show=limits,
                plot=key, minimum=minimum,
            )
        )  # fmt: skip
        caption = (
            f"{grouping.classifier}: accuracy on held-out {noun} of each group. Intervals 95%, Wilson's."
        )
        figure = by_group(right, "share classified correctly", minimum)
        plots.append(Plot(key, grouping.name, figure, caption))
        columns = np.flatnonzero(confusions.sum(axis=0) + confusions.sum(axis=1))
        cells = [[grouping.groups[g], *(f"{confusions[g, k]:,}" for k in columns)] for g in known]
        head = [grouping.name, *(grouping.groups[k] for k in columns)]
        note = f"Rows: the group of held-out {noun}. Columns: the predicted group."
        tables.append(Table(f"Predictions: {grouping.name}", head, cells, note))
    note = (
        "A classifier that errs makes small groups look larger than they are. The predicted shares of the "
        "samples are therefore corrected by its errors on held-out data, with the uncertainty of those."
    )
    title = "How accurate the classifier is"
    return Section("classifier", title, "predictions", findings, plots, tables, [note])


def shares_section(audited: GroupedGenerator, i: int) -> Section:
    """Shares of groups in the samples against those in the data, and their distances from equal shares."""
    grouping, key, predicted = audited.groupings[i], audited.keys[i], audited.predicted[i]
    title = f"Who is generated: {grouping.name}"
    kept, limits = grouping.large(audited.minimum), ASSUMPTION
    counts = grouping.counts(grouping.train) + grouping.counts(grouping.held_out)
    if small := [f"{grouping.groups[g]} ({n:,})" for g, n in enumerate(counts) if n and g not in kept]:
        limits += (
            f" Nothing about groups with fewer than {audited.minimum} held-out {audited.noun} (with "
            f"training: {shorten(small)}): samples of them are counted among the others."
        )
    plots: list[Plot] = []
    tables: list[Table] = []
    if audited.image:
        caption = "The first samples of each group, not selected."
        figure = pictures(grouping.groups, predicted, audited.samples)
        plots.append(Plot("read", "Samples, by predicted group", figure, caption, paper=True))
    why = ""
    if len(kept) < 2:
        why = f"fewer than two groups have {audited.minimum} held-out {audited.noun}"
    else:
        of = audited.prevalence(i, predicted)
        why = useless(of, [grouping.groups[g] for g in kept], audited.noun)
    if why:
        sentence = f"{grouping.name} in the samples: withheld, {why}."
        names = {"share": "difference of shares", "amplification": "how much further from even"}
        findings = [Finding(f"{n}.{key}", sentence, "withheld", limits, what) for n, what in names.items()]
    else:
        compare = Comparison(grouping, kept, of)
        findings = [compare.share(key, audited.noun, limits), compare.amplification(key, limits)]
        caption = (
            f"{compare.n:,} {audited.split_noun} and {of.n:,} samples. Intervals 95%: Wilson's; those of the "
            "samples with the uncertainty of the correction."
        )
        plots.insert(0, Plot("shares", grouping.name, compare.figure(), caption))
        tables.append(compare.table())
    return Section(f"shares-{key}", title, "generator", findings, plots, tables)


def useless(of: Prevalence, groups: Sequence[str], noun: str) -> str:
    """Why the classifier carries no share of the samples, and what it would need; empty where it does."""
    if not of.identifiable:
        return "the classifier predicts the same for some groups; give a better one with --classifier"
    if of.weak:
        G, K = of.confusions.shape
        known = of.confusions[:, :G] if G == K else of.confusions
        right = float((known.max(axis=1) if G < K else np.diag(known)) @ (1 / of.confusions.sum(axis=1))) / G
        # errors alike in all groups: accuracy a multiplies by 1 / (a - (1 - a) / (G - 1))
        needed = ((G - 1) / MULTIPLIED + 1) / G
        worst = int(of.multiplied.argmax())
        return (
            f"the classifier is right about {100 * right:.0f} of 100 held-out {noun}, on average over "
            "groups; the correction multiplies an error of its predictions by "
            f"{amount(float(of.multiplied[worst]))} in the share of {groups[worst]} (at most "
            f"{MULTIPLIED:g}). It would need to be right about {np.ceil(100 * needed):.0f} of 100 or more, "
            "with errors alike in all groups: give a better one with --classifier"
        )
    if (width := of.width()) > WIDEST:
        n = int(of.confusions.sum())
        # the width goes with 1 / sqrt(n)
        needed = int(float(f"{n * (width / WIDEST) ** 2:.2g}"))
        return (
            f"the interval of a share is {amount(width)} wide after the correction of the classifier's "
            f"errors (at most {WIDEST:g}). It would need about {needed:,} labelled held-out {noun} instead "
            f"of {n:,}, or a better classifier (--classifier)"
        )
    return ""


class Comparison:
    """Shares of groups in the data and in the samples.

    Args:
        grouping: the groups.
        kept: the groups that are compared.
        of: their prevalence in the samples.
    """

    def __init__(self, grouping: Grouping, kept: Sequence[int], of: Prevalence) -> None:
        self.kept, self.of, self.name = kept, of, grouping.name
        self.groups = [grouping.groups[g] for g in kept]
        self.k = grouping.counts(grouping.train)[list(kept)]
        self.n = int(self.k.sum())
        # Bonferroni: the intervals of all groups hold at once; with two groups one mirrors the other
        self.level = 1 - (1 - LEVEL) / (len(kept) if len(kept) > 2 else 1)

    def data(self, j: int, level: float = LEVEL) -> Estimate:
        """The share of a group in the data, out of the groups compared."""
        return wilson(int(self.k[j]), self.n, level)

    def uncorrected(self, j: int) -> Estimate:
        """The share of samples predicted as a group."""
        return wilson(int(self.of.predicted[self.kept[j]]), self.of.n)

    def difference(self, j: int, level: float = LEVEL) -> Estimate:
        """Samples less data; Zou and Donner's interval."""
        return combined([(1, self.of.estimate(j, level)), (-1, self.data(j, level))])

    def ratio(self, j: int) -> Estimate | None:
        """Samples over data; None where the data have none."""
        if self.k[j] == 0:
            return None
        # Jeffreys' posterior of the share in the data
        drawn = np.random.default_rng([self.of.seed, 0, 0]).beta(
            self.k[j] + 0.5, self.n - self.k[j] + 0.5, len(self.of.draws)
        )
        value = float(self.of.shares[j]) * self.n / int(self.k[j])
        return quantiles(value, self.of.draws[:, j] / drawn, within=(0.0, np.inf))

    def share(self, key: str, noun: str, limits: str) -> Finding:
        """The group whose share differs most certainly; of two groups the smaller one."""
        G = len(self.kept)
        differences = [self.difference(j, self.level) for j in range(G)]
        j = int(self.k.argmin())
        if G > 2:
            j = max(range(G), key=lambda g: (differences[g].clearance, abs(differences[g].value)))
        d = differences[j]
        e, p, raw, r = self.data(j), self.of.estimate(j), self.uncorrected(j), self.ratio(j)
        people = base(round(e.value, 4), round(p.value, 4))
        together = at_once(G) if G > 2 else ""
        more = {"samples": p, "data": e, "read": raw} | ({"ratio": r} if r is not None else {})
        ratio = f", ratio {format_estimate(r)}" if r is not None else ""
        sentence = (
            f"Of {people:,} {noun} in the data, {frequency(e.value, people)} are in group {self.groups[j]}; "
            f"of {people:,} samples, {frequency(p.value, people)} ({frequency(raw.value, people)} before the "
            f"correction): difference {format_estimate(d)}{together}{ratio}."
        )
        more = keyed("group", ((group, self.of.estimate(g)) for g, group in enumerate(self.groups)), more)
        name, what = f"share.{key}", "share of the samples less share of the data"
        return conclude(
            not d.holds(0), NO_DIFFERENCE, name, sentence, limits, what, d, self.of.n, more, "shares"
        )

    def amplification(self, key: str, limits: str) -> Finding:
        """Whether shares are further from equal ones than in the data."""
        G = len(self.kept)
        samples = discrepancy_interval([self.of.estimate(j, self.level) for j in range(G)])
        data = discrepancy_interval([self.data(j, self.level) for j in range(G)])
        d = combined([(1, samples), (-1, data)])
        most = sqrt(1 - 1 / G)
        if d.holds(0):
            meaning = "The data are compatible with the same distance."
        else:
            meaning = f"The samples are {'further from' if d.value > 0 else 'closer to'} equal shares."
        if none := [group for j, group in enumerate(self.groups) if self.of.shares[j] * self.of.n < 0.5]:
            meaning += f" After the correction no sample is left in {shorten(none)}."
        sentence = (
            f"The distance of the shares of the {G} groups from equal ones (0 equal, {amount(most)} all in "
            f"one group) is {format_estimate(data)} in the data and {format_estimate(samples)} in the "
            f"samples: difference {format_estimate(d)}. {meaning}"
        )
        limits += " That equal shares are the right ones: the data may be unequal because people are."
        name, what = f"amplification.{key}", "distance from even shares, samples less data"
        more = {"data": data, "samples": samples, "most": Estimate(most)}
        return conclude(not d.holds(0), "", name, sentence, limits, what, d, self.of.n, more, "shares")

    def figure(self) -> Figure:
        """All groups: data, samples, and samples before the correction."""
        G = range(len(self.kept))
        before = [self.uncorrected(j).value for j in G]
        return beside(self.groups, [self.data(j) for j in G], [self.of.estimate(j) for j in G], before)

    def table(self) -> Table:
        """All groups."""
        order = np.argsort(-self.k, kind="stable")
        estimates = [(self.data(j), self.uncorrected(j), self.of.estimate(j)) for j in order]
        cells = [
            [
                self.groups[j],
                _percent(e),
                f"{100 * raw.value:.1f}%",
                _percent(p),
                format_estimate(self.difference(j)),
            ]
            for j, (e, raw, p) in zip(order, estimates, strict=True)
        ]
        head = [self.name, "data", "samples, as predicted", "samples, corrected", "difference"]
        note = "Intervals are not adjusted for several groups. Shares are of the groups in this table."
        return Table(f"Data and samples by {self.name}", head, cells, note)


def _percent(e: Estimate) -> str:
    low, high = e.ends
    return f"{100 * e.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
