"""The autoencoder and its training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import nets
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.autoencoder.card import CARD, AutoencoderConfig
from simulacra.probability import likelihoods
from simulacra.probability.distributions import Delta
from simulacra.probability.likelihoods import Likelihood
from simulacra.probability.mixed import Mixed
from simulacra.probability.standardise import Standardise


class Autoencoder(Reconstructs):
    """Autoencoder: an encoder maps an example to a latent, a decoder maps the latent back.

    Loss: -log p(x | z = f(x)), f the encoder and p the likelihood. With a normal likelihood this is the
    squared error (Goodfellow, Bengio and Courville 2016, chapter 14); with linear nets the optimum is
    PCA's subspace (Baldi and Hornik 1989).

    >>> import torch
    >>> from simulacra.data.spec import Dataset, DataSpec
    >>> from simulacra.models.autoencoder.card import AutoencoderConfig
    >>> model = Autoencoder(DataSpec("image", (1, 8, 8)), AutoencoderConfig(latent_dim=4))
    >>> z = model.encode(torch.rand(5, 1, 8, 8)).mean
    >>> z.shape, model.decode(z).mean.shape
    (torch.Size([5, 4]), torch.Size([5, 1, 8, 8]))
    """

    players = {"autoencoder": ("encoder", "decoder", "likelihood")}
    card: ClassVar = CARD
    config: AutoencoderConfig
    # numbers the encoder gives for every latent dimension
    latent_parameters = 1

    def __init__(self, spec: DataSpec, config: AutoencoderConfig) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config)
        if config.binarise and self.likelihood_name != "bernoulli":
            raise ConfigError(f"binarise: needs the bernoulli likelihood, not {self.likelihood_name}")
        self.spaces = (self._space(),)
        self.likelihood = self._likelihood()
        # images are left as they are
        self.standardise = Standardise(spec) if spec.kind == "vector" else None
        self.encoder, self.decoder = self._nets(self.likelihood.outputs(spec.shape))

    def prepare(self, train: Dataset) -> None:
        """Learn what to standardise vectors by; fit the mixtures of the likelihood of a table."""
        if self.standardise is not None:
            self.standardise.fit(train.x)
        if isinstance(self.likelihood, Mixed):
            self.likelihood.fit(train.x)

    def _likelihood(self) -> Likelihood:
        name, schema = self.likelihood_name, self.spec.schema
        if name == "mixed":
            if schema is None:
                raise ConfigError("likelihood: mixed needs the columns of a table; use normal-learned")
            return Mixed(schema, self.config.scale, self.config.sigma)
        if schema is not None and not schema.continuous:
            raise ConfigError(f"likelihood: {name} does not suit the table's categories; use mixed")
        return likelihoods.make(name, self.config.scale, self.config.sigma)

    def _nets(self, outputs: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
        """The encoder, and the decoder to outputs of this shape."""
        config = self.config
        encoder = nets.encoder(self.spec.shape, self.latent_parameters * config.latent_dim, config)
        mirrored = replace(config, hidden=config.hidden[::-1])
        return encoder, nets.decoder(config.latent_dim, outputs, mirrored)

    def _space(self) -> LatentSpace:
        return LatentSpace("z", (self.config.latent_dim,))

    @property
    def likelihood_name(self) -> str:
        """The likelihood's name with `auto` resolved from the data."""
        if self.config.likelihood != "auto":
            return self.config.likelihood
        if self.spec.kind == "vector":
            return "normal-learned" if self.spec.schema is None else "mixed"
        return "bernoulli" if self.spec.shape[0] == 1 else "normal-shared"

    def play(self, batch: Batch) -> Iterator[Turn]:
        x = self.observe(batch.x, batch.noise)
        # L = -log p(x | z), z = f(x)
        loss = -self.decode(self.encode(x).mean).log_prob(x).mean()
        yield Turn("autoencoder", loss)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        x = self.observe(batch.x, batch.noise)
        return {"loss": -self.decode(self.encode(x).mean).log_prob(x)}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on the latent z = f(x) of each example.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        return Delta(self._encoded(x))

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z), the likelihood that the decoder parametrises.

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution over examples with a `mean` `(B, C, H, W)` in [0, 1], or `(B, D)`.
        """
        self.space(space)
        return self._likelihood_of(self.decoder(z))

    def _likelihood_of(self, output: Tensor) -> Distribution:
        """p(x | z) for the decoder's output, in the units of the data."""
        p: Distribution = self.likelihood(output)
        if self.standardise is not None and self.likelihood.location_scale:
            p = self.standardise.in_units(p)
        return p

    def _encoded(self, x: Tensor) -> Tensor:
        """The encoder's output on examples in the units of the data."""
        output: Tensor = self.encoder(x if self.standardise is None else self.standardise(x))
        return output

    def observe(self, x: Tensor, noise: Noise) -> Tensor:
        """Dynamic binarisation where the config asks for it: x ~ Bernoulli(grey value)."""
        if not self.config.binarise:
            return x
        return (noise.uniform(*x.shape) < x).to(x.dtype)
