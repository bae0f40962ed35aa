"""How translations fare: against their targets, on the way back, and as a classifier reads them.

The way there and back of a cycle may be near perfect because the translation hides the original where nobody
sees it (Chu, Zhmoginov and Sandler 2017). So the translation is disturbed before it goes back: what hangs on
differences below a grey level is lost when it is rounded to 8 bits, what hangs on fine patterns when it is
blurred or given noise. Beside it stands by how much that moves the translation: what comes back of an open
one moves about as far, of a hidden message much farther.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError, nearest
from simulacra.game import Batch, Cycles, Noise, Translates
from simulacra.metrics.features import Extractor
from simulacra.metrics.judge import Compared
from simulacra.metrics.perceptual import perceptual_distance
from simulacra.metrics.reconstruction import l1, psnr, smoothed, ssim
from simulacra.metrics.statistics import Statistics, as_examples

# pixels, and standard deviation of the noise, of 1
BLUR, NOISE = 1.0, 0.02


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
        beside: of pairs another variant of each translation, of domains what came back.
        numbers: averages over the examples.
        domains: those of x and of the translations; None of pairs.
    """

    x: np.ndarray
    beside: np.ndarray
    numbers: Mapping[str, float]
    domains: tuple[str, str] | None = None


def of_pairs(model: Translates, batches: Iterable[Batch], pairs: Dataset, train: Dataset) -> Translated:
    """Translate the inputs of pairs, each twice, and compare the first variant with the target.

    Returns:
        Its numbers are `l1`, `psnr` and `ssim` of translations and targets, and `diversity_l1`, the mean
        absolute difference of both variants.
    """
    assert pairs.target is not None
    assert train.target is not None
    rows, variants = [], []
    for batch in batches:
        assert batch.target is not None
        y = batch.target
        one, other = (model.translate(batch.x, batch.noise) for _ in range(2))
        fidelity = {"l1": l1(one, y), "psnr": psnr(one, y), "ssim": ssim(one, y)}
        rows.append(fidelity | {"diversity_l1": l1(one, other)})
        variants.append((as_examples(one), as_examples(other)))
    first, second = map(np.concatenate, zip(*variants, strict=True))
    return Translated(
        made=first,
        real=pairs.target,
        train=train.target,
        name="",
        x=pairs.x,
        beside=second,
        numbers=_averages(rows),
    )


def of_domain(
    model: Cycles,
    batches: Iterable[Batch],
    domains: tuple[str, str],
    source: Dataset,
    target: Dataset,
    train: Dataset,
    probe: bool = True,
) -> Translated:
    """Translate images of one domain into the other and back.

    Args:
        model: translates.
        batches: of the source.
        domains: names of the source and of the target.
        source: images that are translated.
        target: real images of the other domain.
        train: as `target`, of the training split.
        probe: whether the translations also go back disturbed.

    Returns:
        Its numbers are `cycle_l1`, the mean absolute difference of images and what came back; and for every
        way in which translations are `DISTURBED` before they go back, `cycle_l1_...`, the same, and
        `translation_l1_...`, of a translation before and after.
    """
    rows, images = [], []
    for batch in batches:
        x, noise = batch.x, batch.noise
        there = model.translate(x, noise, to=domains[1])
        back = model.translate(there, noise, to=domains[0])
        row = {"cycle_l1": l1(back, x)}
        for name, disturb in DISTURBED.items() if probe else ():
            disturbed = disturb(there, noise)
            row[f"cycle_l1_{name}"] = l1(model.translate(disturbed, noise, to=domains[0]), x)
            row[f"translation_l1_{name}"] = l1(disturbed, there)
        rows.append(row)
        images.append((as_examples(there), as_examples(back)))
    made, came_back = map(np.concatenate, zip(*images, strict=True))
    return Translated(
        made=made,
        real=target.x,
        train=train.x,
        name=" to ".join(domains),
        x=source.x,
        beside=came_back,
        numbers=_averages(rows),
        domains=domains,
    )


def perceptual(of: Translated, extractor: Extractor) -> dict[str, float]:
    """`perceptual` and `diversity_perceptual` of pairs, `cycle_perceptual` of a cycle, on average.

    The distances of translations from targets, of two variants from each other, of images from what came
    back; as `perceptual_distance` has them.
    """
    if of.domains is not None:
        return {"cycle_perceptual": float(perceptual_distance(of.beside, of.x, extractor).mean())}
    return {
        "perceptual": float(perceptual_distance(of.made, of.real, extractor).mean()),
        "diversity_perceptual": float(perceptual_distance(of.made, of.beside, extractor).mean()),
    }


def readings(of: Translated, extractor: Extractor, means: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """The shares of images of a cycle that a classifier reads as a domain.

    Args:
        of: a direction of a cycle.
        extractor: knows classes; reads an image as the likeliest of all of them.
        means: domain -> the classes that count as it; numbers of domains that are not in it are left out.

    Returns:
        `translated_as_target`; `real_as_target` and `source_as_target`, of real images of the target domain
        and of those that were translated; `back_as_source`, of what came back.
    """
    source, target = of.domains or ("", "")
    read = {
        "translated_as_target": (of.made, target),
        "real_as_target": (of.real, target),
        "source_as_target": (of.x, target),
        "back_as_source": (of.beside, source),
    }
    numbers = {}
    for name, (x, domain) in read.items():
        if domain in means:
            probs = Statistics(x, extractor, classes=True).probabilities
            assert probs is not None
            numbers[name] = float(np.isin(probs.argmax(axis=1), means[domain]).mean())
    return numbers


@torch.no_grad()
def meanings(
    domains: Sequence[str],
    given: Mapping[str, Sequence[str | int]],
    extractor: Extractor,
    example: np.ndarray,
) -> dict[str, list[int]]:
    """Which classes of an extractor mean a domain: domain -> their indices, for `readings`.

    Those that are given, by name or index, and else the class of the same name; a domain without either is
    left out.

    Args:
        domains: their names.
        given: domain -> classes.
        extractor: may know classes, and their names.
        example: an image `(1, C, H, W)`, uint8, to ask it.

    Raises:
        ConfigError: there is no such domain or class; classes are given for an extractor that knows none; or
            it knows the names of its classes, and none of them is asked for.
    """
    for domain in given:
        if domain not in domains:
            raise ConfigError(f"domain_classes: unknown domain '{domain}', {nearest(domain, domains)}")
    probs = extractor.probabilities(torch.from_numpy(np.array(example)).float() / 255)
    if probs is None:
        if given:
            raise ConfigError(
                f"domain_classes: {extractor.name} knows no classes; take as features efficientnet-lite0,"
                " inception or the run folder of a classifier"
            )
        return {}
    names: tuple[str, ...] = getattr(extractor, "classes", ())
    asked = {
        domain: [str(c) for c in given.get(domain, [domain] if domain in names else [])] for domain in domains
    }
    if names and not any(asked.values()):
        raise ConfigError(
            f"features: the {extractor.name} knows {', '.join(names[:20])}, none of which is called"
            f" {' or '.join(domains)}; say which mean them, as in --domain-classes '{domains[0]}={names[0]}'"
        )
    K = probs.shape[1]
    return {domain: [_index(c, names, K) for c in classes] for domain, classes in asked.items() if classes}


def _index(wanted: str, names: Sequence[str], K: int) -> int:
    if wanted in names:
        return names.index(wanted)
    if not wanted.isdecimal() or int(wanted) >= K:
        known = f", or {nearest(wanted, names)}" if names else ""
        raise ConfigError(f"domain_classes: no class '{wanted}'; there are 0 to {K - 1}{known}")
    return int(wanted)


def _averages(rows: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Of each number `(B,)` over all batches."""
    return {name: torch.cat([row[name] for row in rows]).double().mean().item() for name in rows[0]}
