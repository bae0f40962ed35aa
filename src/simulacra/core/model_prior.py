"""A density model of the latents as the prior of a latent space: an autoencoder becomes a generator."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from math import prod
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import (
    BLOCK,
    Conditional,
    Decodes,
    EstimatesLikelihood,
    Generates,
    Guided,
    Samples,
)
from simulacra.core.latents import Prior
from simulacra.core.noise import Noise
from simulacra.errors import ConfigError


class ModelPrior(Prior):
    """The distribution of latents that a density model has learned, e.g. a mixture of normals or a flow.

    Args:
        model: trained on latents as vectors `(Z,)`; of latents `(*shape)` one after the other.
        mean: of the latents it was trained on, `(*shape)`, which truncation moves towards.
        name: how reports call it.

    Attributes:
        formula: as of every prior.
    """

    def __init__(self, model: Samples, mean: Tensor, name: str) -> None:
        self.model, self.mean, self.name = model, mean, name
        self.formula = f"p(z) of {name}"

    @torch.no_grad()
    def sample(self, n: int, noise: Noise) -> Tensor:
        if isinstance(self.model, Generates):
            # exactly n, where `sample` decodes whole blocks
            z = noise.draw(self.model.decode(self.model.latent.sample(n, noise).to(self.model.device)))
        else:
            z = self.model.sample(n, noise)
        return z.reshape(n, *self.mean.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z) in nats `(N,)`.

        Raises:
            ConfigError: the model has no density, as a GAN.
        """
        if not isinstance(self.model, EstimatesLikelihood):
            raise ConfigError(f"the density of {self.formula} is not known: its model has no likelihood")
        return self.model.log_likelihood(z.flatten(1))

    def truncate(self, z: Tensor, psi: float) -> Tensor:
        # exact for psi = 1
        return torch.lerp(self.mean.to(z), z, psi)

    def quantile(self, u: Tensor) -> Tensor:
        """Raises ConfigError."""
        raise ConfigError(f"the quantiles of {self.formula} are not known")


def with_prior(model: Decodes, prior: ModelPrior) -> Generates:
    """The model, with this prior in its default latent space: it samples, whether or not it did before.

    Where the prior is conditioned on classes, so is the model. The weights are shared with the model given,
    which stays as it is.

    Args:
        model: a trained model that decodes.
        prior: of its default latent space.

    Raises:
        ConfigError: the prior is one of other latents.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.autoencoder.card import AutoencoderConfig
    >>> from simulacra.models.autoencoder.model import Autoencoder
    >>> from simulacra.models.pca.card import PCAConfig
    >>> from simulacra.models.pca.model import PCA
    >>> model = Autoencoder(DataSpec("image", (1, 8, 8)), AutoencoderConfig(latent_dim=4))
    >>> density = PCA(DataSpec("vector", (4,)), PCAConfig(latent_dim=2))
    >>> with_prior(model, ModelPrior(density, torch.zeros(4), "pca")).sample(5, seed=0).shape
    torch.Size([5, 1, 8, 8])
    """
    if prior.model.spec.shape != (model.latent.size,) or prior.mean.shape != model.latent.shape:
        raise ConfigError(
            f"prior: {prior.name} is one of {prod(prior.model.spec.shape)} numbers, and a latent of this"
            f" {type(model).__name__} has {model.latent.size}"
        )
    of = type(model)
    bases: tuple[type, ...] = (of,) if isinstance(model, Generates) else (Generates, of)
    if isinstance(prior.model, Conditional):
        bases = (_GuidedPrior if isinstance(prior.model, Guided) else _ConditionalPrior, *bases)
    members: dict[str, Any] = {
        # a property of some models
        "spaces": (replace(model.latent, prior=prior), *model.spaces[1:]),
        "without_prior": model,
        "__doc__": of.__doc__,
        "__module__": of.__module__,
    }
    new = copy(model)
    vars(new).pop("spaces", None)
    # what a model can do is its class
    new.__class__ = type(of.__name__, bases, members)
    return cast(Generates, new)


class _ConditionalPrior(Conditional, Decodes):
    """A model whose prior is conditioned on classes, and whose decoder is not.

    Attributes:
        without_prior: the model before.
    """

    without_prior: ClassVar[Decodes]

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor | None]:
        noise, prior = Noise.of(seed), cast(ModelPrior, self.prior)
        draw = self.spec.kind == "vector" if draw is None else draw
        z, y = prior.model.sample_labelled(n, noise)
        z = prior.truncate(z.reshape(n, *self.latent.shape), truncation).to(self.device, self.dtype)
        each = [self.decode(part) for part in z.split(BLOCK[self.spec.kind])]
        return torch.cat([noise.draw(p) if draw else p.mean for p in each]), y

    def for_class(self, y: int | str) -> Generates:
        """The model with the prior of one class, by its name or index."""
        prior = cast(ModelPrior, self.prior)
        of_class = cast(Conditional, prior.model).for_class(self.class_index(y))
        return with_prior(self.without_prior, ModelPrior(of_class, prior.mean, prior.name))

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """p(x | z), which does not depend on the class given z."""
        return self.decode(z, space)


class _GuidedPrior(Guided, _ConditionalPrior):
    """A model whose prior is conditioned on classes, with guidance."""

    @property
    def guidance(self) -> float:
        return self._guided.guidance

    @guidance.setter
    def guidance(self, value: float) -> None:
        self._guided.guidance = value

    @property
    def _guided(self) -> Guided:
        return cast(Guided, cast(ModelPrior, self.prior).model)
