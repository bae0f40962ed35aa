"""Report cards of models that sample: images, vectors over the data, and shares of modes and classes."""

from __future__ import annotations

import numpy as np

from simulacra.core.batch import to_bytes
from simulacra.core.capabilities import UNTRAINED_POINTS, Samples
from simulacra.core.inference import draw
from simulacra.metrics.neighbours import nearest
from simulacra.metrics.samples import NEAR, mode_coverage
from simulacra.report import clouds, figures
from simulacra.report.inline_images import LABELLED_WIDTH, WIDTH, chart, layout, tiles
from simulacra.report.material import Material
from simulacra.report.numbers import moments
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.tables import column_charts, sampled_rows
from simulacra.report.templating import render

# vectors without data to be drawn over
ALONE = 1000
# enough for shares to a standard error of 0.005
FOR_SHARES = 10_000
# of training images that distances are computed to at a time
NUMBERS = 2**24


def image_samples(m: Material[Samples]) -> ReportCard | None:
    """Samples that are images, beside as many held-out ones."""
    if m.config.spec.kind != "image":
        return None
    seed = m.config.training.seed
    scale, columns = layout(m.config.spec.shape, target=58, width=WIDTH, most=8)
    n = columns**2 if m.held is None else min(columns**2, len(m.held))
    caption = f"{n} draws of z ~ p(z), {_decoded(m.model)}"
    samples = tiles(to_bytes(draw(m.model, n, seed)), columns, scale, f"{n} samples")
    if m.held is None:
        return ReportCard("samples", "Samples", samples, f"{caption}. Seed {seed}; not selected.")
    grids = [
        (f"images of the {m.split} split", tiles(m.held.x[:n], columns, scale, f"{n} real images")),
        ("samples", samples),
    ]
    caption = f"{n} random images of the {m.split} split, and {caption}. Seed {seed}; none selected."
    return ReportCard("samples", "Real images and samples", render("beside.html", grids=grids), caption, True)


def nearest_images(m: Material[Samples]) -> ReportCard | None:
    """Samples above the training images nearest to them, and held-out images above those nearest to them."""
    if m.config.spec.kind != "image" or m.data is None or m.held is None or m.model.untrained:
        return None
    scale, columns = layout(m.config.spec.shape, target=48, width=LABELLED_WIDTH, most=8)
    samples = to_bytes(draw(m.model, columns, m.config.training.seed))
    rows = []
    for name, x in (("sample", samples), (m.split, m.held.x[:columns])):
        index = nearest_rows(x, m.data.train.x)
        rows.append((name, tiles(x, columns, scale, f"{len(x)} images: {name}")))
        rows.append(("nearest", tiles(m.data.train.x[index], columns, scale, f"nearest to each: {name}")))
    caption = (
        f"Samples, and images of the {m.split} split, each above the nearest of all"
        f" {len(m.data.train):,} training images (Euclidean distance of the pixels). Samples that are much"
        f" nearer to theirs than images of the {m.split} split are to theirs may be memorised."
    )
    body = render("strips.html", rows=rows, strips=False)
    return ReportCard("nearest", "Nearest training images", body, caption)


def nearest_rows(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The index of the nearest of `train` `(N, ...)` for each of x `(M, ...)`, `(M,)`; a part at a time.

    >>> nearest_rows(np.array([[0.9], [4.0]]), np.array([[0.0], [1.0], [5.0]]))
    array([1, 2])
    """
    x = x.reshape(len(x), -1)
    best, at = np.full(len(x), np.inf), np.zeros(len(x), np.int64)
    rows = max(1, NUMBERS // x.shape[1])
    for start in range(0, len(train), rows):
        part = train[start : start + rows]
        index, distance = nearest(x, part.reshape(len(part), -1))
        at = np.where(distance < best, start + index, at)
        best = np.minimum(best, distance)
    return at


def vector_samples(m: Material[Samples]) -> ReportCard | None:
    """Samples that are vectors, over the data; the density of very many from an untrained net."""
    spec = m.config.spec
    # codes of categories are no coordinates
    if spec.kind != "vector" or (spec.schema is not None and not spec.schema.continuous):
        return None
    return _density(m) if m.model.untrained else _over_data(m)


def _over_data(m: Material[Samples]) -> ReportCard:
    spec, seed = m.config.spec, m.config.training.seed
    data = None if m.held is None else m.held.x
    x = np.asarray(draw(m.model, ALONE if data is None else len(data), seed))
    truth = None if m.data is None else m.data.truth
    modes, sigma = (None, None) if truth is None else (truth.modes, truth.sigma)
    # columns that are coordinates of one plane
    plane = truth is not None and truth.log_density is not None and spec.shape == (2,)
    figure = clouds.scatter(data, x, spec.columns, modes, NEAR * (sigma or 0), plane)
    against = "" if data is None else f", over {len(data):,} examples of the {m.split} split"
    caption = f"{len(x):,} draws of z ~ p(z), {_decoded(m.model)}{against}.{_columns(m)}"
    if modes is not None and sigma is not None:
        coverage = mode_coverage(x, modes, sigma)
        caption += (
            f" The samples cover {coverage.covered} of {len(modes)} modes, marked by rings of {NEAR:g}"
            f" standard deviations; {100 * coverage.near:.1f}% of them lie in a ring."
        )
    if data is not None and clouds.unreadable(data, x) is not None:
        caption += f" Mean (standard deviation) of the samples: {moments(x, spec.columns)}."
    return ReportCard("samples", "Samples", chart(figure, "samples and data"), f"{caption} Seed {seed}.")


def _density(m: Material[Samples]) -> ReportCard:
    spec, seed = m.config.spec, m.config.training.seed
    x = np.asarray(draw(m.model, UNTRAINED_POINTS, seed))
    low, high = clouds.limits(x[:, :2])
    outside = int(((x[:, :2] < low) | (x[:, :2] > high)).any(axis=1).sum())
    more = f" {outside:,} points lie outside the axes." if outside else ""
    caption = (
        f"{len(x):,} draws of z ~ p(z), {_decoded(m.model)}; the net is untrained, so the data are not"
        f" shown.{_columns(m)} Mean (standard deviation): {moments(x, spec.columns)}.{more} Seed {seed}."
    )
    figure = clouds.density(x, spec.columns)
    return ReportCard("samples", "Samples", chart(figure, "density of samples"), caption)


def _decoded(model: Samples) -> str:
    if not model.has_likelihood:
        return "decoded to x = g(z)"
    return (
        "each the mean of p(x | z)" if model.spec.kind == "image" else "each decoded to a draw from p(x | z)"
    )


def _columns(m: Material[Samples]) -> str:
    D = m.config.spec.shape[0]
    return "" if D <= 2 else f" The first 2 of {D} columns."


def mode_shares(m: Material[Samples]) -> ReportCard | None:
    """Shares of samples and data at each mode, for simulated data whose modes are known."""
    if m.model.untrained or m.data is None or m.held is None:
        return None
    centres, sigma = m.data.truth.modes, m.data.truth.sigma
    if centres is None or sigma is None:
        return None
    seed, data = m.config.training.seed, m.data.split(m.split).x
    x = np.asarray(draw(m.model, FOR_SHARES, seed))
    shares = []
    for points in (data, x):
        coverage = mode_coverage(points, centres, sigma)
        shares.append(np.append(coverage.counts / len(points), 1 - coverage.near))
    names = [*(str(k + 1) for k in range(len(centres))), "none"]
    figure = figures.shares(names, shares[0], shares[1], "mode")
    caption = (
        f"Shares of {len(x):,} samples, and of the {len(data):,} examples of the {m.split} split, within"
        f" {NEAR:g} standard deviations of each mode; the last bars count points near no mode. Seed {seed}."
    )
    return ReportCard("modes", "Modes", chart(figure, "shares of samples and data at every mode"), caption)


def class_shares(m: Material[Samples]) -> ReportCard | None:
    """Shares of samples and data in each class, as the extractor of the last evaluation classifies them."""
    names = m.config.spec.classes
    events = [event for event in m.run.events("evaluation") if "class_shares" in event]
    if not events or len(events[-1]["class_shares"]) != len(names):
        return None
    event = events[-1]
    data, samples = (np.array(event[key]) for key in ("class_shares_data", "class_shares"))
    figure = figures.shares(names, data, samples, "class")
    caption = (
        f"Shares of {event['samples']:,} samples, and of {event['real']:,} examples of {event['data']}, that"
        f" the {event['extractor']} assigns to each class. Seed {event['seed']}."
    )
    return ReportCard("classes", "Classes", chart(figure, "shares of the classes"), caption)


CARDS: Cards = {
    Samples: (
        image_samples,
        nearest_images,
        sampled_rows,
        column_charts,
        vector_samples,
        mode_shares,
        class_shares,
    ),
}
