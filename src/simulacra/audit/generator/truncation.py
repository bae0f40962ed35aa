"""How shares and coverage change when samples are drawn closer to the mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulacra.audit.generator.charts import sweep
from simulacra.audit.generator.generated import READ, Compared, Looked, draw, unmixed
from simulacra.audit.generator.group_classifier import reads
from simulacra.audit.generator.quality import (
    LARGEST,
    NEIGHBOURS,
    Share,
    apart,
    expected_coverage,
    features,
    halved,
)
from simulacra.audit.generator.unmixing import quantiles
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, slug
from simulacra.audit.shared.phrasing import base, frequency, told
from simulacra.audit.shared.rates import unique
from simulacra.core.noise import derive_seed


def truncation(looked: Looked, truncations: Sequence[float]) -> Section:
    """Shares of every axis and coverage of all data, by truncation; 1 is what the others are held against.

    Args:
        looked: its samples are those of truncation 1.
        truncations: in order, 1 among them.
    """
    drawn = {
        t: looked.samples
        if t == 1
        else draw(looked.model, len(looked.samples), derive_seed(looked.seed, i), t)
        for i, t in enumerate(truncations)
    }
    read = {t: looked.reads if t == 1 else reads(looked.axes, x) for t, x in drawn.items()}
    findings, plots = [], []
    for i in range(len(looked.axes)):
        finding, plot = _shares(looked, i, {t: each[i] for t, each in read.items()})
        findings.append(finding)
        plots += plot
    finding, plot = _coverage(looked, drawn)
    findings.append(finding)
    plots += plot
    notes = ["Truncation draws latents closer to their mean: samples are more typical, and less varied."]
    return Section("truncation", "What truncation does", "generator", findings, plots, notes=notes)


def _shares(looked: Looked, i: int, read: dict[float, np.ndarray]) -> tuple[Finding, list[Plot]]:
    axis, key = looked.axes[i], looked.keys[i]
    what = "share with truncation less share without"
    kept = axis.kept(looked.minimum)
    # other samples, another stream: of the same confusions alone
    of = {t: unmixed(axis, kept, each, looked.seed, 1 + s) for s, (t, each) in enumerate(read.items())}
    if len(kept) < 2 or not of[1].told_apart:
        sentence = f"{axis.name} by truncation: withheld, as above."
        return Finding(f"truncation.{key}", sentence, "withheld", READ, what), []
    others, G = [t for t in of if t != 1], len(kept)
    # Bonferroni over groups (of two one mirrors the other) and truncations
    level = 1 - (1 - LEVEL) / (len(others) * (G if G > 2 else 1))
    d = {
        (t, j): quantiles(
            float(of[t].shares[j] - of[1].shares[j]),
            of[t].draws[:, j].clip(0, 1) - of[1].draws[:, j].clip(0, 1),
            level,
        )
        for t in others
        for j in range(G)
    }
    sure = [one for one, e in d.items() if not e.holds(0)]
    picked = [one for one in sure or d if G > 2 or one[1] == int(Compared(axis, kept, of[1]).k.argmin())]
    t, j = max(picked or d, key=lambda one: (max(d[one].ends[0], -d[one].ends[1]), abs(d[one].value)))
    p, p1 = of[t].estimate(j), of[1].estimate(j)
    people = base(round(p.value, 4), round(p1.value, 4))
    more: dict[str, Estimate] = {"with": p, "without": p1}
    for one in others:
        for g in range(G):
            name = f"at-{slug(f'{one:g}')}.{slug(axis.groups[kept[g]])}"
            more[unique(name, more)] = of[one].estimate(g)
    finding = Finding(
        f"truncation.{key}",
        f"With truncation {t:g} {frequency(p.value, people)} of {people:,} samples are in group "
        f"{axis.groups[kept[j]]}, without truncation {frequency(p1.value, people)}: difference "
        f"{told(d[t, j])}." + ("" if sure else " The data are compatible with no difference."),
        "finding" if sure else "no finding",
        READ,
        what,
        d[t, j],
        len(looked.samples),
        more,
        f"shares-{key}",
    )
    lines = [(axis.groups[g], [of[t].estimate(j) for t in of]) for j, g in enumerate(kept)]
    caption = f"{len(looked.samples):,} samples each, corrected. Bands 95%."
    return finding, [Plot(f"shares-{key}", axis.name, sweep(list(of), lines, "share"), caption)]


def _coverage(looked: Looked, drawn: dict[float, np.ndarray]) -> tuple[Finding, list[Plot]]:
    """Of all held-out data, as many samples of every truncation."""
    n = min(LARGEST, len(looked.held), len(looked.samples))
    what = "coverage with truncation less coverage without"
    limits = (
        f"Whether anybody would notice: it is told in {looked.extractor.name} features. What truncation "
        "gains: samples that are each more like the data."
    )
    if n < max(looked.minimum, 2 * NEIGHBOURS + 2):
        words = f"Coverage by truncation: withheld, {n:,} examples are too few."
        return Finding("truncation.coverage", words, "withheld", limits, what), []
    rng = np.random.default_rng([looked.seed, 5])
    real = features(looked.held[rng.permutation(len(looked.held))[:n]], looked.extractor)
    found = {}
    for t, x in drawn.items():
        value, error = halved(real, features(x[:n], looked.extractor), rng)
        found[t] = Share(f"{t:g}", float(value[2]), n, float(error[2]))
    others = [t for t in found if t != 1]
    level = 1 - (1 - LEVEL) / len(others)
    d = {t: apart(found[t], found[1], level) for t in others}
    t = max(others, key=lambda one: max(d[one].ends[0], -d[one].ends[1]))
    sure = not d[t].holds(0)
    people = base(found[t].value, found[1].value)
    finding = Finding(
        "truncation.coverage",
        f"Of {people:,} held-out {looked.noun} {frequency(found[t].value, people)} have a sample nearby with "
        f"truncation {t:g}, {frequency(found[1].value, people)} without truncation: difference {told(d[t])}."
        + ("" if sure else " The data are compatible with no difference."),
        "finding" if sure else "no finding",
        limits,
        what,
        d[t],
        n,
        {f"at-{slug(m.group)}": m.estimate() for m in found.values()},
        "coverage",
    )
    lines = [("coverage", [m.estimate() for m in found.values()])]
    caption = (
        f"{n:,} held-out {looked.noun} and {n:,} samples each; a perfect generator covers "
        f"{expected_coverage(n, n):.3f}. Bands 95%, from half-samples."
    )
    return finding, [Plot("coverage", "Coverage", sweep(list(found), lines, "coverage"), caption)]
