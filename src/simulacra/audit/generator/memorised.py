"""People whom a generator has memorised: samples that are nearer to a training example than new data are."""

from __future__ import annotations

from math import floor

import numpy as np

from simulacra.audit.generator.charts import ACROSS, strips
from simulacra.audit.generator.generated import Looked
from simulacra.audit.generator.quality import features
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section
from simulacra.audit.shared.intervals import newcombe, wilson
from simulacra.audit.shared.phrasing import amount, base, frequency, told
from simulacra.metrics.neighbours import copies, duplicates, nearest

# samples and held-out examples whose neighbours are looked for, at most; training examples at a time
LARGEST, AT_ONCE = 1_000, 2_000
# new data that are nearer than what is called close
CLOSE = 0.05


def memorised(looked: Looked, pairs: bool = True) -> Section:
    """How many samples are closer to a training example than held-out data typically are, and which."""
    train, noun = looked.data.train.x, looked.noun
    rng = np.random.default_rng([looked.seed, 4])
    samples, held = looked.samples[:LARGEST], looked.held[rng.permutation(len(looked.held))[:LARGEST]]
    title = "Who is memorised"
    limits = (
        "Whether a person can be recognised: look at the pairs. Blurred or typical samples are near to many "
        f"examples without repeating one; what is copied in part or mirrored need not be near. It is told in "
        f"{looked.extractor.name} features."
    )
    what = "share of close samples less share of close held-out examples"
    if min(len(held), len(samples)) < max(looked.minimum, round(1 / CLOSE)):
        words = f"Memorised {noun}: withheld, {len(held):,} held-out {noun} are too few to compare with."
        return Section(
            "memorised", title, "generator", [Finding("memorised", words, "withheld", limits, what)]
        )
    found = closest(np.concatenate([samples, held]), train, looked)
    index, distance = found[0][: len(samples)], found[1][: len(samples)]
    new_index, new = found[0][len(samples) :], found[1][len(samples) :]
    # close: nearer than all but 5 of 100 held-out examples are
    k0 = max(1, floor(CLOSE * len(held)))
    bound = float(np.partition(new, k0)[k0])
    k, n = int((distance < bound).sum()), len(samples)
    k0 = int((new < bound).sum())
    d = newcombe(k, n, k0, len(held))
    sure = d.ends[0] > 0
    close = wilson(k, n)
    people = base(close.value, k0 / len(held))
    typical = float(np.median(distance) / max(float(np.median(new)), 1e-12))
    finding = Finding(
        "memorised",
        f"Of {people:,} samples {frequency(close.value, people)} are closer to one of the {len(train):,} "
        f"training {noun} than all but {frequency(k0 / len(held), people)} of {people:,} held-out {noun} "
        f"are: difference {told(d)}."
        + ("" if sure else " The data are compatible with samples no closer than new data are."),
        "finding" if sure else "no finding",
        limits,
        what,
        d,
        n,
        {"close": close, "held-out": wilson(k0, len(held)), "typical-distance": Estimate(typical)},
        "distances",
    )
    same, again = copies(looked.samples, train), duplicates(looked.samples)
    exact = Finding(
        "copies",
        f"Of {len(looked.samples):,} samples {same:,} equal a training example in every number, {again:,} "
        f"an earlier sample.",
        "finding" if same else "no finding",
        "Near copies: one number that differs is enough to be none.",
        "share of samples that equal a training example",
        wilson(same, len(looked.samples)),
        len(looked.samples),
        {"duplicates": wilson(again, len(looked.samples))},
        "distances",
    )
    shares = [("samples", n, close), (f"held-out {noun}", len(held), wilson(k0, len(held)))]
    caption = (
        f"Closer than {amount(bound)} to a training example; the median of samples is {amount(typical)} "
        f"times that of held-out {noun}. Intervals 95%, Wilson's."
    )
    plots = [Plot("distances", "Close to a training example", rows(shares, "share", shares=True), caption)]
    if pairs and looked.data.spec.kind == "image":
        plots.append(_pairs(looked, samples, index, distance, held, new_index, new))
    return Section("memorised", title, "generator", [finding, exact], plots)


def closest(x: np.ndarray, train: np.ndarray, looked: Looked) -> tuple[np.ndarray, np.ndarray]:
    """Index of and distance to the nearest training example of each of x; a part of them at a time."""
    of = features(x, looked.extractor)
    index, distance = np.zeros(len(x), np.int64), np.full(len(x), np.inf)
    for start in range(0, len(train), AT_ONCE):
        there, d = nearest(of, features(train[start : start + AT_ONCE], looked.extractor))
        nearer = d < distance
        index[nearer], distance[nearer] = there[nearer] + start, d[nearer]
    return index, distance


def _pairs(
    looked: Looked,
    samples: np.ndarray,
    index: np.ndarray,
    distance: np.ndarray,
    held: np.ndarray,
    new_index: np.ndarray,
    new: np.ndarray,
) -> Plot:
    train = looked.data.train.x
    order, new_order = (np.argsort(d, kind="stable")[:ACROSS] for d in (distance, new))
    figure = strips(
        [
            "The samples closest to a training picture",
            "",
            "For comparison: the closest held-out pictures",
            "",
        ],
        [samples[order], train[index[order]], held[new_order], train[new_index[new_order]]],
    )
    caption = (
        "Below each, the training picture that is nearest to it. These are pictures of the data: where they "
        "may not be published, --no-pairs leaves them out."
    )
    return Plot("pairs", "Closest pairs", figure, caption, paper=True)
