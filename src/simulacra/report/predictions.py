"""Report cards of models that predict: densities, calibration, images and classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

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
from simulacra.report.figures import LONGEST_NAME, shortened
from simulacra.report.inline_images import LABELLED_WIDTH, WIDTH, chart, layout, tiles
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
# predicted images in a row; classified images shown at random, and classified wrongly
ACROSS, SHOWN, WRONG = 6, 12, 6
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
    """Whether predicted probabilities agree with observed frequencies."""
    kind = predicted_kind(m)
    if kind == "classes":
        return _reliability(m)
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


def _reliability(m: Material[Predicts]) -> ReportCard:
    probs, y = _classes(m)
    confidence, guess = probs.max(axis=1), probs.argmax(axis=1)
    caption = (
        "Left: accuracy by the probability of the predicted class, in ten bins; on the diagonal the model"
        f" is calibrated. Right: how many of the {len(y):,} examples of the {m.split} split are in each bin."
        " Grey: 95% range of a perfectly calibrated model."
    )
    figure = figures.reliability(confidence, guess == y)
    return ReportCard("calibration", "Calibration", chart(figure, "reliability of classes"), caption)


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


def classified_images(m: Material[Predicts]) -> ReportCard | None:
    """Held-out images with their predicted classes, and the mistakes of highest confidence."""
    if predicted_kind(m) != "classes" or m.held is None or m.config.spec.kind != "image":
        return None
    probs, y = _classes(m)
    guess, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(guess != y)
    confident = wrong[np.argsort(-confidence[wrong], kind="stable")][:WRONG]
    scale, columns = layout(m.config.spec.shape, target=64, width=WIDTH, most=6)
    x, classes, width = m.held.x, m.held.spec.classes, scale * m.config.spec.shape[2]

    def cell(i: int) -> dict[str, Any]:
        name, percent, right = shortened(classes[guess[i]]), f"{100 * confidence[i]:.0f}%", guess[i] == y[i]
        image = tiles(x[i : i + 1], 1, scale, f"{name}, {percent}, {'right' if right else 'wrong'}")
        true = "" if right else shortened(classes[y[i]])
        return {"name": name, "percent": percent, "image": image, "true": true}

    rows = [("random examples", [cell(i) for i in range(min(SHOWN, len(y)))])]
    if len(confident):
        rows.append(("most confident mistakes", [cell(i) for i in confident]))
    caption = (
        f"Images of the {m.split} split, the predicted class of each and its probability. Mistakes are"
        f" framed, with the true class. {len(wrong):,} of {len(y):,} are wrong."
    )
    body = render("labelled.html", rows=rows, columns=columns, width=width)
    return ReportCard("predictions", "Predictions", body, caption)


def predicted_kind(m: Material[Predicts]) -> Literal["numbers", "image", "classes"] | None:
    """What the model predicts; None where the data lack the targets or the labels."""
    if m.held is None:
        return None
    spec = m.config.spec
    p = m.model.predict(tensor(m.held.x[:1]))
    if spec.target is None or isinstance(p, Categorical):
        return "classes" if m.held.y is not None and m.held.spec.classes == spec.classes else None
    return "image" if spec.target.kind == "image" else "numbers"


def predicted(m: Material[Predicts], most: int | None = None) -> Iterator[tuple[Distribution, Tensor]]:
    """p(y | x) and y of at most so many held-out examples in order, batch by batch."""
    if predicted_kind(m) is not None and m.held is not None:
        yield from predict_all(m.model, m.held.take(slice(0, most)))


def _classes(m: Material[Predicts]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of the classes `(N, K)` and labels `(N,)` of held-out examples."""
    probs = []
    for p, _ in predicted(m):
        if isinstance(p, Categorical):
            probs.append(p.probs)
        else:  # one number, the probability of the second of two
            probs.append(torch.cat([1 - p.mean, p.mean], dim=1))
    assert m.held is not None
    assert m.held.y is not None
    return torch.cat(probs).numpy(), m.held.y


CARDS: Cards = {
    Predicts: (conditional_density, arms, predicted_images, classified_images, observed, calibration)
}
