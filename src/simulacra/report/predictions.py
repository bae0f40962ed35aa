"""The pictures of models that predict: each function makes one, or None where it does not apply."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, MixtureSameFamily

from simulacra.core.batch import in_order, tensor, to_bytes
from simulacra.core.capabilities import Predicts
from simulacra.metrics.prediction import WITH_CDF, pit
from simulacra.probability.distributions import Levels, LogisticLevels, marginals, quantile
from simulacra.report import prediction_figures as figures
from simulacra.report.cards import STRIP, WIDTH, Card, layout, tiles
from simulacra.report.figures import LONGEST_NAME, shortened
from simulacra.report.html import chart
from simulacra.report.material import BATCH, Material
from simulacra.report.numbers import column

# columns and rows of a density
GRID = 300
# examples that are drawn over a density, and room above and below them, of their range
DOTS, MARGIN = 700, 0.06
# examples whose intervals are drawn one by one, and columns
LINES, COLUMNS = 300, 4
# examples that images are predicted for: each has very many numbers
IMAGES = 256
# images in a strip; images shown with the class that was named, at random and wrong
STRIPS, SHOWN, WRONG = 6, 12, 6
PERCENT = 80


def conditional_density(m: Material) -> Card | None:
    """p(y | x) as a map, where x and y are a number each."""
    spec = m.config.spec
    if asked(m) != "numbers" or m.held is None or m.held.target is None or spec.target is None:
        return None
    if spec.shape != (1,) or spec.target.shape != (1,):
        return None
    points = np.concatenate([m.held.x, m.held.target], axis=1)
    x, y = _spaced(points[:, 0], 0.0), _spaced(points[:, 1], MARGIN)
    p = cast(Predicts, m.model).predict(torch.from_numpy(x)[:, None])
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
            f" Green: the means of the {weights.shape[1]} components, the wider and the more opaque the"
            " larger their weight."
        )
    names = shortened((spec.columns or ("x",))[0]), shortened((spec.target.columns or ("y",))[0])
    figure = figures.conditional(
        np.asarray(density), x, y, names, points[:DOTS], np.asarray(p.mean[:, 0]), components
    )
    given = f"{names[1]} | {names[0]}"
    caption = (
        f"p({given}) as the model has it, by colours that tell low densities apart better than high ones, and"
        f" {min(len(points), DOTS):,} examples of the {m.split} split.{about}"
        f" Orange: the mean E[{given}], which is all that least squares would answer."
    )
    body = chart(figure, f"density p({given})", "paper")
    return Card("density", "Conditional density", body, caption)


def _spaced(values: np.ndarray, margin: float) -> np.ndarray:
    """`GRID` numbers over the range of the values, and a share of it beyond."""
    low, high = float(values.min()), float(values.max())
    beyond = margin * (high - low) if high > low else 1.0
    return np.linspace(low - beyond, high + beyond, GRID, dtype=np.float32)


def calibration(m: Material) -> Card | None:
    """Whether the probabilities that it names come true."""
    kind = asked(m)
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
        f"Left: where the observed value lies in the predicted distribution, by its distribution function F;"
        " flat is right, a U says intervals are too narrow, a hump too wide. Right: how often central"
        f" intervals hold it. {n:,} examples of the {m.split} split{each}. Grey: where a"
        " perfect model would lie in 95 of 100 cases, by chance alone."
    )
    figure = figures.calibration(np.asarray(u.flatten()), independent(u))
    return Card("calibration", "Calibration", chart(figure, "calibration of predictions"), caption)


def independent(u: Tensor) -> int:
    """How many independent numbers `(N, T)` dependent ones are worth, from N to N T.

    N T over the design effect (Kish 1965, Survey Sampling): by how much the share of an example's T numbers
    that fall in a bin varies more over the examples than if they were independent.

    >>> u = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    >>> independent(u), independent(u.expand(-1, 5)), independent(u.reshape(200, 5)) > 900
    (1000, 1000, True)
    """
    N, T = u.shape
    place = (u * figures.BINS).long().clamp(max=figures.BINS - 1)
    shares = torch.stack([(place == k).double().mean(dim=1) for k in range(figures.BINS)], dim=1)  # (N, bins)
    p = shares.mean(dim=0)
    alone = (p * (1 - p)).sum() / T
    effect = float(shares.var(dim=0, correction=0).sum() / alone) if alone > 0 else float(T)
    return round(N * T / min(max(effect, 1.0), T))


def _reliability(m: Material) -> Card:
    probs, y = _classes(m)
    confidence, guess = probs.max(axis=1), probs.argmax(axis=1)
    caption = (
        f"Left: how often the class named is the true one, by the probability given to it, in ten bins; on"
        f" the diagonal the model is right as often as it says. Right: how many of the {len(y):,} examples of"
        f" the {m.split} split are in which bin. Grey: where a perfect model would lie in 95 of 100 cases, by"
        " chance alone."
    )
    figure = figures.reliability(confidence, guess == y)
    return Card("calibration", "Calibration", chart(figure, "reliability of classes"), caption)


def observed(m: Material) -> Card | None:
    """Predicted means against what was observed, column by column."""
    target = m.config.spec.target
    if asked(m) != "numbers" or target is None:
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
        f"The predicted mean of {len(true):,} random examples of the {m.split} split against what was"
        f" observed; {what}, the diagonal a perfect answer."
        + (f" The first {COLUMNS} of {T} columns." if T > COLUMNS else "")
    )
    figure = figures.observed(true, mean, (around[0], around[1]) if around else None, names)
    return Card("observed", "Predicted against observed", chart(figure, "predicted, by observed"), caption)


def strips(m: Material) -> Card | None:
    """Held-out images: input, target, predicted mean, predicted deviation."""
    if asked(m) != "image" or m.held is None or m.held.target is None:
        return None
    n = min(STRIPS, len(m.held))
    ((p, _),) = predicted(m, n)
    deviation = _deviation(p).square().mean(dim=1, keepdim=True).sqrt()
    white = float(deviation.max())
    rows = [
        ("input", m.held.x[:n]),
        ("target", m.held.target[:n]),
        ("mean", to_bytes(p.mean)),
        ("deviation", to_bytes(deviation / max(white, 1e-12))),
    ]
    body = ""
    for name, x in rows:
        if x.ndim == 4:  # vectors have no picture
            scale, _ = layout(x.shape[1:], target=STRIP // STRIPS - 4, width=STRIP, most=STRIPS)
            body += f"<div>{name}</div>{tiles(x, n, scale, f'{name} of {n} examples')}"
    caption = (
        f"{n} random examples of the {m.split} split. The deviation is predicted for every pixel: black is 0,"
        f" white is {white:.2g} where the image reaches from 0 to 1."
    )
    return Card("strips", "Predicted images", f'<div class="pairs strips">{body}</div>', caption)


def _deviation(p: Distribution) -> Tensor:
    """Standard deviation of every pixel, `(B, C, H, W)`."""
    each = marginals(p)
    if isinstance(each, LogisticLevels):
        each = each.to_levels()
    if isinstance(each, Levels):
        values = torch.linspace(0, 1, Levels.levels)
        return (each.log_probs.exp() @ values.square() - each.mean.square()).clamp(min=0).sqrt()
    return each.stddev


def named(m: Material) -> Card | None:
    """Held-out images with their class and the one that was named, and the surest mistakes."""
    if asked(m) != "classes" or m.held is None or m.config.spec.kind != "image":
        return None
    probs, y = _classes(m)
    guess, confidence = probs.argmax(axis=1), probs.max(axis=1)
    wrong = np.flatnonzero(guess != y)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:WRONG]
    scale, columns = layout(m.config.spec.shape, target=64, width=WIDTH, most=6)
    x, classes, width = m.held.x, m.held.spec.classes, scale * m.config.spec.shape[2]

    def cell(i: int) -> str:
        name, percent, right = shortened(classes[guess[i]]), f"{100 * confidence[i]:.0f}%", guess[i] == y[i]
        true = "" if right else f"<br>true: {escape(shortened(classes[y[i]]))}"
        picture = tiles(x[i : i + 1], 1, scale, f"{name}, {percent}, {'right' if right else 'wrong'}")
        return f"<div{'' if right else ' class=wrong'}>{picture}<b>{escape(name)}</b> {percent}{true}</div>"

    def row(title: str, index: np.ndarray) -> str:
        cells = "".join(map(cell, index))
        return f'<h3>{title}</h3><div class="named" style="--n: {columns}; --w: {width}px">{cells}</div>'

    body = row("at random", np.arange(min(SHOWN, len(y))))
    if len(surest):
        body += row("the surest mistakes", surest)
    caption = (
        f"Below each image of the {m.split} split the class that the model names, with its probability; where"
        f" that is wrong, framed, what it is. {len(wrong):,} of {len(y):,} are wrong."
    )
    return Card("named", "Classes named", body, caption)


def asked(m: Material) -> Literal["numbers", "image", "classes"] | None:
    """What the model predicts; None where it predicts nothing, or the data do not have the answers."""
    if not isinstance(m.model, Predicts) or m.held is None:
        return None
    spec = m.config.spec
    p = m.model.predict(tensor(m.held.x[:1]))
    if spec.target is None or isinstance(p, Categorical):
        return "classes" if m.held.y is not None and m.held.spec.classes == spec.classes else None
    return "image" if spec.target.kind == "image" else "numbers"


def predicted(m: Material, most: int | None = None) -> Iterator[tuple[Distribution, Tensor]]:
    """p(y | x) and y of held-out examples in order, batch by batch; of the first so many."""
    if asked(m) is not None and m.held is not None and isinstance(m.model, Predicts):
        for batch in in_order(m.held.take(slice(0, most)), BATCH, torch.device("cpu")):
            yield m.model.predict(batch.x), m.model.targets(batch)


def _classes(m: Material) -> tuple[np.ndarray, np.ndarray]:
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
