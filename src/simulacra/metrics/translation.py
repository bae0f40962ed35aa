"""How translations fare: against their targets, on the way back, and as a classifier reads them.

Of a pair there are several right translations and one target. So an input is translated several times: how
far the variants are apart says how much they differ (beside how far apart targets of different inputs are),
and the nearest of them to the target whether it is among them (Zhu et al. 2017b, section 5).

The way there and back of a cycle may be near perfect because the translation hides the original where nobody
sees it (Chu, Zhmoginov and Sandler 2017). So the translation is disturbed before it goes back: what hangs on
differences below a grey level is lost when it is rounded to 8 bits, what hangs on fine patterns when it is
blurred or given noise. Beside it stands by how much that moves the translation: what comes back of an open
one moves about as far, of a hidden message much farther.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Cycles, Translates
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset
from simulacra.metrics.features import Extractor
from simulacra.metrics.judge import Compared
from simulacra.metrics.perceptual import apart, perceptual_distance, unit_maps
from simulacra.metrics.reconstruction import l1, psnr, smoothed, ssim
from simulacra.metrics.statistics import Statistics, as_examples

# pixels, and standard deviation of the noise, of 1
BLUR, NOISE = 1.0, 0.02
# groups of numbers, and translations of each input of a pair
GROUPS, VARIANTS = ("translation", "perceptual"), 4
# images whose maps are held at a time: 1.4 MB each in EfficientNet-Lite0
HELD = 16


def quantised(x: Tensor, noise: Noise) -> Tensor:
    """Images in [0, 1] rounded to 8 bits."""
    return (255 * x).round() / 255


def blurred(x: Tensor, noise: Noise) -> Tensor:
    """Under a Gaussian window of sigma `BLUR`, cut off at 4 sigma; the edge is repeated."""
    radius = round(4 * BLUR)
    return smoothed(F.pad(x, [radius] * 4, mode="replicate"), BLUR, radius)


def noisy(x: Tensor, noise: Noise) -> Tensor:
    """With normal noise of standard deviation `NOISE`, clipped to [0, 1]."""
    return (x + NOISE * noise.normal(*x.shape)).clamp(0, 1)


DISTURBED: dict[str, Callable[[Tensor, Noise], Tensor]] = {
    "quantised": quantised,
    "blurred": blurred,
    "noisy": noisy,
}


@dataclass(frozen=True)
class Translated(Compared):
    """What a model made of images, and what is known of that.

    Attributes:
        x: the images that were translated.
        numbers: averages over the examples.
        back: of domains what came back; None of pairs.
        domains: those of x and of the translations; None of pairs.
    """

    x: np.ndarray
    numbers: Mapping[str, float]
    back: np.ndarray | None = None
    domains: tuple[str, str] | None = None


def of_pairs(
    model: Translates,
    batches: Iterable[Batch],
    pairs: Dataset,
    train: Dataset,
    extractor: Extractor,
    groups: Collection[str] = GROUPS,
    variants: int = VARIANTS,
) -> Translated:
    """Translate the inputs of pairs, each several times, and compare with the targets; `made` is the first.

    Args:
        model: translates.
        batches: of the pairs, in order.
        pairs: what is translated.
        train: as `pairs`, what the model was trained on.
        extractor: whose maps `perceptual` looks at.
        groups: of numbers. Without any, one translation is made.
        variants: translations of an input, at least 2.

    Returns:
        Its numbers are `l1`, `psnr` and `ssim` of translation and target; `best_l1` of the nearest of all
        variants; `diversity_l1` between two variants of one input, on average; `targets_l1` between the
        targets of two inputs, where there are two (translation); and but for PSNR and SSIM the same numbers
        of the `perceptual_distance` (perceptual).
    """
    assert pairs.target is not None
    assert train.target is not None
    # of each input the target of another one, far away in the order
    others = np.roll(pairs.target, len(pairs) // 2, axis=0)
    rows, made, start = [], [], 0
    for batch in batches:
        y = batch.target
        assert y is not None
        drawn = [model.translate(batch.x, batch.noise) for _ in range(variants if groups else 1)]
        other = torch.from_numpy(others[start : start + len(y)]).to(y.device).float() / 255
        start += len(y)
        row: dict[str, Tensor] = {}
        if "translation" in groups:
            row |= _compared("l1", l1, drawn, y, other) | {
                "psnr": psnr(drawn[0], y),
                "ssim": ssim(drawn[0], y),
            }
        if "perceptual" in groups:
            row |= _perceptual(extractor, drawn, y, other)
        rows.append(row)
        made.append(as_examples(drawn[0]))
    numbers = _averages(rows)
    if len(pairs) == 1:
        numbers = {name: value for name, value in numbers.items() if not name.startswith("targets_")}
    return Translated(np.concatenate(made), pairs.target, train.target, "", pairs.x, numbers)


def of_domain(
    model: Cycles,
    batches: Iterable[Batch],
    domains: tuple[str, str],
    source: Dataset,
    target: Dataset,
    train: Dataset,
    extractor: Extractor,
    groups: Collection[str] = GROUPS,
) -> Translated:
    """Translate images of one domain into the other and back.

    Args:
        model: translates.
        batches: of the source.
        domains: names of the source and of the target.
        source: images that are translated.
        target: real images of the other domain.
        train: as `target`, of the training split.
        extractor: whose maps `perceptual` looks at.
        groups: of numbers. Without any, nothing is disturbed.

    Returns:
        Its numbers are `cycle_l1` and `cycle_psnr` of images and what came back; for every way in which
        translations are `DISTURBED` before they go back `cycle_l1_...`, the same, and `translation_l1_...`,
        of a translation before and after (translation); and `cycle_perceptual`, the `perceptual_distance`
        of images and what came back (perceptual).
    """
    rows, images = [], []
    for batch in batches:
        x, noise = batch.x, batch.noise
        there = model.translate(x, noise, to=domains[1])
        back = model.translate(there, noise, to=domains[0])
        row: dict[str, Tensor] = {}
        if "translation" in groups:
            row |= {"cycle_l1": l1(back, x), "cycle_psnr": psnr(back, x)}
        if "perceptual" in groups:
            row["cycle_perceptual"] = torch.from_numpy(perceptual_distance(back, x, extractor))
        for name, disturb in DISTURBED.items() if "translation" in groups else ():
            disturbed = disturb(there, noise)
            row[f"cycle_l1_{name}"] = l1(model.translate(disturbed, noise, to=domains[0]), x)
            row[f"translation_l1_{name}"] = l1(disturbed, there)
        rows.append(row)
        images.append((as_examples(there), as_examples(back)))
    made, came_back = map(np.concatenate, zip(*images, strict=True))
    name, numbers = " to ".join(domains), _averages(rows)
    return Translated(made, target.x, train.x, name, source.x, numbers, came_back, domains)


def _compared(
    name: str, distance: Callable[[Any, Any], Tensor], drawn: Sequence[Any], target: Any, other: Any
) -> dict[str, Tensor]:
    """Distances `(B,)` of variants from the target and from each other, and of two targets."""
    off = torch.stack([distance(one, target) for one in drawn])  # (K, B)
    between = torch.stack([distance(one, another) for one, another in combinations(drawn, 2)])
    return {
        name: off[0],
        f"best_{name}": off.min(dim=0).values,
        f"diversity_{name}": between.mean(dim=0),
        f"targets_{name}": distance(target, other),
    }


def _perceptual(
    extractor: Extractor, drawn: Sequence[Tensor], target: Tensor, other: Tensor
) -> dict[str, Tensor]:
    """`_compared` by the perceptual distance; the maps of each image are computed once."""
    rows = []
    for part in zip(*(x.split(HELD) for x in (*drawn, target, other)), strict=True):
        *variants, y, another = (unit_maps(x, extractor) for x in part)
        rows.append(_compared("perceptual", apart, variants, y, another))
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def read(x: np.ndarray, extractor: Extractor) -> np.ndarray | None:
    """The likeliest class of each image, `(N,)`; None where the extractor knows no classes."""
    probs = Statistics(x, extractor, classes=True).probabilities
    return None if probs is None else probs.argmax(axis=1)


def meanings(real: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, int]:
    """Which class of an extractor means a domain: domain -> its index.

    The class of the domain's name, or else the one that most of its real images are read as. Where both
    domains would be the same class, neither is in it.

    Args:
        real: domain -> the classes that its real images are read as, `(N,)`.
        names: of the classes; may be empty.

    >>> meanings({"A": np.array([339, 354, 339]), "B": np.array([340, 340])}, ())
    {'A': 339, 'B': 340}
    """
    found = {
        domain: names.index(domain) if domain in names else int(np.bincount(classes).argmax())
        for domain, classes in real.items()
    }
    return found if len({*found.values()}) == len(found) else {}


def readings(
    of: Translated, extractor: Extractor, real: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """The shares of images of a cycle that a classifier reads as a domain, or as before.

    Args:
        of: a direction of a cycle.
        extractor: knows classes; reads an image as the likeliest of all of them.
        real: domain -> the classes that its real images are read as, `(N,)`.
        names: of the classes; may be empty.

    Returns:
        `back_as_before`, of what came back and is read as the image it came from; and where `meanings` has
        them `target_class`, by its name or index, and the shares that are read as it, `translated_as_target`,
        `real_as_target` of real images of the target domain, `source_as_target` of those that were
        translated; and `back_as_source` and `source_as_source`, read as the class of the source, of what came
        back and of what was translated.
    """
    assert of.domains is not None
    assert of.back is not None
    source, target = of.domains
    translated, back = (read(x, extractor) for x in (of.made, of.back))
    numbers: dict[str, Any] = {"back_as_before": float(np.mean(back == real[source]))}
    means = meanings(real, names)
    if means:
        a, b = means[source], means[target]
        numbers |= {
            "target_class": names[b] if names else str(b),
            "translated_as_target": float(np.mean(translated == b)),
            "real_as_target": float(np.mean(real[target] == b)),
            "source_as_target": float(np.mean(real[source] == b)),
            "back_as_source": float(np.mean(back == a)),
            "source_as_source": float(np.mean(real[source] == a)),
        }
    return numbers


def _averages(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Of each number `(B,)` over all batches."""
    return {name: torch.cat([row[name] for row in rows]).double().mean().item() for name in rows[0]}
