"""The picture of samples that are vectors: over the data, or on their own where no data were seen."""

from __future__ import annotations

import numpy as np
import torch

from simulacra.core.capabilities import Encodes, Samples
from simulacra.core.noise import Noise
from simulacra.metrics.samples import NEAR, mode_coverage
from simulacra.report import clouds
from simulacra.report.cards import Card
from simulacra.report.html import chart
from simulacra.report.material import Material, untrained
from simulacra.report.numbers import moments

# points that show the strands and sheets of a net's samples
MANY = 100_000
# without data to be drawn over
ALONE = 1000


def samples(m: Material) -> Card | None:
    """New vectors over the data; of an untrained net, a density of very many."""
    if not isinstance(m.model, Samples) or m.config.spec.kind != "vector":
        return None
    return _many(m, m.model) if untrained(m.model) else _over_data(m, m.model)


def _over_data(m: Material, model: Samples) -> Card:
    spec, seed = m.config.spec, m.config.training.seed
    data = None if m.held is None else m.held.x
    x = _drawn(model, ALONE if data is None else len(data), seed)
    truth = None if m.data is None else m.data.truth
    modes, sigma = (None, None) if truth is None else (truth.modes, truth.sigma)
    # columns that are coordinates of one plane
    plane = truth is not None and truth.log_density is not None and spec.shape == (2,)
    figure = clouds.scatter(data, x, spec.columns, modes, NEAR * (sigma or 0), plane)
    against = "" if data is None else f" over {len(data):,} examples of the {m.split} split"
    caption = f"{len(x):,} {_draws(m)}{against}.{_shown(m)}"
    if modes is not None and sigma is not None:
        coverage = mode_coverage(x, modes, sigma)
        caption += (
            f" The samples cover {coverage.covered} of {len(modes)} modes, marked by rings of {NEAR:g}"
            f" standard deviations; {100 * coverage.near:.1f}% of them lie in a ring."
        )
    if data is not None and clouds.unreadable(data, x) is not None:
        caption += f" Mean (standard deviation) of the samples: {moments(x, spec.columns)}."
    return Card("samples", "Samples", chart(figure, "samples and data"), f"{caption} Seed {seed}.")


def _many(m: Material, model: Samples) -> Card:
    spec, seed = m.config.spec, m.config.training.seed
    x = _drawn(model, MANY, seed)
    low, high = clouds.limits(x[:, :2])
    outside = int(((x[:, :2] < low) | (x[:, :2] > high)).any(axis=1).sum())
    more = f" {outside:,} points lie outside the axes." if outside else ""
    caption = (
        f"{MANY:,} {_draws(m)}, at their own scale: the net has seen no data.{_shown(m)}"
        f" Mean (standard deviation): {moments(x, spec.columns)}.{more} Seed {seed}."
    )
    return Card("samples", "Samples", chart(clouds.density(x, spec.columns), "density of samples"), caption)


@torch.no_grad()
def _drawn(model: Samples, n: int, seed: int) -> np.ndarray:
    return np.asarray(model.sample(n, Noise(seed)))


def _draws(m: Material) -> str:
    # a model that encodes shows the mean of its likelihood
    how = "each shown as the mean of p(x | z)" if isinstance(m.model, Encodes) else "x ~ p(x | z)"
    return f"draws of z ~ p(z), {how}"


def _shown(m: Material) -> str:
    D = m.config.spec.shape[0]
    return "" if D <= 2 else f" The first 2 of {D} columns."
