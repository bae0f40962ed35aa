"""What `generator` looks at, and what it finds of shares: in the data, of the classifier, in samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np

from simulacra.audit.generator.charts import beside, pictures
from simulacra.audit.generator.group_classifier import Axis
from simulacra.audit.generator.unmixing import Unmixed, apart, quantiles
from simulacra.audit.shared.figures import by_group, rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, some, told
from simulacra.audit.shared.rates import Rate, compared, unique
from simulacra.core.batch import to_bytes
from simulacra.core.noise import Noise
from simulacra.data.spec import Data
from simulacra.metrics.features import Extractor
from simulacra.metrics.statistics import as_examples

# samples drawn at a time
AT_ONCE = 500
READ = (
    "The correction takes it that the classifier errs on samples as on held-out data of the same group. On "
    "samples that look unlike the data it need not: the pictures below show what it reads."
)


@dataclass(frozen=True)
class Looked:
    """A generator and its data, put in groups.

    Attributes:
        model: that samples.
        data: its splits.
        split: whose shares are those of the data.
        axes: ways to put examples in groups; `keys`: what findings about each are called.
        samples: as the data are stored, `(n, ...)`.
        reads: what they are read as along every axis.
        extractor: of the features that are compared.
        minimum: examples that a number of a group needs.
        seed: of all noise.
    """

    model: Any
    data: Data
    split: str
    axes: Sequence[Axis]
    samples: np.ndarray
    reads: Sequence[np.ndarray]
    extractor: Extractor
    minimum: int
    seed: int

    @property
    def noun(self) -> str:
        """What examples are called."""
        return "pictures" if self.data.spec.kind == "image" else "examples"

    @property
    def seen(self) -> str:
        """What the examples are called whose shares are those of the data."""
        return f"{'training' if self.split == 'train' else self.split} {self.noun}"

    @cached_property
    def keys(self) -> list[str]:
        # truncation.coverage is taken
        keys = ["coverage"]
        for axis in self.axes:
            keys.append(unique(slug(axis.name), keys))
        return keys[1:]

    @cached_property
    def held(self) -> np.ndarray:
        """Held-out examples: validation and test, in the order of `Axis.held`."""
        return np.concatenate([self.data.validation.x, self.data.test.x])


def draw(model: Any, n: int, seed: int, truncation: float = 1.0) -> np.ndarray:
    """Samples as the data are stored: images as uint8.

    Raises:
        DataError: some are not finite.
    """
    image = model.spec.kind == "image"
    parts = []
    for start in range(0, n, AT_ONCE):
        x = model.sample(min(AT_ONCE, n - start), Noise(seed, start), truncation=truncation)
        parts.append(as_examples(x) if bool(x.isnan().any()) or not image else to_bytes(x))
    return np.concatenate(parts)


def unmixed(axis: Axis, kept: Sequence[int], read: np.ndarray, seed: int, stream: int = 1) -> Unmixed:
    """The shares of the groups that are kept behind what samples are read as."""
    return Unmixed(axis.confusions[list(kept)], axis.counts(read), seed, stream)


def in_data(looked: Looked) -> Section:
    """How large the groups are in the data."""
    limits = (
        "Who is missing from the data altogether, and how large the groups ought to be: hold them against a "
        "reference ('simulacra audit sampling'). Whether the labels are right."
    )
    findings, plots = [], []
    for axis, key in zip(looked.axes, looked.keys, strict=True):
        counts = axis.counts(axis.train)
        there = [int(g) for g in np.argsort(-counts, kind="stable") if counts[g]]
        n, least, most = len(axis.train), there[-1], there[0]
        more: dict[str, Estimate] = {}
        for g in there:
            more[unique(f"group.{slug(axis.groups[g])}", more)] = wilson(int(counts[g]), n)
        share = wilson(int(counts[least]), n)
        people = base(share.value, counts[most] / n)
        findings.append(
            Finding(
                f"data.{key}",
                f"Of {people:,} {looked.seen} {frequency(share.value, people)} are in group "
                f"{axis.groups[least]}, the smallest of {len(there)}, and "
                f"{frequency(counts[most] / n, people)} in {axis.groups[most]}, the largest.",
                "stated",
                limits,
                "share of the smallest group",
                share,
                n,
                more,
                key,
            )
        )
        drawn: list[tuple[str, int, Estimate | None]] = [
            (axis.groups[g], int(counts[g]), wilson(int(counts[g]), n)) for g in there
        ]
        caption = f"Shares of {n:,} {looked.seen}. Intervals 95%, Wilson's."
        plots.append(Plot(key, axis.name, rows(drawn, "share of the data", shares=True), caption))
    return Section("data", "Who is in the data", "data", findings, plots)


def classifier(looked: Looked) -> Section:
    """How well groups are told apart where they are known."""
    limits = (
        "How it reads samples, which nobody has labelled. Whether a group is something that can be seen in a "
        f"{looked.noun.removesuffix('s')} at all: the labels are what somebody wrote down."
    )
    findings, plots, tables = [], [], []
    for axis, key in zip(looked.axes, looked.keys, strict=True):
        confusions, there = axis.confusions, np.flatnonzero(axis.counts(axis.held))
        right = [Rate(axis.groups[g], int(confusions[g, g]), int(confusions[g].sum())) for g in there]
        findings.append(
            compared(
                f"classifier.{key}",
                right,
                what="shares read rightly",
                of=f"held-out {looked.noun}",
                did="are read rightly",
                column="group",
                does_not_show=limits,
                plot=key,
                minimum=looked.minimum,
            )
        )
        caption = (
            f"{axis.by}: read rightly, of held-out {looked.noun} of each group. Intervals 95%, Wilson's."
        )
        plots.append(Plot(key, axis.name, by_group(right, "share read rightly", looked.minimum), caption))
        columns = np.flatnonzero(confusions.sum(axis=0) + axis.counts(axis.held))
        cells = [[axis.groups[g], *(f"{confusions[g, k]:,}" for k in columns)] for g in there]
        head = [axis.name, *(axis.groups[k] for k in columns)]
        note = f"Rows: the group of held-out {looked.noun}. Columns: what they are read as."
        tables.append(Table(f"Read as: {axis.name}", head, cells, note))
    notes = [
        "A classifier that errs makes small groups look larger than they are. What it reads of the samples "
        "is therefore corrected by how it errs on held-out data, with how sure that is."
    ]
    return Section(
        "classifier", "How well groups are told apart", "predictions", findings, plots, tables, notes
    )


def shares(looked: Looked, i: int) -> Section:
    """The groups in the samples against those in the data, and whether they are further from even."""
    axis, key, read = looked.axes[i], looked.keys[i], looked.reads[i]
    title = f"Who is generated: {axis.name}"
    kept = axis.kept(looked.minimum)
    limits = READ
    counts = axis.counts(axis.train) + axis.counts(axis.held)
    small = [f"{axis.groups[g]} ({n:,})" for g, n in enumerate(counts) if n and g not in kept]
    if small:
        limits += (
            f" Nothing about groups of which fewer than {looked.minimum} {looked.noun} are held out (with "
            f"training: {some(small)}): samples of them are counted among the others."
        )
    shown = pictures(axis.groups, read, looked.samples) if looked.data.spec.kind == "image" else None
    seen: list[Plot] = []
    if shown is not None:
        caption = "The first of each group as they were drawn, not selected."
        seen.append(Plot("read", "Samples, by what the classifier reads", shown, caption, paper=True))
    of = unmixed(axis, kept, read, looked.seed) if len(kept) > 1 else None
    if of is None or not of.told_apart:
        why = (
            f"fewer than two groups have {looked.minimum} held-out {looked.noun}"
            if of is None
            else "the classifier reads some groups alike; give a better one with --classifier"
        )
        names = {"share": "difference of shares", "amplification": "how much further from even"}
        findings = [
            Finding(
                f"{name}.{key}", f"{axis.name} in the samples: withheld, {why}.", "withheld", limits, what
            )
            for name, what in names.items()
        ]
        return Section(f"shares-{key}", title, "generator", findings, seen)
    compare = Compared(axis, kept, of)
    plot = Plot(
        "shares",
        axis.name,
        beside(
            [axis.groups[g] for g in kept],
            [compare.data(j) for j in range(len(kept))],
            [of.estimate(j) for j in range(len(kept))],
            [float(compare.read_share(j)) for j in range(len(kept))],
        ),
        f"{compare.n:,} {looked.seen} and {len(read):,} samples. Intervals 95%: Wilson's; of the samples "
        "with the uncertainty of the correction.",
    )
    findings = [compare.share(key, looked, limits), compare.amplification(key, looked, limits)]
    return Section(f"shares-{key}", title, "generator", findings, [plot, *seen], [compare.table()])


class Compared:
    """Shares of the groups that are kept, in the data and in the samples.

    Args:
        axis: the groups.
        kept: those that are spoken of.
        of: what is behind the samples' readings.
    """

    def __init__(self, axis: Axis, kept: Sequence[int], of: Unmixed) -> None:
        self.axis, self.kept, self.of = axis, kept, of
        self.k = axis.counts(axis.train)[list(kept)]
        self.n = int(self.k.sum())
        # Bonferroni: the intervals of all groups hold at once; of two groups one mirrors the other
        self.level = 1 - (1 - LEVEL) / (len(kept) if len(kept) > 2 else 1)

    def data(self, j: int, level: float = LEVEL) -> Estimate:
        """The share of a group in the data, of the groups that are kept."""
        return wilson(int(self.k[j]), self.n, level)

    def read_share(self, j: int) -> float:
        """The share of samples that are read as a group, right or wrong."""
        return float(self.of.reads[self.kept[j]] / self.of.reads.sum())

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

    def share(self, key: str, looked: Looked, limits: str) -> Finding:
        """The group whose share differs most surely."""
        G = len(self.kept)
        d = [self.difference(j, self.level) for j in range(G)]
        sure = [j for j in range(G) if not d[j].holds(0)]
        if G == 2:
            # one mirrors the other: of the smaller one
            j = int(self.k.argmin())
        else:
            j = max(
                sure or range(G), key=lambda one: (max(d[one].ends[0], -d[one].ends[1]), abs(d[one].value))
            )
        e, p, r = self.data(j), self.of.estimate(j), self.ratio(j)
        people = base(round(e.value, 4), round(p.value, 4))
        together = f", {100 * LEVEL:.0f}% for all {G} groups at once" if G > 2 else ""
        more = {"samples": p, "data": e, "read": wilson(int(self.of.reads[self.kept[j]]), len_of(self.of))}
        if r is not None:
            more["ratio"] = r
        for one in range(G):
            more[unique(f"group.{slug(self.axis.groups[self.kept[one]])}", more)] = self.of.estimate(one)
        numbers = [f"difference {told(d[j])}{together}"] + ([f"ratio {told(r)}"] if r is not None else [])
        return Finding(
            f"share.{key}",
            f"Of {people:,} {looked.noun} in the data {frequency(e.value, people)} are in group "
            f"{self.axis.groups[self.kept[j]]}, of {people:,} samples {frequency(p.value, people)} (read as "
            f"such: {frequency(self.read_share(j), people)}, before the correction): {', '.join(numbers)}."
            + ("" if sure else " The data are compatible with no difference."),
            "finding" if sure else "no finding",
            limits,
            "share of the samples less share of the data",
            d[j],
            len_of(self.of),
            more,
            "shares",
        )

    def amplification(self, key: str, looked: Looked, limits: str) -> Finding:
        """Whether shares are further from even ones than in the data."""
        G = len(self.kept)
        samples = apart([self.of.estimate(j, self.level) for j in range(G)])
        data = apart([self.data(j, self.level) for j in range(G)])
        d = combined([(1, samples), (-1, data)])
        most = sqrt(1 - 1 / G)
        sure = not d.holds(0)
        says = "The data are compatible with as far as in the data."
        if sure:
            says = "The samples lean further." if d.value > 0 else "The samples lean less far."
        none = [
            self.axis.groups[g] for j, g in enumerate(self.kept) if self.of.shares[j] * len_of(self.of) < 0.5
        ]
        if none:
            says += f" After the correction no sample is left in {some(none)}."
        return Finding(
            f"amplification.{key}",
            f"How far the shares of the {G} groups are from even ones (0 even, {amount(most)} all in one "
            f"group): {told(data)} in the data, {told(samples)} in the samples, difference {told(d)}. {says}",
            "finding" if sure else "no finding",
            f"{limits} That even shares are the right ones: the data may lean because people do.",
            "distance from even shares, samples less data",
            d,
            len_of(self.of),
            {"data": data, "samples": samples, "most": Estimate(most)},
            "shares",
        )

    def table(self) -> Table:
        """All groups."""
        cells = []
        for j in np.argsort(-self.k, kind="stable"):
            cells.append(
                [
                    self.axis.groups[self.kept[j]],
                    _percent(self.data(j)),
                    f"{100 * self.read_share(j):.1f}%",
                    _percent(self.of.estimate(j)),
                    told(self.difference(j)),
                ]
            )
        head = [self.axis.name, "data", "samples, as read", "samples, corrected", "difference"]
        note = "Each interval on its own. Shares are of the groups in this table."
        return Table(f"Data and samples by {self.axis.name}", head, cells, note)


def len_of(of: Unmixed) -> int:
    """Samples that were read."""
    return int(of.reads.sum())


def _percent(e: Estimate) -> str:
    low, high = e.ends
    return f"{100 * e.value:.1f}% ({100 * low:.1f} to {100 * high:.1f})"
