"""Memorised people: samples that are closer to a training example than new data are."""

from __future__ import annotations

from math import floor

import numpy as np

from simulacra.audit.generator.charts import ACROSS, strips
from simulacra.audit.generator.grouped import GroupedGenerator
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import newcombe, wilson
from simulacra.audit.shared.phrasing import amount, base, format_estimate, frequency
from simulacra.metrics.neighbours import copies, duplicates, nearest

# samples and held-out examples whose neighbours are searched, at most; training examples at a time
LARGEST, AT_ONCE = 1_000, 2_000
# share of held-out examples that are closer than what is called close
CLOSE = 0.05


def memorised_section(audited: GroupedGenerator, pairs: bool = True) -> Section:
    """How many samples are closer to a training example than held-out data typically are, and which."""
    train, noun = audited.data.train.x, audited.noun
    rng = np.random.default_rng([audited.seed, 4])
    held_out = audited.held_out[rng.permutation(len(audited.held_out))[:LARGEST]]
    samples = audited.samples[:LARGEST]
    n, title = len(samples), "Who is memorised"
    limits = (
        "Whether a person can be recognised: look at the pairs. Blurred or typical samples are close to many "
        "examples without repeating one; a partial or mirrored copy need not be close. The distances are "
        f"those of {audited.extractor.name} features."
    )
    what = "share of close samples less share of close held-out examples"
    if min(len(held_out), n) < max(audited.minimum, round(1 / CLOSE)):
        sentence = (
            f"Memorised {noun}: withheld, {len(held_out):,} held-out {noun} are too few to compare with."
        )
        withheld = Finding("memorised", sentence, "withheld", limits, what)
        return Section("memorised", title, "generator", [withheld])
    index, distance = closest(np.concatenate([samples, held_out]), train, audited)
    of_samples, of_new = distance[:n], distance[n:]
    # close: closer than all but 5% of held-out examples are
    rank = max(1, floor(CLOSE * len(held_out)))
    bound = float(np.partition(of_new, rank)[rank])
    k, k_new = int((of_samples < bound).sum()), int((of_new < bound).sum())
    d = newcombe(k, n, k_new, len(held_out))
    close, close_new = wilson(k, n), wilson(k_new, len(held_out))
    people = base(close.value, close_new.value)
    typical = float(np.median(of_samples) / max(float(np.median(of_new)), 1e-12))
    sentence = (
        f"Of {people:,} samples, {frequency(close.value, people)} are closer to one of the {len(train):,} "
        f"training {noun} than all but {frequency(close_new.value, people)} of {people:,} held-out {noun} "
        f"are: difference {format_estimate(d)}."
    )
    none = "The data are compatible with samples no closer than new data are."
    more = {"close": close, "held-out": close_new, "typical-distance": Estimate(typical)}
    sure = d.ends[0] > 0
    finding = conclude(sure, none, "memorised", sentence, limits, what, d, n, more, "distances")
    same, again, count = copies(audited.samples, train), duplicates(audited.samples), len(audited.samples)
    sentence = (
        f"Of {count:,} samples, {same:,} equal a training example in every number, and {again:,} an earlier "
        "sample."
    )
    limits = "Near copies: a difference in one number is enough."
    what, equal = "share of samples that equal a training example", wilson(same, count)
    more = {"duplicates": wilson(again, count)}
    exact = conclude(same > 0, "", "copies", sentence, limits, what, equal, count, more, "distances")
    drawn = [("samples", n, close), (f"held-out {noun}", len(held_out), close_new)]
    caption = (
        f"Closer than {amount(bound)} to a training example; the median distance of samples is "
        f"{amount(typical)} times that of held-out {noun}. Intervals 95%, Wilson's."
    )
    plots = [Plot("distances", "Close to a training example", rows(drawn, "share", shares=True), caption)]
    if pairs and audited.image:
        order, order_new = (np.argsort(part, kind="stable")[:ACROSS] for part in (of_samples, of_new))
        found, new = (
            "The samples closest to a training picture",
            "For comparison: the closest held-out pictures",
        )
        each = [samples[order], train[index[order]], held_out[order_new], train[index[n + order_new]]]
        figure = strips([found, "", new, ""], each)
        caption = (
            "Below each, the closest training picture. These pictures belong to the data: where they must "
            "not be published, leave them out with --no-pairs."
        )
        plots.append(Plot("pairs", "Closest pairs", figure, caption, paper=True))
    return Section("memorised", title, "generator", [finding, exact], plots)


def closest(x: np.ndarray, train: np.ndarray, audited: GroupedGenerator) -> tuple[np.ndarray, np.ndarray]:
    """Index of and distance to the closest training example of each of x, both `(N,)`."""
    of = audited.features(x)
    index, distance = np.zeros(len(x), np.int64), np.full(len(x), np.inf)
    for start in range(0, len(train), AT_ONCE):
        there, d = nearest(of, audited.features(train[start : start + AT_ONCE]))
        closer = d < distance
        index[closer], distance[closer] = there[closer] + start, d[closer]
    return index, distance
