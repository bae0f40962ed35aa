"""The variational autoencoder whose reconstructions have the features of the originals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from simulacra import nets
from simulacra.core.batch import Batch, in_order, random_subset
from simulacra.core.capabilities import Generates, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.classifier.model import Classifier
from simulacra.models.dfc_vae.card import CARD, NETWORKS, DFCVAEConfig
from simulacra.models.pretrained import as_buffers, copy_weights, model_of_run
from simulacra.models.registry import short_name
from simulacra.nets.efficientnet import efficientnet_lite0
from simulacra.nets.perceptual import large_colour
from simulacra.nets.vgg import vgg19
from simulacra.probability.distributions import Delta, kl_to_standard_normal

# Layers of EfficientNet-Lite0 that are compared. In the deeper ones, at strides 16 and 32, a face that is
# blurred over 8 pixels is further from the original than the mean image (2.0 and 3.4, against 1.5 and 1.4).
EARLY = 3
# training images whose features' variances are the units of the loss
MEASURED = 256


class DFCVAE(Generates, Reconstructs):
    """Deep-feature-consistent variational autoencoder (Hou et al. 2017, arXiv:1610.00291).

    Images are compared by the feature maps of a network that stays as it is, instead of by pixels:

        L = sum over layers l of |f_l(x) - f_l(y)|^2 / (D_l v_l) + a KL(q(z | x) || N(0, I)),    y = G(z)

    with z ~ q(z | x) = N(mu, diag sigma^2), D_l numbers in a map, and v_l the mean squared deviation of a
    number of the map from its mean over training images at that place: in each layer a constant has a loss
    of 1.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.dfc_vae.card import DFCVAEConfig
    >>> model = DFCVAE(DataSpec("image", (3, 32, 32)), DFCVAEConfig(latent_dim=4, width=8))
    >>> model.sample(5, seed=0).shape
    torch.Size([5, 3, 32, 32])

    Attributes:
        classifier: the model of a classifier's run, with buffers for parameters; None for other features.
        variance: v of each layer `(L,)`.
    """

    players = {"vae": ("encoder", "decoder")}
    has_likelihood = False
    card: ClassVar = CARD
    config: DFCVAEConfig
    variance: Tensor

    def __init__(self, spec: DataSpec, config: DFCVAEConfig) -> None:
        """Raises ConfigError for settings that cannot be, or features that are not there."""
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(config.latent_dim),)
        self.classifier = None
        if config.features not in NETWORKS:
            self.classifier = as_buffers(_classifier(spec, config.features)).eval()
        elif spec.shape[0] not in (1, 3):
            raise ConfigError(
                f"features: {config.features} sees grey or colour images, not images of {spec.shape[0]}"
                " channels; give the run of a classifier of such images"
            )
        with torch.no_grad():
            layers = len(self.feature_maps(torch.zeros(1, *spec.shape)))
        self.register_buffer("variance", torch.ones(layers))
        if config.net == "auto":
            config = replace(config, net="upsample" if nets.pick("auto", spec.shape) == "conv" else "mlp")
        self.encoder = nets.encoder(spec.shape, 2 * config.latent_dim, config)
        mirrored = replace(config, hidden=config.hidden[::-1])
        self.decoder = nets.decoder(config.latent_dim, spec.shape, mirrored)

    def train(self, mode: bool = True) -> Self:
        """As for every module, but for the classifier, whose batch norms stay as they were trained."""
        super().train(mode)
        if self.classifier is not None:
            self.classifier.eval()
        return self

    @torch.no_grad()
    def prepare(self, train: Dataset) -> None:
        """Copy the classifier's weights; measure how far features deviate from their means.

        Raises:
            RunError: the classifier's run has no weights.
        """
        if self.classifier is not None:
            copy_weights(self.classifier, self.config.features)
        few = random_subset(train, MEASURED, seed=0)
        parts = [self.feature_maps(batch.x) for batch in in_order(few, 32, self.device)]
        for i, layer in enumerate(zip(*parts, strict=True)):
            variance = torch.cat(layer).var(dim=0, correction=0).mean()
            # a layer that is constant says nothing
            self.variance[i] = variance if variance > 0 else 1.0

    def play(self, batch: Batch) -> Iterator[Turn]:
        mu, sigma = self._posterior(batch.x)
        # z = mu + sigma * eps (Kingma and Welling 2014, eq. 4)
        z = mu + sigma * batch.noise.normal(*mu.shape)
        terms = {name: values.mean() for name, values in self._terms(batch.x, z, mu, sigma).items()}
        yield Turn("vae", terms.pop("loss"), terms)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        mu, sigma = self._posterior(batch.x)
        return self._terms(batch.x, mu + sigma * batch.noise.normal(*mu.shape), mu, sigma)

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The approximate posterior q(z | x) = N(mu, diag sigma^2).

        Args:
            x: images `(B, C, H, W)` in [0, 1].
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        return Independent(Normal(*self._posterior(x), validate_args=False), 1, validate_args=False)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on the image G(z).

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution over images with a `mean` `(B, C, H, W)` in [0, 1].
        """
        self.space(space)
        return Delta(self.decoder(z).sigmoid())

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """f_l of images `(B, C, H, W)` in [0, 1], each `(B, C_l, H_l, W_l)` or `(B, D_l)`."""
        if isinstance(self.classifier, Classifier):
            return self.classifier.maps(x)
        if self.config.features == "vgg":
            return vgg19(x.device).maps(x.expand(-1, 3, -1, -1))
        return efficientnet_lite0(x.device).maps(large_colour(x), EARLY)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of q(z | x), both `(B, Z)`."""
        mu, s = self.encoder(x).chunk(2, dim=1)
        return mu, F.softplus(s) + 1e-6

    def _terms(self, x: Tensor, z: Tensor, mu: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The loss and its terms, each `(B,)`."""
        with torch.no_grad():
            target = self.feature_maps(x)
        distance = feature_loss(target, self.feature_maps(self.decode(z).mean), self.variance)
        kl = kl_to_standard_normal(mu, sigma).sum(dim=1)
        loss = distance + self.config.kl_weight * kl
        return {"loss": loss, "feature_loss": distance, "kl": kl}


def feature_loss(f: list[Tensor], g: list[Tensor], variance: Tensor) -> Tensor:
    """sum over layers l of |f_l - g_l|^2 / (D_l v_l) of each example, `(B,)` (Hou et al. 2017, eq. 3).

    >>> feature_loss([torch.ones(2, 3, 4, 4)], [torch.zeros(2, 3, 4, 4)], torch.tensor([0.5]))
    tensor([2., 2.])
    """
    layers = [(a - b).square().flatten(1).mean(dim=1) for a, b in zip(f, g, strict=True)]
    return (torch.stack(layers, dim=1) / variance).sum(dim=1)


def _classifier(spec: DataSpec, folder: str) -> Classifier:
    """The untrained model of a classifier's run.

    Raises:
        ConfigError: there is no such run, or its model does not classify such images.
    """
    model, run = model_of_run(folder, "features")
    where = f"features: {folder}"
    if not isinstance(model, Classifier):
        raise ConfigError(
            f"{where}: a {short_name(run.model)} gives no features; name the run of a classifier, or"
            f" {' or '.join(NETWORKS)}"
        )
    if run.spec.shape != spec.shape:
        seen, given = ("x".join(map(str, shape)) for shape in (run.spec.shape, spec.shape))
        raise ConfigError(f"{where}: classifies images of {seen}, and the data are images of {given}")
    return model
