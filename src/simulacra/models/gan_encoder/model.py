"""The encoder of a generator that is trained already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra import nets
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Conditional, Generates, Reconstructs, Styles
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.gan.adversarial import AdversarialModel
from simulacra.models.gan_encoder.card import CARD, GANEncoderConfig
from simulacra.models.pretrained import as_buffers, copy_weights, model_of_run
from simulacra.models.registry import short_name
from simulacra.nets.efficientnet import efficientnet_lite0
from simulacra.nets.perceptual import perceptual_distance
from simulacra.probability.distributions import Delta
from simulacra.probability.standardise import Standardise

# draws from the prior that the mean and the scale of latents are taken of
DRAWS = 4096
# share of the training over which real examples gain their full weight
RAMP = 0.5


class GANEncoder(Reconstructs, Generates):
    """An encoder that is trained for a generator, whose weights never change: z = E(x) with G(z) close to x.

    Half of each batch is generated, so that its latents are known; the other half is real:

        L = a |E(G(z)) - z|^2 + b (|x' - G(z)|^2 + r |x' - x|^2) + r (c d(x', x) + e |delta|^2)

    with x' = G(E(.)), the reconstruction, d the perceptual distance (Zhang et al. 2018, arXiv:1801.03924) and
    r rising from 0 to 1: first the encoder learns to invert the generator, then to find the nearest
    generated example to a real one (Zhu et al. 2020, arXiv:2004.00049). For a generator with a style for
    each layer the latent is a common w and deltas from it, which are kept small (e4e: Tov et al. 2021,
    arXiv:2102.02766), so that what edits w edits the encoded image, too.

    >>> import tempfile
    >>> import simulacra as sim
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gan = sim.train("gan", "digits", f"{folder}/gan", steps=2)
    ...     model = sim.train(
    ...         "gan_encoder", "digits", f"{folder}/encoder", generator=f"{folder}/gan", steps=2
    ...     )
    >>> x = gan.sample(5, seed=0)
    >>> model.encode(x).mean.shape, model.reconstruct(x).shape
    (torch.Size([5, 64]), torch.Size([5, 1, 8, 8]))

    Attributes:
        generator: the model of the generator's run, with buffers for parameters.
        center: the mean latent, which the encoder's output is added to.
        scale: the standard deviation of latents, which it is a multiple of.
    """

    players = {"encoder": ("encoder",)}
    card: ClassVar = CARD
    config: GANEncoderConfig
    generator: Generates
    center: Tensor
    scale: Tensor

    def __init__(self, spec: DataSpec, config: GANEncoderConfig) -> None:
        """Raises ConfigError for a run without a generator of such data, or settings that cannot be."""
        super().__init__(spec, config)
        self.generator = as_buffers(_generator(spec, config)).eval()
        self.has_likelihood = self.generator.has_likelihood
        if isinstance(self.generator, Styles):
            # what a model can do is its class
            self.__class__ = StyleEncoder
        self.perceptual = config.perceptual_weight > 0 and spec.kind == "image"
        if self.perceptual:
            # missing, it is better missed now
            efficientnet_lite0()
        self.standardise = Standardise(spec, common=True)
        self.register_buffer("center", torch.zeros(self.latent.shape))
        self.register_buffer("scale", torch.ones(()))
        if config.net == "auto":
            config = replace(config, net="resnet" if nets.pick("auto", spec.shape) == "conv" else "mlp")
        *layers, size = self.latent.shape
        # of a stack of styles the common one, then the deltas
        self.encoder = nets.encoder(spec.shape, self.latent.size + (size if layers else 0), config)

    @property
    def spaces(self) -> tuple[LatentSpace, ...]:  # type: ignore[override]  # those of the generator
        """The latent spaces that examples are encoded to, the one that holds most first."""
        return (self.generator.latent,)

    def train(self, mode: bool = True) -> Self:
        """As for every module, but for the generator, whose batch norms stay as they were trained."""
        super().train(mode)
        self.generator.eval()
        return self

    @torch.no_grad()
    def prepare(self, train: Dataset) -> None:
        """Copy the generator's weights; learn the scales of data and latents.

        Raises:
            RunError: the generator's run has no weights.
        """
        copy_weights(self.generator, self.config.generator)
        self.standardise.fit(train.x)
        w = self.latent.sample(DRAWS, Noise(0, device=self.device))
        self.center.copy_(w.mean(dim=0))
        self.scale.copy_((w - self.center).square().mean().sqrt())

    def play(self, batch: Batch) -> Iterator[Turn]:
        config, n = self.config, len(batch)
        real = min(1.0, batch.step / (RAMP * batch.steps))
        w = self.latent.sample(n, batch.noise)
        with torch.no_grad():
            generated = self._decoded(w)
        found, delta = self._encoded(torch.cat([generated, batch.x]))
        y = self._decoded(found)
        latent = self._latent_error(found[:n], w).mean()
        own, pixel = self._pixel_error(generated, y[:n]).mean(), self._pixel_error(batch.x, y[n:]).mean()
        loss = config.latent_weight * latent + config.pixel_weight * (own + real * pixel)
        terms = {"latent": latent, "generated": own, "pixel": pixel}
        if self.perceptual:
            terms["perceptual_loss"] = perceptual_distance(batch.x, y[n:]).mean()
            loss = loss + real * config.perceptual_weight * terms["perceptual_loss"]
        if delta is not None:
            terms["delta"] = (delta[n:] / self.scale).square().mean()
            loss = loss + real * config.delta_weight * terms["delta"]
        yield Turn("encoder", loss, terms)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """The loss without the perceptual distance, which takes longer than all the rest."""
        w = self.latent.sample(len(batch), batch.noise)
        found, _ = self._encoded(torch.cat([self._decoded(w), batch.x]))
        latent = self._latent_error(found[: len(batch)], w)
        pixel = self._pixel_error(batch.x, self._decoded(found[len(batch) :]))
        loss = self.config.latent_weight * latent + self.config.pixel_weight * pixel
        return {"loss": loss, "latent": latent, "pixel": pixel}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on the latent E(x) of each example.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: name of the latent space; the default one for None.

        Returns:
            A distribution over latents with a `mean` `(B, *shape of the space)`.
        """
        self.space(space)
        return Delta(self._encoded(x)[0])

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z) of the generator.

        Args:
            z: latents `(B, *shape of the space)`.
            space: name of the latent space; the default one for None.

        Returns:
            A distribution over examples with a `mean` `(B, C, H, W)` in [0, 1], or `(B, D)`.
        """
        return self.generator.decode(z, self.space(space).name)

    def collapse_remedies(self) -> list[str]:
        return ["the run of another --generator"]

    def _encoded(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Latents of the default space; of a stack of styles also the deltas from the common one."""
        e = self.scale * self.encoder(self.standardise(x))
        if len(self.latent.shape) == 1:
            return self.center + e, None
        layers, size = self.latent.shape
        delta = e[:, size:].unflatten(1, (layers, size))
        return self.center + e[:, None, :size] + delta, delta

    def _decoded(self, w: Tensor) -> Tensor:
        x: Tensor = self.generator.decode(w, self.latent.name).mean
        return x

    def _latent_error(self, found: Tensor, w: Tensor) -> Tensor:
        """The mean squared error of each latent, a share of the variance of latents, `(B,)`."""
        return ((found - w) / self.scale).square().flatten(1).mean(dim=1)

    def _pixel_error(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean squared error of each example, a share of the variance of the data, `(B,)`."""
        return ((x - y) / self.standardise.std).square().flatten(1).mean(dim=1)


class StyleEncoder(GANEncoder, Styles):
    """The encoder of a generator with a style for each layer: to `w+`, to its mean `w`, and to `s`."""

    generator: Styles

    @property
    def spaces(self) -> tuple[LatentSpace, ...]:  # type: ignore[override]  # those of the generator
        return tuple(self.generator.space(name) for name in ("w+", "w", "s"))

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on the latent of each example, in `w+` (the default), `w` or `s`.

        Args:
            x: images `(B, C, H, W)` in [0, 1].
            space: name of the latent space.

        Returns:
            A distribution over latents with a `mean` `(B, *shape of the space)`.
        """
        name, w = self.space(space).name, self._encoded(x)[0]
        if name == "w":
            # the closest one that all layers share
            w = w.mean(dim=1)
        return Delta(self.channel_styles(w) if name == "s" else w)

    @property
    def resolutions(self) -> tuple[int, ...]:
        return self.generator.resolutions

    @property
    def fixed_noise(self) -> list[Tensor]:
        return self.generator.fixed_noise

    @property
    def style_slices(self) -> list[slice]:
        return self.generator.style_slices

    @property
    def style_layers(self) -> list[int]:
        return self.generator.style_layers

    def channel_styles(self, w: Tensor) -> Tensor:
        return self.generator.channel_styles(w)

    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        return self.generator.styles(z, self.space(space).name)

    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        return self.generator.decode_with_noise(z, maps, self.space(space).name)


def _generator(spec: DataSpec, config: GANEncoderConfig) -> Generates:
    """The untrained model of the generator's run.

    Raises:
        ConfigError: there is no such run, or its model does not generate such examples.
    """
    model, run = model_of_run(config.generator, "generator")
    name, where = short_name(run.model), f"generator: {config.generator}"
    if isinstance(model, Conditional):
        raise ConfigError(
            f"{where}: this {name} generates examples of a given class, and a gan_encoder does not know the"
            " class; train a generator without classes"
        )
    if not isinstance(model, Generates):
        raise ConfigError(f"{where}: this {name} {Generates.missing}")
    if (run.spec.kind, run.spec.shape) != (spec.kind, spec.shape):
        raise ConfigError(f"{where}: generates {_form(run.spec)}, and the data are {_form(spec)}")
    if isinstance(model, AdversarialModel):
        # it takes no part
        del model.discriminator
    return model


def _form(spec: DataSpec) -> str:
    size = "x".join(map(str, spec.shape))
    return f"images of {size}" if spec.kind == "image" else f"vectors of {size} numbers"
