"""Report cards of models that predict: densities, calibration, images and classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Predicts
from simulacra.core.inference import predict_all
from simulacra.metrics.prediction import WITH_CDF, pit
from simulacra.probability.distributions import Levels, LogisticLevels, marginals, quantile
from simulacra.report import prediction_figures as figures
from simulacra.report.arms import arms
from simulacra.report.classes import by_class, classified_images, confusion, reliability
from simulacra.report.figures import LONGEST_NAME, shortened
from simulacra.report.inline_images import LABELLED_WIDTH, chart, layout, tiles
from simulacra.report.material import Material
from simulacra.report.numbers import column
from simulacra.report.report_card import Cards, ReportCard
from simulacra.report.templating import render

# columns and rows of a density
GRID = 300
# examples that are drawn over a density, and room above and below them, of their range
DOTS, MARGIN = 700, 0.06
# examples whose intervals are drawn one by one, and columns
LINES, COLUMNS = 300, 4
# examples with predicted images that calibration uses: each has very many numbers
IMAGES = 256
# predicted images in a row
ACROSS = 6
PERCENT = 80


def conditional_density(m: Material[Predicts]) -> ReportCard | None:
    """p(y | x) as a map, where x and y are a number each."""
    spec = m.config.spec
    if predicted_kind(m) != "numbers" or m.held is None or m.held.target is None or spec.target is None:
        return None
    if spec.shape != (1,) or spec.target.shape != (1,):
        return None
    points = np.concatenate([m.held.x, m.held.target], axis=1)
    x, y = _spaced(points[:, 0], 0.0), _spaced(points[:, 1], MARGIN)
    p = m.model.predict(torch.from_numpy(x)[:, None])
    single = marginals(p)
    if not isinstance(single, WITH_CDF):
        return None
    each = torch.from_numpy(y)[:, None, None].expand(-1, len(x), 1)  # (H, W, 1)
    supported = single.support.check(each)[..., 0]
    density = p.log_prob(each).exp().where(supported, 0.0)
    components, about = None, ""
    if isinstance(p, MixtureSameFamily):
        weights = p.mixture_distribution.probs
        components = (np.asarray(p.component_distribution.mean[..., 0]), np.asarray(weights))
        about = (
            f" Green: the means of the {weights.shape[1]} components; width and opacity grow with their"
            " weights."
        )
    names = shortened((spec.columns or ("x",))[0]), shortened((spec.target.columns or ("y",))[0])
    figure = figures.conditional(
        np.asarray(density), x, y, names, points[:DOTS], np.asarray(p.mean[:, 0]), components
    )
    given = f"{names[1]} | {names[0]}"
    caption = (
        f"p({given}) of the model, in colours with more contrast at low densities, and"
        f" {min(len(points), DOTS):,} examples of the {m.split} split.{about}"
        f" Orange: the mean E[{given}], the only prediction of least squares."
    )
    body = chart(figure, f"density p({given})", "paper")
    return ReportCard("density", "Conditional density", body, caption)


def _spaced(values: np.ndarray, margin: float) -> np.ndarray:
    """`GRID` numbers over the range of the values, and a share of it beyond."""
    low, high = float(values.min()), float(values.max())
    beyond = margin * (high - low) if high > low else 1.0
    return np.linspace(low - beyond, high + beyond, GRID, dtype=np.float32)


def calibration(m: Material[Predicts]) -> ReportCard | None:
    """Whether predicted probabilities of numbers agree with observed frequencies."""
    kind = predicted_kind(m)
    if kind == "classes":
        return None
    transforms = []
    for p, y in predicted(m, IMAGES if kind == "image" else None):
        single = marginals(p)
        if not isinstance(single, WITH_CDF):
            return None
        transforms.append(pit(single, y).flatten(1))
    if not transforms:
        return None
    u = torch.cat(transforms).double()
    n, T = u.shape
    each = "" if T == 1 else f", {T:,} numbers each"
    caption = (
        "Left: the predicted distribution function F at the observed values; flat is calibrated, a U means"
        " intervals that are too narrow, a hump intervals that are too wide. Right: how often central"
        f" intervals contain the observed value. {n:,} examples of the {m.split} split{each}. Grey: 95%"
        " range of a perfectly calibrated model."
    )
    figure = figures.calibration(np.asarray(u.flatten()), effective_count(u))
    return ReportCard("calibration", "Calibration", chart(figure, "calibration of predictions"), caption)


def effective_count(u: Tensor) -> int:
    """Effective number of independent ones among dependent numbers `(N, T)`, from N to N T.

    N T over the design effect (Kish 1965, Survey Sampling): the variance over the examples of the share of an
    example's T numbers in a bin, relative to that of independent numbers.

    >>> u = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    >>> effective_count(u), effective_count(u.expand(-1, 5)), effective_count(u.reshape(200, 5)) > 900
    (1000, 1000, True)
    """
    N, T = u.shape
    place = (u * figures.BINS).long().clamp(max=figures.BINS - 1)
    shares = torch.stack([(place == k).double().mean(dim=1) for k in range(figures.BINS)], dim=1)  # (N, bins)
    p = shares.mean(dim=0)
    alone = (p * (1 - p)).sum() / T
    effect = float(shares.var(dim=0, correction=0).sum() / alone) if alone > 0 else float(T)
    return round(N * T / min(max(effect, 1.0), T))


def observed(m: Material[Predicts]) -> ReportCard | None:
    """Predicted means against observed values, column by column."""
    target = m.config.spec.target
    if predicted_kind(m) != "numbers" or target is None:
        return None
    rows: list[list[Tensor]] = []
    for p, y in predicted(m, LINES):
        each = marginals(p)
        ends = [(50 + side * PERCENT / 2) / 100 for side in (-1, 1)]
        interval = [quantile(each, q) for q in ends] if isinstance(each, WITH_CDF) else []
        rows.append([y, p.mean, *interval])
    true, mean, *around = (torch.cat(part)[:, :COLUMNS].numpy() for part in zip(*rows, strict=True))
    T = target.shape[0]
    longest = 2 * LONGEST_NAME if T == 1 else LONGEST_NAME
    names = [shortened(column(target.columns, i), longest) for i in range(true.shape[1])]
    what = f"thin lines are central {PERCENT}% intervals" if around else "each dot is an example"
    caption = (
        f"The predicted mean of {len(true):,} random examples of the {m.split} split against the"
        f" observed values; {what}, the diagonal a perfect prediction."
        + (f" The first {COLUMNS} of {T} columns." if T > COLUMNS else "")
    )
    figure = figures.observed(true, mean, (around[0], around[1]) if around else None, names)
    return ReportCard(
        "observed", "Predicted against observed", chart(figure, "predicted, by observed"), caption
    )


def predicted_images(m: Material[Predicts]) -> ReportCard | None:
    """Held-out images: input, target, predicted mean, predicted deviation."""
    if predicted_kind(m) != "image" or m.held is None or m.held.target is None:
        return None
    n = min(ACROSS, len(m.held))
    ((p, _),) = predicted(m, n)
    deviation = _deviation(p).square().mean(dim=1, keepdim=True).sqrt()
    white = float(deviation.max())
    rows = [
        ("input", m.held.x[:n]),
        ("target", m.held.target[:n]),
        ("mean", to_bytes(p.mean)),
        ("deviation", to_bytes(deviation / max(white, 1e-12))),
    ]
    tiled = []
    for name, x in rows:
        if x.ndim == 4:  # inputs may be vectors
            target = LABELLED_WIDTH // ACROSS - 4
            scale, _ = layout(x.shape[1:], target=target, width=LABELLED_WIDTH, most=ACROSS)
            tiled.append((name, tiles(x, n, scale, f"{name} of {n} examples")))
    body = render("strips.html", rows=tiled, strips=True)
    caption = (
        f"{n} random examples of the {m.split} split. The deviation is the predicted standard deviation of"
        f" every pixel: black is 0, white is {white:.2g}, for images in [0, 1]."
    )
    return ReportCard("predicted-images", "Predicted images", body, caption)


def _deviation(p: Distribution) -> Tensor:
    """Standard deviation of every pixel, `(B, C, H, W)`."""
    each = marginals(p)
    if isinstance(each, LogisticLevels):
        each = each.to_levels()
    if isinstance(each, Levels):
        values = torch.linspace(0, 1, Levels.levels)
        return (each.log_probs.exp() @ values.square() - each.mean.square()).clamp(min=0).sqrt()
    return each.stddev


def predicted_kind(m: Material[Predicts]) -> Literal["numbers", "image", "classes"] | None:
    """What the model predicts; None where the data lack the targets or the labels."""
    if m.classified is not None:
        return "classes"
    target = m.config.spec.target
    if m.held is None or target is None or isinstance(m.model.predict(tensor(m.held.x[:1])), Categorical):
        return None
    return "image" if target.kind == "image" else "numbers"


def predicted(m: Material[Predicts], most: int | None = None) -> Iterator[tuple[Distribution, Tensor]]:
    """p(y | x) and y of at most so many held-out examples in order, batch by batch."""
    if predicted_kind(m) is not None and m.held is not None:
        yield from predict_all(m.model, m.held.take(slice(0, most)))


CARDS: Cards = {
    Predicts: (
        conditional_density,
        arms,
        predicted_images,
        classified_images,
        reliability,
        confusion,
        by_class,
        observed,
        calibration,
    )
}
