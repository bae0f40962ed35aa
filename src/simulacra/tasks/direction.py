"""Find directions in the latent space of a model: from labels of any kind, or from none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical

from simulacra import tensors
from simulacra.core.batch import random_subset, tensor
from simulacra.core.calls import trusted, whole_number
from simulacra.core.capabilities import Conditional, Decodes, Encodes, Predicts, Styles
from simulacra.core.inference import CHUNK, encode_all, eval_mode
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.model import LatentModel, Model
from simulacra.core.noise import Noise, derive_seed
from simulacra.data import parse
from simulacra.data.arrays import Trainable
from simulacra.data.fitting import fitting
from simulacra.data.images.attributes import CLASS
from simulacra.data.spec import Data, Dataset, is_arrays
from simulacra.errors import ConfigError, DataError, RunError, nearest
from simulacra.latent import directions
from simulacra.latent.directions import Direction
from simulacra.latent.find import Examples, labelled, principal, sefa
from simulacra.latent.first_layer import first_layer
from simulacra.latent.labelled import (
    AT_ONCE,
    HELD_OUT,
    classified_samples,
    decoder,
    encoded,
    one_class,
    samples,
    with_attribute,
)
from simulacra.latent.layers import at_layers, layer_mask, style_weights
from simulacra.run import Run

# examples of each kind by default: of data, whose labels are a person's work, and of samples; and for
# attributes that a direction leaves alone: with fewer, chance adds more of them than is removed
FROM_DATA, FROM_SAMPLES, FROM_OTHERS = 20, 500, 500
# examples that a classifier labels
CLASSIFIED = 5000
# examples or samples whose principal components are found
PRINCIPAL = 2000

# the side to which samples are reduced for it
POOLED = 32

# latents of examples that a direction is found from, and of others that it is measured on
Found = tuple[Examples, Examples | None]


def direction(
    model: Model | str | Path,
    positive: Any = None,
    negative: Any = None,
    *,
    attribute: str | None = None,
    data: Trainable | None = None,
    classifier: Model | str | Path | None = None,
    examples: int | None = None,
    method: Literal["means", "logistic", "channels"] = "means",
    channels: int = 1,
    orthogonal_to: Sequence[str | Direction] = (),
    space: str | None = None,
    layers: str | None = None,
    name: str | None = None,
    seed: int = 0,
) -> Direction:
    """The direction of an attribute in a latent space of a model.

    The examples are `positive` and `negative`, if they are given; or else of the data, labelled by their
    attributes or by a classifier; or else, with a classifier, samples of the model.

    Args:
        model: a trained model, or its run folder.
        positive: examples with the attribute, `(P, C, H, W)` or `(P, D)`, as `model.encode` takes them.
        negative: examples without it.
        attribute: as `with_attribute` takes it, e.g. `smiling`, `age>=60`, or a class; of a classifier one of
            its classes, the second of two when not given.
        data: a source, arrays (X, y) or loaded data; what the model was trained on when not given. The
            direction is found in the training split and measured in the test split.
        classifier: a trained classifier, or its run folder, whose predictions are the labels.
        examples: examples of each kind; 20 of data, 500 of samples when not given.
        method: `means`, the difference of the means; `logistic`, the normal of a logistic regression; or
            `channels`, the difference of the means in few numbers of a latent, e.g. single channels of `s` of
            a StyleGAN (Wu et al. 2021, arXiv:2011.12799).
        channels: the number of those.
        orthogonal_to: directions to leave alone; by name those that the run has, or attributes of the same
            data: the logistic normals of 500 examples of each kind.
        space: name of the latent space; the default one for None.
        layers: of a model with styles, those that the direction moves, e.g. `coarse` or `0-3`: `at_layers`.
        name: of the direction; the attribute when not given.
        seed: of the choice of examples, and of the bootstrap.

    Returns:
        The direction; its details say how it was found, its held-out accuracy and its error.

    Raises:
        SimulacraError: the subclass says what is at fault: the model, the data, the attribute or a setting.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> zero = direction(model, attribute="0")
    >>> zero.details["examples"], zero.details["held_out_accuracy"]["value"] > 0.9
    ({'with': 20, 'without': 20}, True)
    """
    for what, number, least in (("examples", examples, 1), ("channels", channels, 1), ("seed", seed, 0)):
        whole = whole_number(number)
        if number is not None and (whole is None or whole < least):
            raise ConfigError(f"{what}: must be a whole number, at least {least}, not {number!r}")
    run, latent_model, one = _opened(model, space)
    mask = None if layers is None else layer_mask(latent_model, one.name, layers)
    details: dict[str, Any] = {} if run is None else {"weights": tensors.checksum(run.weights)}
    find: Callable[[str, int | None], Found]
    if positive is not None or negative is not None:
        if positive is None or negative is None:
            raise ConfigError("direction: give examples with the attribute, and examples without it")
        if data is not None or classifier is not None:
            raise ConfigError("direction: the examples are given; leave data and classifier out")
        attribute = attribute or name or "direction"
        given = Examples(*(_encoded(latent_model, one, x) for x in (positive, negative)))
        find = partial(_of_given, given, attribute)
        details["data"] = "given examples"
    elif classifier is not None:
        labels = _Classifier(classifier, latent_model)
        attribute = attribute or labels.names[labels.index(labels.about)]
        if data is None and one.prior is not None:
            _decoding(latent_model)
            find = partial(_of_samples, latent_model, one, labels, seed)
            details["data"] = "samples"
        else:
            encoder = _encoding(latent_model)
            source = _data(encoder, data)
            find = partial(_of_classified, encoder, one, source, labels, seed)
            details["data"] = source.name
        details["classifier"] = labels.title
    elif attribute is not None:
        encoder = _encoding(latent_model)
        source = _data(encoder, data)
        find = partial(_of_data, encoder, one, source, seed)
        details["data"] = source.name
    else:
        raise ConfigError("direction: name an attribute, or give examples with it and examples without it")
    details["attribute"] = attribute
    found = find(attribute, examples)
    others = [_other(run, one, find, other, seed) for other in orthogonal_to]
    if mask is not None and one.name != "w":
        # of the other layers neither the direction nor its accuracy knows; w is the same in all layers
        train, test = found
        found = train.scaled(mask), test and test.scaled(mask)
        others = [replace(other, vector=mask * other.vector) for other in others]
    result = labelled(name or attribute, one.name, *found, method, others, seed, details, channels)
    return result if layers is None else at_layers(latent_model, result, layers)


def unlabelled_directions(
    model: Model | str | Path,
    method: Literal["pca", "sefa"] = "pca",
    components: int = 10,
    *,
    data: Trainable | None = None,
    space: str | None = None,
    layers: str | None = None,
    name: str | None = None,
    seed: int = 0,
) -> list[Direction]:
    """Directions that need no labels, the one that changes most first.

    `pca` finds the principal components of the latents of at most 2,000 training examples. Of a model without
    an encoder it finds those of the latents of 2,000 samples, as of w of a StyleGAN; where the prior is
    N(0, I), which has none, those of the samples, images reduced to 32 pixels, and takes them to latent space
    by linear regression (GANSpace, Härkönen et al. 2020, arXiv:2004.02546). `sefa` finds the eigenvectors of
    A^T A, A the weights of the first layer that z meets; of a model with styles, in w and w+, the weights of
    the affine maps of all layers (Shen and Zhou 2021, arXiv:2007.06600).

    Args:
        model: a trained model that decodes or encodes, or its run folder.
        method: `pca` or `sefa`.
        components: number of directions; fewer where there are not so many.
        data: for an encoder, as for `direction`.
        space: name of the latent space; the default one for None.
        layers: of a model with styles, those that the directions move, e.g. `coarse` or `0-3`: `at_layers`.
        name: the directions are called NAME-1, NAME-2, ...; the method when not given.
        seed: of samples and of the choice of examples.

    Returns:
        Directions as long as the standard deviation of the latents along them. Their details have the `share`
        of the variance, or of the sum of the eigenvalues.

    Raises:
        SimulacraError: the subclass says what is at fault: the model, the data or a setting.

    >>> import tempfile, simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", "digits", f"{folder}/run", latent_dim=8)
    >>> [one.name for one in unlabelled_directions(model, "sefa", 2)]
    ['sefa-1', 'sefa-2']
    """
    run, latent_model, one = _opened(model, space)
    if (whole_number(components) or 0) < 1:
        raise ConfigError(f"components: must be a whole number, at least 1, not {components!r}")
    if method not in ("pca", "sefa"):
        raise ConfigError(f"unlabelled: unknown '{method}', {nearest(str(method), ('pca', 'sefa'))}")
    details: dict[str, Any] = {} if run is None else {"weights": tensors.checksum(run.weights)}
    mask = None if layers is None else layer_mask(latent_model, one.name, layers)
    if method == "sefa":
        units, shares = sefa(_weights(decoder(_decoding(latent_model)), one, layers), components)
    if isinstance(latent_model, Encodes) and (method == "pca" or one.prior is None):
        source = _data(latent_model, data)
        some = random_subset(_training(source), PRINCIPAL, seed)
        z = features = encode_all(latent_model, some, one.name)[0]
        details["data"] = source.name
    else:
        images = method == "pca" and isinstance(one.prior, StandardNormal)
        z, features = _sampled(_decoding(latent_model), one, seed, images)
        details["data"] = "samples"
    if mask is not None and one.name != "w":
        z, features = mask * z, mask * features
    if method == "sefa":
        # the weights give the directions, the latents only their lengths
        vectors = units * (z.flatten(1).cpu().float() @ units.T).std(dim=0)[:, None]
    else:
        vectors, shares = principal(z, features, components)
        details["examples"] = len(z)
    found = [
        Direction(
            f"{name or method}-{k}",
            one.name,
            v.reshape(one.shape),
            method,
            {**details, "share": share, "seed": seed},
        )
        for k, (v, share) in enumerate(zip(vectors, shares, strict=True), 1)
    ]
    return found if layers is None else [at_layers(latent_model, each, layers) for each in found]


def _weights(model: Decodes, space: LatentSpace, layers: str | None) -> Tensor:
    """The weights of what latents meet first: one layer, or the affine maps of all styles."""
    if isinstance(model, Styles) and space.name in ("w", "w+"):
        return style_weights(model, space, layers)
    return first_layer(model, space)


def _sampled(model: LatentModel, space: LatentSpace, seed: int, images: bool) -> tuple[Tensor, Tensor]:
    """Latents `(N, *shape)`, and the numbers of their samples `(N, D)` or, without images, the latents."""
    if not images:
        z = space.sample(PRINCIPAL, Noise(seed)).cpu()
        return z, z
    parts = []
    for k in range(PRINCIPAL // AT_ONCE):
        z, x = samples(model, space, AT_ONCE, derive_seed(seed, k))
        side = min(POOLED, x.shape[-1]) if model.spec.kind == "image" else 0
        parts.append((z.cpu(), (F.adaptive_avg_pool2d(x, side) if side else x).flatten(1).cpu()))
    return torch.cat([z for z, _ in parts]), torch.cat([x for _, x in parts])


class _Classifier:
    """A classifier whose predictions are labels.

    Attributes:
        title: how messages call it.
        about: what its classes are about.
        names: of its classes.
    """

    def __init__(self, classifier: Model | str | Path, model: LatentModel) -> None:
        """Raises RunError or ConfigError for what does not classify the model's examples."""
        if isinstance(classifier, Model):
            self.title, self.model = f"this {type(classifier).__name__}", classifier
        else:
            self.title, self.model = str(classifier), Run(classifier).load()
        spec, origin = self.model.spec, self.model.trained_on
        if not isinstance(self.model, Predicts) or not spec.classes:
            raise RunError(f"classifier: {self.title} predicts no classes; train a classifier")
        if (spec.kind, spec.shape) != (model.spec.kind, model.spec.shape):
            size = ""
            if model.spec.kind == "image":
                channels, height, _ = model.spec.shape
                size = f" with --image-size {height} --channels {channels}"
            raise ConfigError(
                f"classifier: {self.title} takes examples of shape {spec.shape}, and the model's have"
                f" {model.spec.shape}; train one{size}"
            )
        self.names = spec.classes
        self.about = (origin.options.target if origin else None) or CLASS

    def index(self, attribute: str) -> int:
        """The class that an attribute means.

        Raises:
            DataError: it has no such class.
        """
        return one_class(f"classifier {self.title}", attribute, self.names, self.about)

    @torch.no_grad()
    def predict(self, x: Tensor) -> np.ndarray:
        """The class of every example `(N,)`."""
        assert isinstance(self.model, Predicts), "checked when it was opened"
        with eval_mode(self.model), trusted():
            parts = [self.model.predict(part.to(self.model.device)) for part in x.split(CHUNK)]
        return np.concatenate([cast(Categorical, p).probs.argmax(dim=-1).cpu().numpy() for p in parts])


def _opened(model: Model | str | Path, space: str | None) -> tuple[Run | None, LatentModel, LatentSpace]:
    """The run of a model, if it is one; the model, and its latent space.

    Raises:
        RunError: there is no run, or the model has no latent space.
        ConfigError: there is no such space.
    """
    run = None if isinstance(model, Model) else Run(model)
    opened = model if isinstance(model, Model) else Run(model).load()
    if not isinstance(opened, LatentModel) or not opened.spaces:
        raise RunError(
            f"{run or 'direction'}: a {type(opened).__name__} has no latent space; train an autoencoder, a"
            " vae, a gan or a pca"
        )
    return run, opened, opened.space(space)


def _encoding(model: LatentModel) -> Encodes:
    """The model; raises RunError for one without an encoder."""
    if not isinstance(model, Encodes):
        raise RunError(
            f"this {type(model).__name__} has no encoder, so examples have no latents; let a classifier label"
            " its samples (--classifier RUN), or look for directions without labels (--unlabelled pca)"
        )
    return model


def _decoding(model: LatentModel) -> LatentModel:
    """The model; raises RunError for one without a decoder."""
    if not isinstance(model, Decodes | Conditional):
        raise RunError(f"this {type(model).__name__} {Decodes.missing}")
    return model


def _data(model: LatentModel, data: Trainable | None) -> Data:
    """Data as a model takes them, with labels of their own.

    Raises:
        ConfigError: none are given, and it is unknown what the model was trained on.
        DataError: they do not suit the model, or one of their splits is named.
    """
    if data is None:
        if model.trained_on is None:
            raise ConfigError("direction: this model belongs to no run; pass data")
        data = model.trained_on.source
        if is_arrays(data):
            raise DataError("direction: the run does not store the arrays that it was trained on; pass data")
    if isinstance(data, str | Path) and (split := parse(str(data))[2]) is not None:
        raise DataError(
            f"{data}: directions are found in the training split and measured in the test split; leave"
            f" '@{split}' out"
        )
    return fitting(data, replace(model.spec, classes=()), model.trained_on)


def _training(data: Data) -> Dataset:
    """The training split; raises DataError where it is empty."""
    if not len(data.train):
        raise DataError(f"{data.name}: there are no training examples")
    return data.train


@torch.no_grad()
def _encoded(model: LatentModel, space: LatentSpace, x: Any) -> Tensor:
    """Latents of examples that a program gives, a part at a time."""
    encoder = _encoding(model)
    with eval_mode(encoder):
        parts = [encoder.encode(x[i : i + CHUNK], space.name).mean for i in range(0, len(x), CHUNK)]
    return torch.cat(parts).cpu() if parts else torch.zeros(0, *space.shape)


def _of_given(given: Examples, name: str, attribute: str, examples: int | None) -> Found:
    if attribute != name:
        raise ConfigError(f"it is unknown which of the examples have '{attribute}'")
    return given, None


def _of_data(
    model: Encodes, space: LatentSpace, data: Data, seed: int, attribute: str, examples: int | None
) -> Found:
    of = with_attribute(data, attribute)
    wanted = ((of.train, examples or FROM_DATA), (of.test, HELD_OUT))
    train, test = (encoded(model, space, part, n, seed) for part, n in wanted)
    return train, test if min(test.counts.values()) else None


def _of_classified(
    model: Encodes,
    space: LatentSpace,
    data: Data,
    labels: _Classifier,
    seed: int,
    attribute: str,
    examples: int | None,
) -> Found:
    index, parts = labels.index(attribute), []
    for part, n in ((data.train, examples or FROM_DATA), (data.test, HELD_OUT)):
        few = random_subset(part, CLASSIFIED, seed)
        y = labels.predict(tensor(few.x)) == index
        parts.append(encoded(model, space, replace(few, y=y.astype(np.int64)), n, seed))
    train, test = parts
    return train, test if min(test.counts.values()) else None


def _of_samples(
    model: LatentModel,
    space: LatentSpace,
    labels: _Classifier,
    seed: int,
    attribute: str,
    examples: int | None,
) -> Found:
    index = labels.index(attribute)
    n = examples or FROM_SAMPLES
    train, rest = classified_samples(model, space, lambda x: labels.predict(x) == index, n, seed)
    return train, rest if min(rest.counts.values()) else None


def _other(
    run: Run | None,
    space: LatentSpace,
    find: Callable[[str, int | None], Found],
    other: str | Direction,
    seed: int,
) -> Direction:
    """A direction to be orthogonal to: as it is, saved in the run, or the logistic normal of an attribute.

    Raises:
        ConfigError: there is none of this name.
    """
    if isinstance(other, Direction):
        return other
    saved = [] if run is None else directions.names(run)
    if run is not None and other in saved:
        return directions.load(run, other)
    try:
        found = find(other, FROM_OTHERS)
    except (ConfigError, DataError) as error:
        there = f" ({', '.join(saved)})" if saved else ""
        raise ConfigError(f"orthogonal-to: '{other}' is no saved direction{there}; {error}") from error
    # w^T v = 0 for the w that reads the attribute as w^T z; the means differ along w only in white latents
    return labelled(other, space.name, *found, "logistic", (), seed)
