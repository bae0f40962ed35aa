"""What a model decodes on the way from one latent to another: of seeds, of real examples, of classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import in_order, max_batch
from simulacra.core.calls import trusted, whole_number
from simulacra.core.capabilities import BLOCK, Conditional, Decodes, Encodes
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.model import LatentModel, Model
from simulacra.core.noise import Noise
from simulacra.data.images.decode import BadImage, open_image
from simulacra.data.images.parallel import progress
from simulacra.data.spec import NOUNS, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, RunError, nearest, nearest_class
from simulacra.latent.paths import PATHS, default_path, four_corners
from simulacra.latent.paths import path as through
from simulacra.limits import check_memory
from simulacra.tasks.picture_files import fit_to_model


@dataclass(frozen=True)
class Points:
    """What a path passes through.

    Attributes:
        z: latents `(P, *shape of the space)`.
        weights: of the classes of a conditional model, `(P, K)`; None of another model.
        space: name of the latent space; the default one for None.
    """

    z: Tensor
    weights: Tensor | None = None
    space: str | None = None

    def __len__(self) -> int:
        return len(self.z)


def interpolate(
    model: Any,
    a: Any,
    b: Any,
    steps: int = 9,
    path: str | None = None,
    space: str | None = None,
    classes: tuple[int | str, int | str] | None = None,
) -> Tensor:
    """What a model decodes on the way from a to b, with both of them.

    Args:
        model: a trained model that decodes.
        a: a seed, of which this is the latent of the first sample; or an example like those of the data,
            which is encoded.
        b: likewise.
        steps: of the path, both ends included; at least 2.
        path: `slerp` or `linear`; by default `slerp` where the prior of the latent space is N(0, I).
        space: name of the latent space; the default one for None.
        classes: of a conditional model, those at a and at b.

    Returns:
        Means of p(x | z), `(steps, C, H, W)` in [0, 1] or `(steps, D)`.

    Raises:
        SimulacraError: the subclass says what is at fault: the model, an end, or a setting.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("vae", "digits", f"{folder}/run", steps=3)
    >>> x = interpolate(model, 1, 2, steps=5)
    >>> x.shape, torch.allclose(x[0], model.sample(1, seed=1)[0], atol=1e-6)
    (torch.Size([5, 1, 8, 8]), True)
    """
    if not isinstance(model, Model):
        raise ConfigError(
            f"interpolate: the model is a {type(model).__name__}; pass a model, e.g. sim.load(RUN)"
        )
    if not isinstance(model, Decodes | Conditional):
        raise RunError(f"this {type(model).__name__} {Decodes.missing}")
    numbers = [whole_number(end) for end in (a, b)]
    if None in numbers and not isinstance(model, Encodes):
        raise RunError(f"this {type(model).__name__} {Encodes.missing}, or give seeds")
    ends = []
    for end, seed, k in zip((a, b), numbers, _classes(model, 2, classes) or (None, None), strict=True):
        if seed is not None:
            ends.append(from_seeds(_given(model, k), [seed], space))
        else:
            # as arrays of the data, with what is wrong with it by the model's own checks
            x: Any = end[None] if isinstance(end, Tensor) else np.asarray(end)[None]
            with torch.no_grad(), eval_mode(model):
                ends.append(model.encode(x, space).mean)
    points = with_classes(model, torch.cat(ends), classes, space)
    return torch.cat(list(walk(model, points, steps, path)))


def from_seeds(
    model: LatentModel, seeds: Sequence[int], space: str | None = None, truncation: float = 1.0
) -> Tensor:
    """Latents `(P, *shape)`: of each seed that of the first of its samples, at this truncation.

    Raises:
        RunError: the space has no prior.
        ConfigError: there is no such space, or a seed is negative, or the truncation is not finite.
    """
    of = model.space(space)
    if of.prior is None:
        instead = "; give images, or classes of the data, which it encodes" * isinstance(model, Encodes)
        raise RunError(
            f"seeds: the latent space '{of.name}' of this {type(model).__name__} has no prior to draw from"
            f"{instead}"
        )
    if min(seeds) < 0:
        raise ConfigError(f"seeds must be 0 or more, not {min(seeds)}")
    if not isfinite(truncation):
        raise ConfigError(f"truncation: must be a finite number, not {truncation}")
    # always as many draws as `sample` makes, since fewer would be others
    drawn = [of.sample(BLOCK[model.spec.kind], Noise(seed), truncation)[0] for seed in seeds]
    return torch.stack(drawn).to(model.device, model.dtype)


@torch.no_grad()
def from_examples(model: Encodes, x: Tensor, space: str | None = None) -> Tensor:
    """The mean latents `(P, *shape)` of examples `(P, ...)`."""
    with eval_mode(model):
        return model.encode(x.to(model.device), space).mean


@torch.no_grad()
def class_means(model: Encodes, dataset: Dataset, classes: Sequence[str], space: str | None = None) -> Tensor:
    """Of each class the mean latent of its examples, `(P, *shape)`.

    Raises:
        DataError: the data have no classes, or no examples of one.
        ConfigError: there is no such class.
    """
    names = dataset.spec.classes
    if dataset.y is None or not names:
        raise DataError("classes: the data have no classes; give --images, or choose --target in training")
    means: dict[str, Tensor] = {}
    for name in dict.fromkeys(classes):
        if name not in names:
            raise ConfigError(f"classes: unknown '{name}', {nearest_class(name, names)}")
        part = dataset.take(np.flatnonzero(dataset.y == names.index(name)))
        if not len(part):
            raise DataError(f"classes: the data have no examples of '{name}'")
        size = max_batch(part, CHUNK)
        batches = progress(in_order(part, size, model.device), -(-len(part) // size), f"encoding {name}")
        with eval_mode(model), trusted():
            sums = [model.encode(batch.x, space).mean.double().cpu().sum(dim=0) for batch in batches]
        means[name] = (torch.stack(sums).sum(dim=0) / len(part)).to(model.device, model.dtype)
    return torch.stack([means[name] for name in classes])


def with_classes(
    model: Decodes | Conditional,
    z: Tensor,
    classes: Sequence[int | str] | None = None,
    space: str | None = None,
) -> Points:
    """Latents with the classes of a conditional model; a single one of either goes with all of the other.

    Raises:
        RunError: classes of a model that takes none, or none of one that needs them.
        ConfigError: there is no such class, or their number is not that of the latents.
    """
    index = _classes(model, len(z), classes)
    if index is None:
        return Points(z, None, space)
    of_each = torch.tensor(index, device=z.device)
    weights = torch.nn.functional.one_hot(of_each, len(model.spec.classes)).to(z.dtype)
    return Points(z.expand(len(index), *z.shape[1:]), weights, space)


def seeds_with_classes(
    model: Decodes | Conditional,
    seeds: Sequence[int],
    classes: Sequence[int | str] | None = None,
    space: str | None = None,
    truncation: float = 1.0,
) -> Points:
    """As `with_classes`, with the latents of seeds; of a conditional model each is drawn given its class."""
    index = _classes(model, len(seeds), classes)
    if index is None:
        return Points(from_seeds(model, seeds, space, truncation), None, space)
    each = list(seeds) * (len(index) // len(seeds))
    z = [from_seeds(_given(model, k), [seed], space, truncation) for seed, k in zip(each, index, strict=True)]
    return with_classes(model, torch.cat(z), index, space)


def _classes(
    model: Decodes | Conditional, points: int, classes: Sequence[int | str] | None
) -> list[int] | None:
    """The class of each point; None of a model that takes none. Raises as `with_classes`."""
    if not isinstance(model, Conditional):
        if classes:
            raise RunError(f"classes: this {type(model).__name__} is not conditioned on classes")
        return None
    if not classes:
        names = ", ".join(model.spec.classes[:2])
        raise RunError(
            f"this {type(model).__name__} is conditioned on a class: add classes, e.g. {names}, or one for"
            " all"
        )
    if len(classes) != points and 1 not in (len(classes), points):
        raise ConfigError(
            f"{points} seeds and {len(classes)} classes: give as many of both, or a single one of either"
        )
    index = [model.class_index(y) for y in classes]
    return index * points if len(index) == 1 else index


def _given(model: Decodes | Conditional, k: int | None) -> LatentModel:
    """The model of a class; the model itself for None."""
    return model.for_class(k) if k is not None and isinstance(model, Conditional) else model


@torch.no_grad()
def walk(
    model: Decodes | Conditional, points: Points, steps: int, curve: str | None = None, lattice: bool = False
) -> Iterator[Tensor]:
    """What a model decodes on the way through points, in parts, with progress.

    Args:
        model: decodes the latents.
        points: at least two; four corners for a lattice.
        steps: from one point to the next, both included: P points have (P - 1) (steps - 1) + 1.
        curve: a name in `PATHS`; that of `default_path` for None. Weights of classes go a straight line.
        lattice: between four corners, `steps` times `steps`, row by row.

    Yields:
        Means of p(x | z), `(B, ...)`.

    Raises:
        ConfigError: too few points or steps, or an unknown curve.
        LimitError: they would not fit in memory.
    """
    z, weights = latents(model, points, steps, curve, lattice)
    size = max(1, min(CHUNK, 2**24 // prod(model.spec.shape)))
    starts = range(0, len(z), size)
    with eval_mode(model), trusted():
        for start in progress(starts, len(starts), "decoding"):
            part = slice(start, start + size)
            if weights is None:
                yield model.decode(z[part], points.space).mean
            else:
                yield model.decode_weighted(z[part], weights[part], points.space).mean


def latents(
    model: LatentModel, points: Points, steps: int, curve: str | None = None, lattice: bool = False
) -> tuple[Tensor, Tensor | None]:
    """The latents and the weights of the classes that `walk` decodes, `(N, *shape)` and `(N, K)` or None."""
    curve = default_path(model.space(points.space)) if curve is None else curve
    if curve not in PATHS:
        raise ConfigError(f"path: unknown '{curve}', {nearest(curve, PATHS)}")
    count = whole_number(steps)
    if count is None or count < 2:
        raise ConfigError(f"steps: must be a whole number, at least 2, not {steps!r}")
    if lattice and len(points) != 4:
        raise ConfigError(f"a lattice has 4 corners, not {len(points)}")
    if len(points) < 2:
        raise ConfigError("a path needs at least 2 points")
    n = count**2 if lattice else (len(points) - 1) * (count - 1) + 1
    size = prod(model.spec.shape) + 4 * prod(points.z.shape[1:])
    check_memory(2 * 4 * n * size, f"{n:,} examples", "take fewer steps")

    def between(ends: Tensor, name: str) -> Tensor:
        if lattice:
            return four_corners(ends, count, count, PATHS[name])
        return through(ends, count, PATHS[name])

    return between(points.z, curve), None if points.weights is None else between(points.weights, "linear")


def read_examples(spec: DataSpec, files: Sequence[Path] = (), texts: Sequence[str] = ()) -> np.ndarray:
    """Image files or sentences as a model takes them, uint8 `(N, C, H, W)` or int32 `(N, T)`.

    A model of square images gets the middle square, resized, as its data were. Another one takes its own size
    alone.

    Raises:
        DataError: the model is not one of images or of sentences, a file is no such image, or a sentence is
            too long.
    """
    if spec.kind != ("text" if texts else "image"):
        given = "texts" if texts else "images"
        raise DataError(f"{given}: this model was trained on {NOUNS[spec.kind]}, and takes no {given}")
    if spec.vocabulary is not None:
        try:
            return spec.vocabulary.encode(texts, spec.shape[0])
        except ValueError as error:
            raise DataError(f"texts: {error}") from None
    images = []
    for file in files:
        try:
            images.append(fit_to_model(open_image(file), spec))
        except BadImage as error:
            raise DataError(f"{file}: {error}") from error
    return np.stack(images)
