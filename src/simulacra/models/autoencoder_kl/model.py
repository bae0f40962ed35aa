"""The autoencoder with maps as latents, the first stage of latent diffusion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn, frozen, unwrap
from simulacra.data.spec import DataSpec
from simulacra.models.autoencoder_kl.card import CARD, AutoencoderKLConfig
from simulacra.nets.efficientnet import efficientnet_lite0
from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.perceptual import perceptual_distance
from simulacra.nets.spatial import MapDecoder, MapEncoder
from simulacra.probability.distributions import Delta, kl_to_standard_normal
from simulacra.probability.objectives import OBJECTIVES

# bounds of the adaptive weight: a gradient of 0, and its largest value (Esser et al. 2021, eq. 7)
DELTA, LARGEST = 1e-6, 1e4


class AutoencoderKL(Reconstructs):
    """Autoencoder whose latents are maps `(C, h, w)` (Rombach et al. 2022, arXiv:2112.10752, section 3.1).

        L = |x - y|_1 + p d(x, y) + b KL(q(z | x) || N(0, I)) / D - a lambda E_D(y),    y = G(z), z ~ q(z | x)

    with D numbers in an image x, means over them, d the perceptual distance (Zhang et al. 2018,
    arXiv:1801.03924) and E_D the mean output of a discriminator of patches, trained by the hinge loss. The KL
    term is so small that it only keeps the scale of latents. The discriminator joins late, and its weight
    follows the gradients at the decoder's last layer w (Esser et al. 2021, arXiv:2012.09841, eq. 7):

        lambda = |grad_w (|x - y|_1 + p d)| / (|grad_w E_D(y)| + delta)

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.autoencoder_kl.card import AutoencoderKLConfig
    >>> model = AutoencoderKL(DataSpec("image", (3, 64, 64)), AutoencoderKLConfig(width=8))
    >>> z = model.encode(torch.rand(2, 3, 64, 64)).mean
    >>> z.shape, model.decode(z).mean.shape
    (torch.Size([2, 8, 8, 8]), torch.Size([2, 3, 64, 64]))
    """

    players = {"discriminator": ("discriminator",), "autoencoder": ("encoder", "decoder")}
    has_likelihood = False
    card: ClassVar = CARD
    config: AutoencoderKLConfig

    def __init__(self, spec: DataSpec, config: AutoencoderKLConfig) -> None:
        """Raises ConfigError for settings that cannot be, or without the pretrained network."""
        super().__init__(spec, config)
        if config.perceptual_weight:
            # missing, it is better missed now
            efficientnet_lite0()
        c, *sides = spec.shape
        self.spaces = (LatentSpace("z", (config.latent_channels, *(-(-n // config.factor) for n in sides))),)
        shape = (config.width, config.depth, config.stem, config.factor)
        self.encoder = MapEncoder(c, 2 * config.latent_channels, *shape)
        self.decoder = MapDecoder(config.latent_channels, c, *shape)
        # last, so that the others start as they do without it
        width, size = config.discriminator_width, min(sides)
        self.discriminator = PatchDiscriminator(c, size, config.patch, width, norm="none")

    def play(self, batch: Batch) -> Iterator[Turn]:
        x, config = batch.x, self.config
        mu, sigma = self._posterior(x)
        # z = mu + sigma * eps (Kingma and Welling 2014, eq. 4)
        y = self._decoded(mu + sigma * batch.noise.normal(*mu.shape))
        joined = config.adversarial_weight > 0 and batch.step >= config.adversarial_from * batch.steps
        if joined:
            real, fake = self._scores(x), self._scores(y.detach())
            loss = OBJECTIVES["hinge"].discriminator_loss(real, fake)
            yield Turn("discriminator", loss, {"real": real.mean(), "fake": fake.mean()})
        terms = {name: values.mean() for name, values in self._terms(x, y, mu, sigma).items()}
        reconstruction = terms["reconstruction_loss"]
        loss = reconstruction + config.kl_weight * terms["kl"] / x[0].numel()
        if joined:
            with frozen(self.discriminator):
                adversarial = OBJECTIVES["hinge"].generator_loss(real, self._scores(y))
            weight = config.adversarial_weight * adaptive_weight(reconstruction, adversarial, self._last)
            loss = loss + weight * adversarial
            terms["adversarial_weight"] = weight
        yield Turn("autoencoder", loss, terms)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """The loss without the adversarial term, of latents at their means."""
        mu, sigma = self._posterior(batch.x)
        terms = self._terms(batch.x, self._decoded(mu), mu, sigma)
        loss = terms["reconstruction_loss"] + self.config.kl_weight * terms["kl"] / batch.x[0].numel()
        return {"loss": loss, **terms}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The approximate posterior q(z | x) = N(mu, diag sigma^2).

        Args:
            x: images `(B, C, H, W)` in [0, 1].
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, C, h, w)`.
        """
        self.space(space)
        return Independent(Normal(*self._posterior(x), validate_args=False), 3, validate_args=False)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on the image G(z).

        Args:
            z: latents `(B, C, h, w)`.
            space: only `z`, the default.

        Returns:
            A distribution over images with a `mean` `(B, C, H, W)` in [0, 1].
        """
        self.space(space)
        return Delta(self._decoded(z).clamp(0, 1))

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of q(z | x), both `(B, C, h, w)`."""
        below, right = (-n % self.config.factor for n in x.shape[2:])
        if below or right:
            x = F.pad(x, (0, right, 0, below), mode="replicate")
        mu, s = self.encoder(2 * x - 1).chunk(2, dim=1)
        return mu, F.softplus(s) + 1e-6

    def _decoded(self, z: Tensor) -> Tensor:
        """G(z), about [0, 1]."""
        h, w = self.spec.shape[1:]
        y: Tensor = self.decoder(z)[..., :h, :w] / 2 + 0.5
        return y

    def _terms(self, x: Tensor, y: Tensor, mu: Tensor, sigma: Tensor) -> dict[str, Tensor]:
        """The terms of the loss beside the adversarial one, each `(B,)`."""
        l1 = (x - y).abs().flatten(1).mean(dim=1)
        kl = kl_to_standard_normal(mu, sigma).flatten(1).sum(dim=1)
        if not self.config.perceptual_weight:
            return {"reconstruction_loss": l1, "absolute_error": l1, "kl": kl}
        distance = perceptual_distance(x, y)
        loss = l1 + self.config.perceptual_weight * distance
        return {"reconstruction_loss": loss, "absolute_error": l1, "perceptual_loss": distance, "kl": kl}

    def _scores(self, x: Tensor) -> Tensor:
        """The discriminator's outputs on the patches of images, `(B * patches,)`."""
        outputs: Tensor = self.discriminator(2 * x - 1)
        return outputs.flatten()

    @property
    def _last(self) -> Tensor:
        return cast(MapDecoder, unwrap(self.decoder)).last.weight


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, w: Tensor) -> Tensor:
    """lambda = |grad_w reconstruction| / (|grad_w adversarial| + delta) (Esser et al. 2021, eq. 7).

    Under several processes the gradients are those of the whole batch.

    >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> adaptive_weight(w.square().sum(), 2 * w.sum(), w)  # |(6, 8)| / |(2, 2)|
    tensor(3.5355)
    """
    norms = []
    for loss in (reconstruction, adversarial):
        (gradient,) = torch.autograd.grad(loss, w, retain_graph=True)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(gradient)
        norms.append(gradient.norm())
    return (norms[0] / (norms[1] + DELTA)).clamp(max=LARGEST)
