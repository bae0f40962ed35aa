"""Latents with labels: of data with classes or attributes, and of samples that a classifier labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from simulacra.core.capabilities import Conditional, Decodes, Encodes
from simulacra.core.inference import CHUNK, encode_all, eval_mode
from simulacra.core.latents import LatentSpace
from simulacra.core.model import LatentModel
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.images.attributes import CLASS, known, with_classes
from simulacra.data.spec import SPLITS, Data, Dataset
from simulacra.errors import DataError, close_match, nearest
from simulacra.latent.find import Examples

# samples that are drawn at a time, and at most, for a classifier to label
AT_ONCE, MOST_SAMPLES = 500, 10_000
# held-out examples of each kind at most
HELD_OUT = 500


def with_attribute(data: Data, attribute: str) -> Data:
    """The data with label 1 for the examples that have an attribute, and 0 for the others.

    >>> from simulacra.data import load
    >>> with_attribute(load("digits"), "3").spec.classes
    ('not 3', '3')

    Args:
        data: with classes, attributes or columns.
        attribute: an attribute of two values; a comparison, e.g. `age>=60`; one value of others, e.g.
            `race=Black`; a class by its name; or a column of a table likewise,
            e.g. `height>=170`, `city=Rome`.

    Raises:
        DataError: there is no such attribute, it has more than two values, or the same one in every example.
    """
    title, every = data.name, _columns_as_attributes(data)
    names, classes = every.spec.attributes, data.spec.classes
    base, sign, _ = attribute.partition("=")
    stem = re.split(r"\s*[<>=]", attribute, maxsplit=1)[0]
    if attribute in classes and attribute not in known(names):
        return _labelled(data, classes.index(attribute))
    if attribute not in names and sign and base in (*known(names), CLASS):
        every = with_classes(every, base)
        return _labelled(every, one_class(title, attribute, every.spec.classes))
    choices = [*known(names), *classes]
    if not choices:
        raise DataError(f"{title}: the data have neither classes nor attributes, so '{attribute}' is unknown")
    if attribute not in names and stem not in (*known(names), CLASS):
        hint = _nearest_attribute(stem, attribute.removeprefix(stem), names, choices)
        raise DataError(f"{title}: there is no attribute '{attribute}', {hint}")
    every = with_classes(every, attribute)
    return _labelled(every, one_class(title, attribute, every.spec.classes, about=attribute))


def one_class(title: str, attribute: str, classes: Sequence[str], about: str | None = None) -> int:
    """The index of the class that stands for an attribute.

    >>> one_class("faces", "glasses", ("no", "yes"), about="glasses")
    1
    >>> one_class("people", "race=B", ("A", "B", "C"))
    1

    Args:
        title: of the data, for messages.
        attribute: a class, or `ATTRIBUTE=CLASS`; or `about`, which stands for the second of two classes.
        classes: the names of the classes.
        about: the attribute whose values they are.

    Raises:
        DataError: there is no such class, or it does not follow which one is meant.
    """
    name, sign, value = attribute.partition("=")
    equation = bool(sign) and name[-1:] not in ("<", ">")
    for wanted in (attribute, value if equation else attribute):
        if wanted in classes:
            return classes.index(wanted)
    if attribute != about:
        hint = _nearest_value(name, value, classes) if equation else nearest(attribute, classes)
        raise DataError(f"{title}: there is no '{attribute}', {hint}")
    if len(classes) != 2:
        example = classes[0] if "=" in classes[0] else f"{attribute}={classes[0]}"
        raise DataError(f"{title}: '{attribute}' has {len(classes)} values; choose one, e.g. '{example}'")
    return 1


def _nearest_attribute(stem: str, rest: str, names: Sequence[str], choices: Sequence[str]) -> str:
    """End an error about an unknown attribute, e.g. `agee` with the rest `>=60`; the hint keeps the rest."""
    close = close_match(stem, sorted(choices))
    if close is None or close not in known(names):
        return nearest(stem, choices)
    values = [name for name in names if name.startswith(f"{close}=")]
    if rest.startswith("=") and values:
        return _nearest_value(close, rest[1:], values)
    return f"did you mean '{close}{rest}'?"


def _nearest_value(name: str, value: str, classes: Sequence[str]) -> str:
    """End an error about an unknown `NAME=VALUE`: with the nearest of the values, or all of them."""
    values = [one.removeprefix(f"{name}=") for one in classes]
    close = close_match(value, values)
    if close is not None:
        return f"did you mean '{name}={close}'?"
    return f"choose from {', '.join(f'{name}={one}' for one in values)}"


def _labelled(data: Data, positive: int) -> Data:
    classes = data.spec.classes
    name = classes[positive]
    other = classes[1 - positive] if len(classes) == 2 else f"not {name}"
    spec = replace(data.spec, classes=(other, name))
    parts = [data.split(split) for split in SPLITS]
    train, validation, test = (
        replace(part, spec=spec, y=None if part.y is None else (part.y == positive).astype(np.int64))
        for part in parts
    )
    return replace(data, train=train, validation=validation, test=test)


def _columns_as_attributes(data: Data) -> Data:
    """Vectors with their numbers as attributes, beside those that they have; categories as `NAME=VALUE`."""
    columns = () if data.spec.kind == "image" else data.spec.columns
    if data.spec.schema is not None:
        columns = data.spec.schema.attributes
    names = (*columns, *data.spec.attributes)
    if not columns or len(set(names)) < len(names):
        return data
    spec = replace(data.spec, attributes=names)
    train, validation, test = (
        replace(
            part,
            spec=spec,
            attributes=part.x
            if part.attributes is None
            else np.concatenate([part.x, part.attributes], axis=1),
        )
        for part in (data.split(split) for split in SPLITS)
    )
    return replace(data, train=train, validation=validation, test=test)


def encoded(model: Encodes, space: LatentSpace, dataset: Dataset, n: int, seed: int) -> Examples:
    """Latents of at most n random examples with label 1, and of as many with label 0.

    Args:
        model: a model that encodes.
        space: one of its latent spaces.
        dataset: with labels 0 and 1.
        n: examples of each kind.
        seed: of the choice.
    """
    random, parts = np.random.default_rng(seed), []
    for label in (1, 0):
        rows = np.flatnonzero(dataset.y == label)
        chosen = dataset.take(np.sort(random.permutation(rows)[:n]))
        empty = torch.zeros(0, *space.shape)
        parts.append(encode_all(model, chosen, space.name)[0] if len(chosen) else empty)
    return Examples(*parts)


@torch.no_grad()
def samples(model: LatentModel, space: LatentSpace, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """n draws z from the prior of a space, and the examples that they are decoded to.

    Images are means of p(x | z), vectors are drawn from it. A model that is given classes gets each as often.

    Raises:
        ConfigError: the space has no prior.
    """
    noise = Noise(seed)
    z = space.sample(n, noise).to(model.device, model.dtype)
    x = []
    with eval_mode(model):
        for decoder, part in _decoders(model, z):
            p = decoder.decode(part, space.name)
            x.append(noise.draw(p) if model.spec.kind == "vector" else p.mean)
    return z, torch.cat(x)


def decoder(model: LatentModel) -> Decodes:
    """The decoder of a model; of one given classes, that of the first."""
    return next(iter(_decoders(model, torch.zeros(1))))[0]


def _decoders(model: LatentModel, z: Tensor) -> list[tuple[Decodes, Tensor]]:
    """Latents with the decoder of each."""
    if isinstance(model, Decodes):
        return [(model, part) for part in z.split(CHUNK)]
    assert isinstance(model, Conditional), "it decodes, or it is given a class"
    parts = z.chunk(len(model.spec.classes))
    return [(model.for_class(k), part) for k, part in enumerate(parts)]


def classified_samples(
    model: LatentModel,
    space: LatentSpace,
    has_it: Callable[[Tensor], np.ndarray],
    n: int,
    seed: int,
) -> tuple[Examples, Examples]:
    """Latents of n samples that have an attribute and n that do not, and of others that are held out.

    Args:
        model: a model that decodes.
        space: one of its latent spaces, with a prior.
        has_it: whether each of a batch of samples has the attribute.
        n: samples of each kind; fewer where it is rare among 10,000 samples.
        seed: of the samples.
    """
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for part in range(MOST_SAMPLES // AT_ONCE):
        z, x = samples(model, space, AT_ONCE, derive_seed(seed, part))
        yes = torch.from_numpy(has_it(x))
        found[0].append(z[yes].cpu())
        found[1].append(z[~yes].cpu())
        if min(sum(map(len, kind)) for kind in found) >= n + HELD_OUT:
            break
    positive, negative = (torch.cat(kind) for kind in found)
    held = (kind[n : n + HELD_OUT] for kind in (positive, negative))
    return Examples(positive[:n], negative[:n]), Examples(*held)
