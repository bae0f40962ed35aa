"""How good a generator is for each group, on equally many examples of every group.

Precision, recall and coverage depend on the counts. With N real examples and M samples of the same
distribution, a share

    1 - prod_{i=1..k} (N - i) / (N + M - i)

of the real examples has a sample nearer than its k-th neighbour, whatever the distribution (Naeem et al.
2020): .388 for N = 100, M = 10 and k = 5, .97 for M = 100. A perfect generator would seem to cover a group
with fewer samples less. So all groups are reduced to the counts of the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import Tensor

from simulacra.audit.generator.grouped import GroupedGenerator
from simulacra.audit.generator.shares import useless
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, conclude
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
from simulacra.audit.shared.rates import Mean, all_pairs, difference, keyed, surest
from simulacra.core.batch import Batch, in_order
from simulacra.core.capabilities import BoundsLikelihood, EstimatesLikelihood, Reconstructs
from simulacra.core.inference import eval_mode
from simulacra.core.model import Model
from simulacra.data.spec import Dataset
from simulacra.metrics.prdc import prdc
from simulacra.metrics.reconstruction import mse

# k of precision, recall and coverage; examples that the smaller of two halves needs for them
NEIGHBOURS = 5
LEAST = 2 * NEIGHBOURS + 2
# examples used of a group, at most
LARGEST = 500
# random halves of them, for the intervals
HALVES = 20
# draws of z for an estimated likelihood
IMPORTANCE = 50
BATCH = 100


@dataclass(frozen=True)
class GroupMetric:
    """A number of each group.

    Attributes:
        name: of its findings.
        title: of its plot.
        first: what a sentence says about one group, as a template; `then` about another one.
        what: the number, in the plural.
        limits: what it does not show, as a template.
    """

    name: str
    title: str
    first: str
    then: str
    what: str
    limits: str


@dataclass(frozen=True)
class Share:
    """A share of n examples that are not independent, with its standard error.

    Its interval is Wilson's for as many independent examples as have that error, and for at most n (effective
    sample size, Kish 1965): if all halves agree, the error is not known to be 0.
    """

    group: str
    value: float
    n: int
    error: float

    def estimate(self, level: float = LEVEL) -> Estimate:
        """The share with its interval.

        >>> from simulacra.audit.shared.intervals import wilson
        >>> Share("A", 1.0, 30, 0.0).estimate().low == wilson(30, 30).low
        True
        """
        p, n = self.value, float(self.n)
        if self.error > 0 and 0 < p < 1:
            n = min(n, p * (1 - p) / self.error**2)
        return Estimate(p, *wilson(p * n, n, level).ends)


Measured = Share | Mean
Shown = tuple[Finding, Plot | None]

OF_SAMPLES = (
    "Samples belong to the group predicted for them: where few are generated, many of those may be "
    "misclassified ones of another group. Whether people would notice: the distances are those of "
    "{features}. Other counts give other numbers."
)
COVERAGE = GroupMetric(
    "coverage",
    "Coverage",
    "of {people} real {noun} in group {group}, {count} have a sample nearby",
    "of {people} in group {group}, {count} (of a perfect generator {perfect} of 1)",
    "shares of real examples covered",
    OF_SAMPLES,
)
PRECISION = GroupMetric(
    "precision",
    "Precision",
    "of {people} samples predicted as group {group}, {count} lie among real {noun} of the group",
    "of {people} predicted as group {group}, {count}",
    "shares of samples among real examples",
    OF_SAMPLES,
)
RECALL = GroupMetric(
    "recall",
    "Recall",
    "of {people} real {noun} in group {group}, {count} lie among samples of the group",
    "of {people} in group {group}, {count}",
    "shares of real examples among samples",
    OF_SAMPLES,
)
RECONSTRUCTION = GroupMetric(
    "reconstruction",
    "Reconstruction error",
    "reconstructions of {noun} in group {group} have an error of {amount}{unit} (root mean square)",
    "those in group {group} of {amount}",
    "errors of reconstructions",
    "Whether the group is harder because of what it is or because there are fewer training examples. What "
    "is lost: a small error can be a missing pair of glasses.",
)
LIKELIHOOD = GroupMetric(
    "likelihood",
    "Log-likelihood",
    "{noun} in group {group} have a {kind} of {amount} nats",
    "those in group {group} of {amount}",
    "log-likelihoods",
    "That less likely {noun} are generated worse: plain {noun} are likely under any model, whatever it was "
    "trained on.",
)


def expected_coverage(N: int, M: int, k: int = NEIGHBOURS) -> float:
    """Expected coverage of N real examples by M samples of the same distribution (Naeem et al. 2020).

    >>> round(expected_coverage(100, 10), 3), round(expected_coverage(100, 100), 3)
    (0.388, 0.971)
    """
    return 1 - prod((N - i) / (N + M - i) for i in range(1, k + 1))


def quality_section(audited: GroupedGenerator, i: int) -> Section:
    """Precision, recall and coverage by group, and the error and likelihood that the model can compute."""
    rng = np.random.default_rng([audited.seed, 3, i])
    of_samples, notes = _of_samples(audited, i, rng)
    made = of_samples + _of_examples(audited, i, rng)
    title = f"How good the samples are: {audited.groupings[i].name}"
    findings, plots = [finding for finding, _ in made], [plot for _, plot in made if plot is not None]
    return Section(f"quality-{audited.keys[i]}", title, "generator", findings, plots, notes=notes)


def _of_samples(audited: GroupedGenerator, i: int, rng: np.random.Generator) -> tuple[list[Shown], list[str]]:
    """Precision, recall and coverage, and a note on the counts."""
    grouping, noun, predicted = audited.groupings[i], audited.noun, audited.predicted[i]
    real, fake = grouping.counts(grouping.held_out), grouping.counts(predicted)
    groups = [int(g) for g in np.flatnonzero(grouping.counts(grouping.train) + real)]
    # more than k in every half
    least = max(audited.minimum, LEAST)
    enough = [g for g in groups if min(real[g], fake[g]) >= least]
    features = f"{audited.extractor.name} features"
    name, limits = f"coverage.{audited.keys[i]}", OF_SAMPLES.format(features=features)
    kept = [grouping.groups[g] for g in grouping.large(audited.minimum)]
    of = audited.prevalence(i, predicted)
    if len(kept) > 1 and of.weak:
        sentence = f"Coverage by {grouping.name}: withheld, {useless(of, kept, noun)}."
        return [(Finding(name, sentence, "withheld", limits, COVERAGE.what), None)], []
    if len(enough) < 2:
        counts = shorten([f"{grouping.groups[g]} ({real[g]:,} and {fake[g]:,})" for g in groups])
        sentence = (
            f"Coverage by {grouping.name}: withheld, fewer than two groups have {least} held-out {noun} and "
            f"{least} samples. There are: {counts}."
        )
        return [(Finding(name, sentence, "withheld", limits, COVERAGE.what), None)], []
    N = min(LARGEST, int(real[enough].min()))
    # more samples than real examples would cover all of them
    M = min(N, int(fake[enough].min()))
    perfect = f"{expected_coverage(N, M):.3f}"
    note = (
        f"Precision, recall and coverage of {N:,} real {noun} (held out) and {M:,} samples of every group, "
        f"in {features} with {NEIGHBOURS} neighbours. At these counts a perfect generator covers {perfect} "
        f"of every group, and less with fewer samples: so all groups have equally many."
    )
    found = []
    for g in enough:
        x = audited.held_out[rng.permutation(np.flatnonzero(grouping.held_out == g))[:N]]
        y = audited.samples[rng.permutation(np.flatnonzero(predicted == g))[:M]]
        found.append(half_sampled(audited.features(x), audited.features(y), rng))
    few = {grouping.groups[g]: int(min(real[g], fake[g])) for g in groups if g not in enough}
    made: list[Shown] = []
    for column, (metric, n) in enumerate(((PRECISION, M), (RECALL, N), (COVERAGE, N))):
        shares = [
            Share(grouping.groups[g], float(value[column]), n, float(error[column]))
            for g, (value, error) in zip(enough, found, strict=True)
        ]
        words = {"perfect": perfect} if metric is COVERAGE else {}
        made.append(compare(audited, i, metric, shares, few, features=features, **words))
    return made, [note]


def _of_examples(audited: GroupedGenerator, i: int, rng: np.random.Generator) -> list[Shown]:
    """What the model can compute of single held-out examples: reconstruction error, likelihood."""
    grouping, model = audited.groupings[i], audited.model
    real = grouping.counts(grouping.held_out)
    kept = grouping.large(audited.minimum)
    if len(kept) < 2:
        return []
    n = min(LARGEST, int(real[kept].min()))
    picked = {g: rng.permutation(np.flatnonzero(grouping.held_out == g))[:n] for g in kept}
    groups = np.flatnonzero(grouping.counts(grouping.train) + real)
    few = {grouping.groups[g]: int(real[g]) for g in groups if g not in kept}
    made: list[Shown] = []
    for metric, measure, words in measures(model):
        means = []
        for g, index in picked.items():
            dataset = Dataset(model.spec, audited.held_out[index])
            with torch.no_grad(), eval_mode(model):
                batches = in_order(dataset, BATCH, model.device, audited.seed)
                v = torch.cat([measure(batch).double().cpu() for batch in batches]).numpy()
            means.append(Mean(grouping.groups[g], float(v.sum()), float((v**2).sum()), n))
        made.append(compare(audited, i, metric, means, few, **words))
    return made


def measures(model: Model) -> list[tuple[GroupMetric, Callable[[Batch], Tensor], dict[str, str]]]:
    """What a model can compute of examples: a metric, its values `(B,)`, and words of its sentences."""
    found: list[tuple[GroupMetric, Callable[[Batch], Tensor], dict[str, str]]] = []
    if isinstance(model, Reconstructs):
        scale, unit = (255, " of 255") if model.spec.kind == "image" else (1, "")
        found.append(
            (RECONSTRUCTION, lambda b: mse(b.x, model.reconstruct(b.x)).sqrt() * scale, {"unit": unit})
        )
    if isinstance(model, BoundsLikelihood):

        def bound(b: Batch) -> Tensor:
            return model.elbo(model.observe(b.x, b.noise), b.noise).value

        found.append((LIKELIHOOD, bound, {"kind": "lower bound of the log-likelihood"}))
    elif isinstance(model, EstimatesLikelihood):

        def likelihood(b: Batch) -> Tensor:
            return model.log_likelihood(model.observe(b.x, b.noise), b.noise, IMPORTANCE)

        found.append((LIKELIHOOD, likelihood, {"kind": "log-likelihood"}))
    return found


def half_sampled(
    real: np.ndarray, fake: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Precision, recall and coverage `(3,)`, and their standard errors `(3,)`.

    The standard error is the standard deviation over random halves of both sets: the jackknife that leaves
    out half of the examples (Shao and Wu 1989), with the factor (n - d) / d = 1. A bootstrap would repeat
    examples, which are each other's nearest neighbours.
    """

    def numbers(real: np.ndarray, fake: np.ndarray) -> list[float]:
        found = prdc(real, fake, NEIGHBOURS)
        return [found.precision, found.recall, found.coverage]

    halves = []
    for _ in range(HALVES):
        half = [x[rng.permutation(len(x))[: len(x) // 2]] for x in (real, fake)]
        halves.append(numbers(*half))
    return np.array(numbers(real, fake)), np.std(halves, axis=0, ddof=1)


def less(a: Measured, b: Measured, level: float) -> Estimate:
    """First less second: Newcombe's interval for shares, Welch's for means."""
    if isinstance(a, Mean) and isinstance(b, Mean):
        return difference(a, b, level)
    return combined([(1, a.estimate(level)), (-1, b.estimate(level))])


def compare(
    audited: GroupedGenerator,
    i: int,
    metric: GroupMetric,
    measured: Sequence[Measured],
    few: Mapping[str, int],
    **words: str,
) -> tuple[Finding, Plot]:
    """The finding about a metric of two groups or more, the pair that differs most certainly; and its plot.

    `few` has the counts of the groups that are too small, and `words` what the templates of the metric need.
    """
    words["noun"] = audited.noun
    limits = metric.limits.format(**words)
    if few:
        small = shorten(f"{name} ({n:,})" for name, n in few.items())
        limits += f" Nothing about groups that are too small: {small}."
    pairs, level = all_pairs(measured)
    gaps = {pair: less(*pair, level) for pair in pairs}
    (high, low), sure = surest(gaps)
    e, shares = gaps[high, low], isinstance(high, Share)
    people = base(high.value, low.value) if shares else 1
    first, then = (
        text.format(
            group=m.group,
            people=f"{people:,}",
            count=frequency(m.value, people),
            amount=amount(m.value) if abs(m.value) >= 1 else f"{m.value:.3g}",
            **words,
        )
        for text, m in ((metric.first, high), (metric.then, low))
    )
    together = at_once(len(pairs), "pairs of groups")
    sentence = f"{first[0].upper()}{first[1:]}; {then}: difference {format_estimate(e)}{together}."
    more = {"higher": high.estimate(), "lower": low.estimate()}
    more = keyed("group", ((m.group, m.estimate()) for m in measured), more)
    name, what, n = f"{metric.name}.{audited.keys[i]}", f"difference of {metric.what}", high.n + low.n
    finding = conclude(sure, NO_DIFFERENCE, name, sentence, limits, what, e, n, more, metric.name)

    label = words.get("kind", metric.title.lower() + words.get("unit", ""))
    drawn = [(m.group, m.n, m.estimate()) for m in measured]
    mark = float(words["perfect"]) if "perfect" in words else None
    figure = rows([*drawn, *((name, n, None) for name, n in few.items())], label, mark, shares)
    caption = f"{measured[0].n:,} examples of every group. Intervals 95%, "
    caption += "from half-samples." if shares else "Student's."
    caption += " Dotted: a perfect generator." if mark is not None else ""
    return finding, Plot(metric.name, f"{metric.title}: {audited.groupings[i].name}", figure, caption)
