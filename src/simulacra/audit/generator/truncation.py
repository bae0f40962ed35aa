"""How shares and coverage change with truncation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulacra.audit.generator.charts import sweep
from simulacra.audit.generator.group_classifier import predict_all
from simulacra.audit.generator.grouped import GroupedGenerator, stored_samples
from simulacra.audit.generator.prevalence import quantiles
from simulacra.audit.generator.quality import LARGEST, LEAST, Share, expected_coverage, half_sampled, less
from simulacra.audit.generator.shares import ASSUMPTION, useless
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, conclude, slug
from simulacra.audit.shared.phrasing import NO_DIFFERENCE, base, format_estimate, frequency
from simulacra.audit.shared.rates import keyed
from simulacra.core.noise import derive_seed


def truncation_section(audited: GroupedGenerator, truncations: Sequence[float]) -> Section:
    """Shares of every grouping and coverage of all data, by truncation (sorted), against truncation 1."""
    n, seed = len(audited.samples), audited.seed
    samples = {
        t: audited.samples if t == 1 else stored_samples(audited.model, n, derive_seed(seed, i), t)
        for i, t in enumerate(truncations)
    }
    predicted = {
        t: audited.predicted if t == 1 else predict_all(audited.groupings, x) for t, x in samples.items()
    }
    made = [
        _shares(audited, i, {t: each[i] for t, each in predicted.items()})
        for i in range(len(audited.groupings))
    ]
    findings, plots = zip(*made, _coverage(audited, samples), strict=True)
    note = "Truncation draws latents closer to their mean: samples are more typical, and less varied."
    title = "What truncation does"
    return Section("truncation", title, "generator", findings, [p for p in plots if p], notes=[note])


def _shares(
    audited: GroupedGenerator, i: int, predicted: dict[float, np.ndarray]
) -> tuple[Finding, Plot | None]:
    grouping, key = audited.groupings[i], audited.keys[i]
    name, what = f"truncation.{key}", "share with truncation less share without"
    kept = grouping.large(audited.minimum)
    # independent samples have streams of their own; the confusions are the same
    of = {t: audited.prevalence(i, each, stream) for stream, (t, each) in enumerate(predicted.items(), 1)}
    if len(kept) < 2 or useless(of[1], [grouping.groups[g] for g in kept], audited.noun):
        sentence = f"{grouping.name} by truncation: withheld, as above."
        return Finding(name, sentence, "withheld", ASSUMPTION, what), None
    others, G = [t for t in of if t != 1], len(kept)
    # Bonferroni over groups (of two one mirrors the other) and truncations
    level = 1 - (1 - LEVEL) / (len(others) * (G if G > 2 else 1))
    # of two groups the one that is smaller in the data
    shown = range(G) if G > 2 else [int(grouping.counts(grouping.train)[kept].argmin())]
    d = {
        (t, j): quantiles(
            float(of[t].shares[j] - of[1].shares[j]),
            of[t].draws[:, j].clip(0, 1) - of[1].draws[:, j].clip(0, 1),
            level,
        )
        for t in others
        for j in shown
    }
    (t, j), e = max(d.items(), key=lambda item: (item[1].clearance, abs(item[1].value)))
    p, p1 = of[t].estimate(j), of[1].estimate(j)
    people = base(round(p.value, 4), round(p1.value, 4))
    groups = [grouping.groups[g] for g in kept]
    more: dict[str, Estimate] = {"with": p, "without": p1}
    for other in others:
        each = ((group, of[other].estimate(g)) for g, group in enumerate(groups))
        more = keyed(f"at-{slug(f'{other:g}')}", each, more)
    sentence = (
        f"With truncation {t:g}, {frequency(p.value, people)} of {people:,} samples are in group "
        f"{groups[j]}; without truncation, {frequency(p1.value, people)}: difference {format_estimate(e)}."
    )
    n, plot = len(audited.samples), f"shares-{key}"
    finding = conclude(not e.holds(0), NO_DIFFERENCE, name, sentence, ASSUMPTION, what, e, n, more, plot)
    lines = [(group, [of[t].estimate(g) for t in of]) for g, group in enumerate(groups)]
    caption = f"{n:,} samples each, corrected. Bands 95%."
    return finding, Plot(plot, grouping.name, sweep(list(of), lines, "share"), caption)


def _coverage(audited: GroupedGenerator, samples: dict[float, np.ndarray]) -> tuple[Finding, Plot | None]:
    """Of all held-out data, by equally many samples of every truncation."""
    held_out, noun = audited.held_out, audited.noun
    n = min(LARGEST, len(held_out), len(audited.samples))
    name, what = "truncation.coverage", "coverage with truncation less coverage without"
    limits = (
        f"Whether people would notice: the distances are those of {audited.extractor.name} features. What "
        "truncation gains: samples that are each more like the data."
    )
    if n < max(audited.minimum, LEAST):
        sentence = f"Coverage by truncation: withheld, {n:,} examples are too few."
        return Finding(name, sentence, "withheld", limits, what), None
    rng = np.random.default_rng([audited.seed, 5])
    real = audited.features(held_out[rng.permutation(len(held_out))[:n]])
    found = {}
    for t, x in samples.items():
        value, error = half_sampled(real, audited.features(x[:n]), rng)
        found[t] = Share(f"{t:g}", float(value[2]), n, float(error[2]))
    others = [t for t in found if t != 1]
    level = 1 - (1 - LEVEL) / len(others)
    d = {t: less(found[t], found[1], level) for t in others}
    t, e = max(d.items(), key=lambda item: item[1].clearance)
    people = base(found[t].value, found[1].value)
    sentence = (
        f"Of {people:,} held-out {noun}, {frequency(found[t].value, people)} have a sample nearby with "
        f"truncation {t:g}; {frequency(found[1].value, people)} without truncation: difference "
        f"{format_estimate(e)}."
    )
    more = {f"at-{slug(m.group)}": m.estimate() for m in found.values()}
    finding = conclude(not e.holds(0), NO_DIFFERENCE, name, sentence, limits, what, e, n, more, "coverage")
    lines = [("coverage", [m.estimate() for m in found.values()])]
    caption = (
        f"{n:,} held-out {noun} and {n:,} samples each; a perfect generator covers "
        f"{expected_coverage(n, n):.3f}. Bands 95%, from half-samples."
    )
    return finding, Plot("coverage", "Coverage", sweep(list(found), lines, "coverage"), caption)
