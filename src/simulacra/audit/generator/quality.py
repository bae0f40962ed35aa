"""How good a generator is for each group, on as many examples of every group.

Precision, recall and coverage depend on how many examples they are counted on. Of N real examples and M
samples of the same distribution a share

    1 - prod_{i=1..k} (N - i) / (N + M - i)

of the real examples has a sample nearer than its k-th neighbour, whatever the distribution (Naeem et al.
2020): .388 of N = 100 with M = 10 and k = 5, .97 with M = 100. A group of which fewer samples are
looked at would look worse covered by a perfect generator. So all groups are brought to the counts of the
smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import prod, sqrt

import numpy as np
import torch
from scipy.stats import norm

from simulacra.audit.generator.generated import Looked
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Estimate, Finding, Plot, Section, slug
from simulacra.audit.shared.intervals import combined
from simulacra.audit.shared.phrasing import amount, base, frequency, some, told
from simulacra.audit.shared.rates import Mean, difference, unique
from simulacra.core.batch import Batch, in_order
from simulacra.core.capabilities import BoundsLikelihood, EstimatesLikelihood, Reconstructs
from simulacra.core.model import Model
from simulacra.data.spec import Dataset
from simulacra.metrics.features import Extractor
from simulacra.metrics.prdc import prdc
from simulacra.metrics.reconstruction import mse
from simulacra.metrics.statistics import Statistics

# of precision, recall and coverage
NEIGHBOURS = 5
# examples of a group looked at, at most
LARGEST = 500
# halves of them, for the intervals
HALVES = 20
# draws of z of an estimated likelihood
IMPORTANCE = 50
BATCH = 100


@dataclass(frozen=True)
class Number:
    """A number of each group.

    Attributes:
        name: of its findings.
        title: of its plot.
        first: how a sentence tells it of one group; `then` of another.
        what: the number, in the plural.
        limits: what it does not show.
    """

    name: str
    title: str
    first: str
    then: str
    what: str
    limits: str


@dataclass(frozen=True)
class Share:
    """A share of n examples that are not independent, with the standard error that they have.

    Its interval is Wilson's of as many independent examples as would have that error, and n at most (as of
    clustered samples, Kish 1965): where all halves say the same, the error is not known to be 0.
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
        p = self.value
        n = min(float(self.n), p * (1 - p) / self.error**2 if self.error > 0 and 0 < p < 1 else self.n)
        z2 = float(norm.ppf((1 + level) / 2)) ** 2
        # (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
        middle, half = p + z2 / (2 * n), sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n)))
        low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
        return Estimate(p, max(0.0, min(low, p)), min(1.0, max(high, p)))


Measured = Share | Mean

OF_SAMPLES = (
    "Samples are of the group that they are read as: where few are generated, many of those may be misread "
    "ones of another. Whether anybody would notice: it is told in {features}. Other counts give other "
    "numbers."
)
COVERAGE = Number(
    "coverage",
    "Covered",
    "of {people} real {noun} in group {group} {count} have a sample nearby",
    "of {people} in group {group} {count} (of a perfect generator {perfect} of 1)",
    "shares of real examples covered",
    OF_SAMPLES,
)
PRECISION = Number(
    "precision",
    "Precision",
    "of {people} samples read as group {group} {count} lie among real {noun} of the group",
    "of {people} read as group {group} {count}",
    "shares of samples among real examples",
    OF_SAMPLES,
)
RECALL = Number(
    "recall",
    "Recall",
    "of {people} real {noun} in group {group} {count} lie among samples of the group",
    "of {people} in group {group} {count}",
    "shares of real examples among samples",
    OF_SAMPLES,
)
RECONSTRUCTION = Number(
    "reconstruction",
    "Error of reconstructions",
    "{noun} in group {group} come back with an error of {amount}{unit} (root mean square)",
    "those in group {group} with {amount}",
    "errors of reconstructions",
    "Whether the group is harder because of what it is or because fewer were trained on. What is lost: a "
    "small error can be a missing pair of glasses.",
)
LIKELIHOOD = Number(
    "likelihood",
    "Log-likelihood",
    "{noun} in group {group} have a {kind} of {amount} nats",
    "those in group {group} of {amount}",
    "log-likelihoods",
    "That less likely {noun} are generated worse: plain {noun} are likely under any model, whatever it was "
    "trained on.",
)


def expected_coverage(N: int, M: int, k: int = NEIGHBOURS) -> float:
    """Coverage of N real examples by M samples of the same distribution, on average (see the module).

    >>> round(expected_coverage(100, 10), 3), round(expected_coverage(100, 100), 3)
    (0.388, 0.971)
    """
    return 1 - prod((N - i) / (N + M - i) for i in range(1, k + 1))


def quality(looked: Looked, i: int) -> Section:
    """What the model can: precision, recall, coverage; reconstruction; likelihood."""
    axis, key, seed = looked.axes[i], looked.keys[i], looked.seed
    real, fake = axis.counts(axis.held), axis.counts(looked.reads[i])
    there = [int(g) for g in np.flatnonzero(axis.counts(axis.train) + real)]
    rng = np.random.default_rng([seed, 3, i])
    notes, findings, plots = [], [], []

    def add(
        number: Number, measured: Sequence[Measured], few: Sequence[tuple[str, int]], **words: str
    ) -> None:
        small = [f"{name} ({n:,})" for name, n in few]
        findings.append(between(number, key, measured, small, looked.noun, **words))
        label = words.get("kind", number.title.lower() + words.get("unit", ""))
        drawn = [(m.group, m.n, m.estimate()) for m in measured] + [(name, n, None) for name, n in few]
        mark = float(words["perfect"]) if "perfect" in words else None
        figure = rows(drawn, label, mark, isinstance(measured[0], Share))
        caption = f"{measured[0].n:,} examples of every group. Intervals 95%, "
        caption += "from half-samples." if isinstance(measured[0], Share) else "Student's."
        caption += " Dotted: a perfect generator." if mark is not None else ""
        plots.append(Plot(number.name, f"{number.title}: {axis.name}", figure, caption))

    # more than k in every half
    least = max(looked.minimum, 2 * NEIGHBOURS + 2)
    enough = [g for g in there if min(real[g], fake[g]) >= least]
    named = f"{looked.extractor.name} features"
    if len(enough) > 1:
        N = min(LARGEST, int(real[enough].min()))
        # more samples than real examples would cover all of them
        M = min(N, int(fake[enough].min()))
        perfect = expected_coverage(N, M)
        notes.append(
            f"Precision, recall and coverage of {N:,} real {looked.noun} (held out) and {M:,} samples of "
            f"every group, in {named} with {NEIGHBOURS} neighbours. At these counts a perfect generator "
            f"covers {perfect:.3f} of every group, with fewer samples less: so all groups have as many."
        )
        found = []
        for g in enough:
            x = looked.held[rng.permutation(np.flatnonzero(axis.held == g))[:N]]
            y = looked.samples[rng.permutation(np.flatnonzero(looked.reads[i] == g))[:M]]
            found.append(halved(features(x, looked.extractor), features(y, looked.extractor), rng))
        few = [(axis.groups[g], int(min(real[g], fake[g]))) for g in there if g not in enough]
        for column, number in enumerate((PRECISION, RECALL, COVERAGE)):
            measured = [
                Share(
                    axis.groups[g],
                    float(value[column]),
                    M if number is PRECISION else N,
                    float(error[column]),
                )
                for g, (value, error) in zip(enough, found, strict=True)
            ]
            words = {"perfect": f"{perfect:.3f}"} if number is COVERAGE else {}
            add(number, measured, few, features=named, **words)
    else:
        counts = some([f"{axis.groups[g]} ({real[g]:,} and {fake[g]:,})" for g in there])
        sentence = (
            f"Coverage by {axis.name}: withheld, fewer than two groups have {least} held-out {looked.noun} "
            f"and {least} samples. There are: {counts}."
        )
        limits = OF_SAMPLES.format(features=named)
        findings.append(Finding(f"coverage.{key}", sentence, "withheld", limits, COVERAGE.what))
    kept = [g for g in there if real[g] >= looked.minimum]
    if len(kept) > 1:
        n = min(LARGEST, int(real[kept].min()))
        picked = {g: rng.permutation(np.flatnonzero(axis.held == g))[:n] for g in kept}
        few = [(axis.groups[g], int(real[g])) for g in there if g not in kept]
        for number, of, more in abilities(looked.model):
            each = {g: of(looked.held[index], seed) for g, index in picked.items()}
            means = [Mean(axis.groups[g], float(v.sum()), float((v**2).sum()), n) for g, v in each.items()]
            add(number, means, few, **more)
    return Section(f"quality-{key}", f"How well: {axis.name}", "generator", findings, plots, notes=notes)


def abilities(model: Model) -> list[tuple[Number, Callable[[np.ndarray, int], np.ndarray], dict[str, str]]]:
    """What single examples are measured by: a number each, `(N,)` of `(N, ...)` and a seed."""
    found: list[tuple[Number, Callable[[np.ndarray, int], np.ndarray], dict[str, str]]] = []

    def over(x: np.ndarray, seed: int, of: Callable[[Batch], torch.Tensor]) -> np.ndarray:
        batches = in_order(Dataset(model.spec, x), BATCH, model.device, seed)
        with torch.no_grad():
            parts = [of(batch).double().cpu().numpy() for batch in batches]
        return np.concatenate(parts)

    image = model.spec.kind == "image"
    if isinstance(model, Reconstructs):

        def error(b: Batch) -> torch.Tensor:
            return mse(b.x, model.reconstruct(b.x)).sqrt() * (255 if image else 1)

        found.append((RECONSTRUCTION, partial(over, of=error), {"unit": " of 255" if image else ""}))
    if isinstance(model, BoundsLikelihood):

        def bound(b: Batch) -> torch.Tensor:
            return model.elbo(model.observe(b.x, b.noise), b.noise).value

        found.append((LIKELIHOOD, partial(over, of=bound), {"kind": "lower bound of the log-likelihood"}))
    elif isinstance(model, EstimatesLikelihood):

        def score(b: Batch) -> torch.Tensor:
            return model.log_likelihood(model.observe(b.x, b.noise), b.noise, IMPORTANCE)

        found.append((LIKELIHOOD, partial(over, of=score), {"kind": "log-likelihood"}))
    return found


def features(x: np.ndarray, extractor: Extractor) -> np.ndarray:
    """Of examples as they are stored, `(N, F)`."""
    return Statistics(x, extractor).features


def halved(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Precision, recall and coverage `(3,)`, and their standard errors `(3,)`.

    The standard error is the deviation of the numbers among random halves of both sets: the jackknife that
    leaves out half of the examples (Shao and Wu 1989), whose factor is (n - d) / d = 1. A bootstrap would
    repeat examples, which are each other's nearest neighbours.
    """

    def numbers(real: np.ndarray, fake: np.ndarray) -> list[float]:
        found = prdc(real, fake, NEIGHBOURS)
        return [found.precision, found.recall, found.coverage]

    halves = []
    for _ in range(HALVES):
        half = [x[rng.permutation(len(x))[: len(x) // 2]] for x in (real, fake)]
        halves.append(numbers(half[0], half[1]))
    return np.array(numbers(real, fake)), np.std(halves, axis=0, ddof=1)


def apart(a: Measured, b: Measured, level: float) -> Estimate:
    """First less second: Newcombe's interval of shares, Welch's of means."""
    if isinstance(a, Mean) and isinstance(b, Mean):
        return difference(a, b, level)
    return combined([(1, a.estimate(level)), (-1, b.estimate(level))])


def between(
    number: Number, key: str, measured: Sequence[Measured], small: Sequence[str], noun: str, **words: str
) -> Finding:
    """The finding about a number of two groups or more: the pair that differs most surely.

    Args:
        number: how it is told.
        key: what the findings about these groups are called.
        measured: of groups that are large enough.
        small: the others, with what there is of them.
        noun: what examples are called.
        words: what else the sentences of the number need.
    """
    limits = number.limits.format(noun=noun, **words)
    if small:
        limits += f" Nothing about groups that are too small: {some(small)}."
    pairs = list(combinations(sorted(measured, key=lambda m: -m.value), 2))
    # Bonferroni: all pairs at once
    level = 1 - (1 - LEVEL) / len(pairs)
    gaps = [(a, b, apart(a, b, level)) for a, b in pairs]
    sure = [gap for gap in gaps if not gap[2].holds(0)]
    high, low, e = max(sure or gaps, key=lambda gap: gap[2].ends[0] if sure else gap[2].value)
    people = base(high.value, low.value) if isinstance(high, Share) else 1
    first, then = (
        text.format(
            noun=noun,
            group=m.group,
            people=f"{people:,}",
            count=frequency(m.value, people),
            amount=amount(m.value) if abs(m.value) >= 1 else f"{m.value:.3g}",
            **words,
        )
        for text, m in ((number.first, high), (number.then, low))
    )
    more = {"higher": high.estimate(), "lower": low.estimate()}
    for m in measured:
        more[unique(f"group.{slug(m.group)}", more)] = m.estimate()
    together = f", {100 * LEVEL:.0f}% for all {len(pairs)} pairs of groups at once" if len(pairs) > 1 else ""
    return Finding(
        f"{number.name}.{key}",
        f"{first[0].upper()}{first[1:]}, {then}: difference {told(e)}{together}."
        + ("" if sure else " The data are compatible with no difference."),
        "finding" if sure else "no finding",
        limits,
        f"difference of {number.what}",
        e,
        high.n + low.n,
        more,
        number.name,
    )
