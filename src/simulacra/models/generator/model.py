"""The generator network."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import nets
from simulacra.core.capabilities import Generates
from simulacra.core.latents import LatentSpace
from simulacra.data.spec import DataSpec
from simulacra.models.generator.card import CARD, GeneratorConfig
from simulacra.probability import likelihoods
from simulacra.probability.distributions import Delta
from simulacra.probability.likelihoods import Likelihood


class Generator(Generates):
    """Generator network: a net whose input is random, z ~ N(0, I), and so its output as well.

    x = g(z), or, with a likelihood at the output, x ~ p(x | z = g(z)): a network whose input and output are
    distributions both. Untrained, with Glorot and Bengio's (2010, eq. 16) weights and no biases, a deep
    ReLU net already folds and stretches the plane of its latents into strands and sheets.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.generator.card import GeneratorConfig
    >>> Generator(DataSpec("vector", (2,)), GeneratorConfig()).sample(1000, seed=0).shape
    torch.Size([1000, 2])
    """

    card: ClassVar = CARD
    untrained = True
    config: Any

    def __init__(self, spec: DataSpec, config: Any) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(config.latent_dim),)
        self.likelihood = self.head()
        self.has_likelihood = self.likelihood is not None
        outputs = spec.shape if self.likelihood is None else self.likelihood.outputs(spec.shape)
        self.generator = nets.decoder(config.latent_dim, outputs, config)
        self.generator.apply(glorot)
        if spec.kind == "image" and self.likelihood is None:
            self._spread()

    def head(self) -> Likelihood | None:
        """The likelihood at the output, where there is one."""
        config: GeneratorConfig = self.config
        if config.likelihood == "none":
            return None
        return likelihoods.make(config.likelihood, config.scale, config.sigma)

    @torch.no_grad()
    def _spread(self) -> None:
        """Scale the last layer until outputs have variance 1 (Mishkin and Matas 2016): no grey pictures."""
        last = [m for m in self.generator.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
        x = self.generator(torch.randn(64, self.config.latent_dim))
        last.weight /= x.std().clamp(min=1e-12)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z); without a likelihood all mass on g(z), or for images on sigmoid(g(z)).

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution over examples with a `mean` `(B, C, H, W)` in [0, 1], or `(B, D)`.
        """
        self.space(space)
        x = self.generator(z)
        if self.likelihood is not None:
            return cast(Distribution, self.likelihood(x))
        return Delta(x.sigmoid() if self.spec.kind == "image" else x)


def glorot(layer: nn.Module) -> None:
    """U(-a, a) with a = sqrt(6 / (n_in + n_out)), no bias (Glorot and Bengio 2010, eq. 16)."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
