"""Quality of translations: distances from targets, cycle errors, and how a classifier classifies them.

An input of a pair has several right translations and one target. So it is translated several times: the
distance between variants measures their diversity (compared with that between targets of different inputs),
and the variant nearest to the target shows whether the target is among them (Zhu et al. 2017b, section 5).

A cycle error may be small because the translation hides the original where nobody sees it (Chu, Zhmoginov
and Sandler 2017). So the translation is disturbed before it is translated back: rounding to 8 bits destroys
messages below a grey level, blur and noise destroy those in fine patterns. The cycle error then rises about
as much as the disturbance changes the translation if nothing is hidden, and much more if something is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import Batch, in_order
from simulacra.core.capabilities import Cycles, Translates
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset
from simulacra.errors import DataError
from simulacra.metrics.features import Extractor
from simulacra.metrics.perceptual import perceptual_distance, unit_maps
from simulacra.metrics.reconstruction import PSNR, SSIM, l1, psnr, smoothed, ssim
from simulacra.metrics.registry import Measurement, Metric, Score, by_direction, register
from simulacra.metrics.sample_scores import SampleSets
from simulacra.metrics.statistics import Statistics, as_examples
from simulacra.nets.perceptual import map_distance

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

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


DISTURBANCES: dict[str, Callable[[Tensor, Noise], Tensor]] = {
    "quantised": quantised,
    "blurred": blurred,
    "noisy": noisy,
}


@dataclass(frozen=True)
class Translated(SampleSets):
    """Images, their translations, and numbers of both.

    Attributes:
        x: the images that were translated.
        numbers: averages over the examples.
        back: between domains, the translations translated back; None for pairs.
        domains: those of x and of the translations; None for pairs.
    """

    x: np.ndarray
    numbers: Mapping[str, float]
    back: np.ndarray | None = None
    domains: tuple[str, str] | None = None


def translate_pairs(
    model: Translates,
    batches: Iterable[Batch],
    pairs: Dataset,
    train: Dataset,
    extractor: Extractor,
    groups: Collection[str] = GROUPS,
    variants: int = VARIANTS,
) -> Translated:
    """Translate the inputs of pairs, each several times, and compare with the targets.

    Args:
        model: translates.
        batches: of the pairs, in order.
        pairs: what is translated.
        train: as `pairs`, what the model was trained on.
        extractor: whose maps `perceptual` compares.
        groups: of numbers. Without any, one translation is made.
        variants: translations of an input, at least 2.

    Returns:
        The first translations as `samples`. Its numbers are `l1`, `psnr` and `ssim` of translation and
        target; `best_l1` of the variant nearest to the target; `diversity_l1` between two variants of one
        input, on average; `targets_l1` between the targets of two inputs, where there are two (translation);
        and but for PSNR and SSIM the same numbers of the `perceptual_distance` (perceptual).
    """
    assert pairs.target is not None
    assert train.target is not None
    # of each input the target of another one, far away in the order
    others = np.roll(pairs.target, len(pairs) // 2, axis=0)
    rows, first, start = [], [], 0
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
        first.append(as_examples(drawn[0]))
    numbers = _averages(rows)
    if len(pairs) == 1:
        numbers = {name: value for name, value in numbers.items() if not name.startswith("targets_")}
    return Translated(np.concatenate(first), pairs.target, train.target, "", pairs.x, numbers)


def translate_cycle(
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
        extractor: whose maps `perceptual` compares.
        groups: of numbers. Without any, nothing is disturbed.

    Returns:
        Its numbers are `cycle_l1` and `cycle_psnr` of images and their cycles; for each of `DISTURBANCES`
        `cycle_l1_...`, with the translation disturbed before it is translated back, and
        `translation_l1_...`, the change of the translation (translation); and `cycle_perceptual`, the
        `perceptual_distance` of images and their cycles (perceptual).
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
        for name, disturb in DISTURBANCES.items() if "translation" in groups else ():
            disturbed = disturb(there, noise)
            row[f"cycle_l1_{name}"] = l1(model.translate(disturbed, noise, to=domains[0]), x)
            row[f"translation_l1_{name}"] = l1(disturbed, there)
        rows.append(row)
        images.append((as_examples(there), as_examples(back)))
    translations, cycled = map(np.concatenate, zip(*images, strict=True))
    name, numbers = " to ".join(domains), _averages(rows)
    return Translated(translations, target.x, train.x, name, source.x, numbers, cycled, domains)


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
        rows.append(_compared("perceptual", map_distance, variants, y, another))
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def predicted_classes(x: np.ndarray, extractor: Extractor) -> np.ndarray | None:
    """The likeliest class of each image, `(N,)`; None where the extractor predicts no classes."""
    probs = Statistics(x, extractor, classes=True).probabilities
    return None if probs is None else probs.argmax(axis=1)


def domain_classes(real: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, int]:
    """Which class of an extractor means a domain: domain -> its index.

    The class of the domain's name, or else the one that most of its real images are read as. Where both
    domains would be the same class, neither is in it.

    Args:
        real: domain -> the classes that its real images are read as, `(N,)`.
        names: of the classes; may be empty.

    >>> domain_classes({"A": np.array([339, 354, 339]), "B": np.array([340, 340])}, ())
    {'A': 339, 'B': 340}
    """
    found = {
        domain: names.index(domain) if domain in names else int(np.bincount(classes).argmax())
        for domain, classes in real.items()
    }
    return found if len({*found.values()}) == len(found) else {}


def classify_cycle(
    of: Translated, extractor: Extractor, real: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, Any]:
    """Shares of images of a cycle by the class that an extractor predicts, the likeliest of all its classes.

    Args:
        of: one direction of a cycle.
        extractor: predicts classes.
        real: domain -> the predicted classes of its real images, `(N,)`.
        names: of the classes; may be empty.

    Returns:
        `cycle_same_class`, of cycles with the class of the image they started from. Where `domain_classes`
        has both domains: `target_class`, by its name or index; the shares with this class of translations,
        `translated_as_target`, of real images of the target domain, `real_as_target`, and of the images that
        were translated, `source_as_target`; and the shares with the class of the source of cycles,
        `cycle_as_source`, and of the images that were translated, `source_as_source`.
    """
    assert of.domains is not None
    assert of.back is not None
    source, target = of.domains
    translated, back = (predicted_classes(x, extractor) for x in (of.samples, of.back))
    numbers: dict[str, Any] = {"cycle_same_class": float(np.mean(back == real[source]))}
    classes = domain_classes(real, names)
    if classes:
        a, b = classes[source], classes[target]
        numbers |= {
            "target_class": names[b] if names else str(b),
            "translated_as_target": float(np.mean(translated == b)),
            "real_as_target": float(np.mean(real[target] == b)),
            "source_as_target": float(np.mean(real[source] == b)),
            "cycle_as_source": float(np.mean(back == a)),
            "source_as_source": float(np.mean(real[source] == a)),
        }
    return numbers


def _averages(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Of each number `(B,)` over all batches."""
    return {name: torch.cat([row[name] for row in rows]).double().mean().item() for name in rows[0]}


def pair_sets(evaluation: Evaluation, size: int) -> list[Translated]:
    """Translations of the inputs of pairs, `size` at a time.

    Raises:
        DataError: the data have no targets.
    """
    data, dataset, groups = evaluation.data, evaluation.dataset, evaluation.groups.intersection(GROUPS)
    if dataset.target is None:
        raise DataError(f"{data.name}: has no targets to compare translations with; take pairs of images")
    batches = in_order(dataset, size, evaluation.model.device, evaluation.seed)
    extractor, variants = evaluation.extractor, evaluation.variants
    with torch.no_grad():
        found = translate_pairs(evaluation.model, batches, dataset, data.train, extractor, groups, variants)
    return [replace(found, numbers={**found.numbers, "variants": variants})]


def cycle_sets(evaluation: Evaluation, size: int) -> list[Translated]:
    """Translations of both domains, `size` at a time.

    Raises:
        DataError: the classes of the data are not the domains of the model, or one has no examples.
    """
    model, data, groups = evaluation.model, evaluation.data, evaluation.groups
    parts = _by_domain(model.spec.classes, data.name, evaluation.dataset)
    # only scores need the training images, which are many
    scored = any(isinstance(m, Score) for m in evaluation.measurements)
    train = _by_domain(model.spec.classes, data.name, data.train) if scored and len(data.train) else parts
    sets = []
    for a, b in (tuple(parts), tuple(parts)[::-1]):
        batches = in_order(parts[a], size, model.device, evaluation.seed)
        asked = groups.intersection(GROUPS)
        sets.append(
            translate_cycle(model, batches, (a, b), parts[a], parts[b], train[b], evaluation.extractor, asked)
        )
    return sets


def _by_domain(domains: Sequence[str], name: str, dataset: Dataset) -> dict[str, Dataset]:
    """The examples of each of two domains, the first one first."""
    if dataset.y is None or dataset.spec.classes != domains:
        theirs = ", ".join(dataset.spec.classes) or "none"
        raise DataError(f"{name}: its classes are {theirs}; the model translates {' and '.join(domains)}")
    parts = {domain: dataset.take(np.flatnonzero(dataset.y == k)) for k, domain in enumerate(domains)}
    for domain, part in parts.items():
        if not len(part):
            raise DataError(f"{name}: no examples of '{domain}' in this split; choose another or more data")
    return parts


def _numbers(evaluation: Evaluation) -> dict[str, Any]:
    """The averages of the groups that are measured, which were taken while images were translated."""
    return by_direction({sets.name: sets.numbers for sets in evaluation.sample_sets})


def _classified(evaluation: Evaluation) -> dict[str, Any]:
    """Shares of `classify_cycle` for both directions, where the extractor predicts classes."""
    sets, extractor = evaluation.sample_sets, evaluation.extractor
    names: Sequence[str] = getattr(extractor, "classes", ())
    found = {one.domains[0]: predicted_classes(one.x, extractor) for one in sets}
    real = {domain: classes for domain, classes in found.items() if classes is not None}
    if not real:
        return {}
    numbers = by_direction({one.name: classify_cycle(one, extractor, real, names) for one in sets})
    if not domain_classes(real, names):
        numbers["left_out"] = "shares classified as a domain, since most images of both have the same class"
    return numbers


MAPS = "in the feature maps of the extractor (like LPIPS, without its learned weights)"
HIDDEN = "a rise far above the next number indicates a hidden message"
DISTURBANCE = "mean absolute change of translations by it"
VARIANTS_MEANING = "between two translations of one input, on average: 0 where the model has no choice"
TARGETS_MEANING = "between the targets of two inputs, on average: the diversity of the targets"
NEAREST = "of the variant that is nearest to the target"

TRANSLATION = register(Measurement(
    name="translation", needs=(Translates,),
    metrics=(
        Metric("l1", "L1 distance", meaning="mean absolute difference of translations from their targets",
            better="lower"),
        Metric("best_l1", "L1, best variant", meaning=NEAREST, better="lower"),
        Metric("diversity_l1", "L1 between variants", meaning=VARIANTS_MEANING),
        Metric("targets_l1", "L1 between targets", meaning=TARGETS_MEANING),
        PSNR,
        SSIM,
        Metric("cycle_l1", "cycle error",
            meaning="mean absolute difference of images from their translations there and back",
            better="lower"),
        Metric("cycle_psnr", "cycle PSNR", "dB", "peak signal-to-noise ratio of the same", "higher"),
        Metric("cycle_l1_quantised", "cycle error after rounding",
            meaning=f"with translations rounded to 8 bits before they are translated back; {HIDDEN}"),
        Metric("translation_l1_quantised", "effect of rounding", meaning=DISTURBANCE),
        Metric("cycle_l1_blurred", "cycle error after blur",
            meaning=f"with translations blurred by 1 pixel before they are translated back; {HIDDEN}"),
        Metric("translation_l1_blurred", "effect of blur", meaning=DISTURBANCE),
        Metric("cycle_l1_noisy", "cycle error after noise",
            meaning=f"with noise of 0.02 on translations before they are translated back; {HIDDEN}"),
        Metric("translation_l1_noisy", "effect of noise", meaning=DISTURBANCE),
    ),
    settings=("variants",), compute=_numbers, order=60,
))  # fmt: skip
PERCEPTUAL = register(Measurement(
    name="perceptual", needs=(Translates,),
    metrics=(
        Metric("perceptual", "perceptual distance", meaning=f"of translations from their targets, {MAPS}",
            better="lower"),
        Metric("best_perceptual", "perceptual, best variant", meaning=NEAREST, better="lower"),
        Metric("diversity_perceptual", "perceptual between variants", meaning=VARIANTS_MEANING),
        Metric("targets_perceptual", "perceptual between targets", meaning=TARGETS_MEANING),
        Metric("cycle_perceptual", "cycle error, perceptual",
            meaning=f"distance of images from their translations to the other domain and back, {MAPS}",
            better="lower"),
    ),
    settings=("variants",), compute=_numbers, features=True, order=160,
))  # fmt: skip
CLASSES = register(Measurement(
    name="classes", needs=(Cycles,),
    metrics=(
        Metric("cycle_same_class", "same class after a cycle", "%",
            "images whose predicted class is the same after a full cycle", "higher"),
        Metric("target_class", "class of the target",
            meaning="the class of the target domain, by name or number: the one of the same name, or the"
            " most frequent prediction for its real images"),
        Metric("translated_as_target", "translations classified as the target", "%",
            "translations that the extractor assigns to that class", "higher"),
        Metric("real_as_target", "real images classified as the target", "%",
            "the same for real images of that domain: what a perfect translation would reach"),
        Metric("source_as_target", "inputs classified as the target", "%",
            "the same for images before they are translated"),
        Metric("cycle_as_source", "cycles classified as the source", "%",
            "images after a full cycle that the extractor assigns to the class of their domain", "higher"),
        Metric("source_as_source", "inputs classified as the source", "%",
            "the same for images before they are translated"),
    ),
    compute=_classified, features=True, order=151,
))  # fmt: skip
