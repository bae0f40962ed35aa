"""The card of `gan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.models.generator.card import NetworkConfig
from simulacra.models.settings import ADVERSARIAL


@dataclass(frozen=True)
class GANConfig(NetworkConfig):
    """Generator, discriminator and the objective of their game."""

    latent_dim: int | None = None  # type: ignore[assignment]  # None is resolved from the data
    """numbers in a latent z ~ N(0, I); 64 for images, as many as a vector has when not given"""
    net: Literal["auto", "mlp", "dcgan", "conv", "upsample", "resnet"] = "auto"  # type: ignore[assignment]
    """kind of nets; dcgan: strided and transposed convolutions; conv: with one more at full size; upsample:
    enlarge, then convolve; auto: dcgan for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: sizes of the hidden layers; resnet: of the layers next to the latent"""
    norm: Literal["none", "batch", "group"] = "batch"
    """normalisation in the generator's convolutions"""
    features: int = 256
    """features of the discriminator"""
    batch_deviation: bool = False
    """show the discriminator how much features vary over the batch (Karras et al. 2018)"""
    spectral_norm: bool = False
    """divide the discriminator's weights by their largest singular value (Miyato et al. 2018)"""
    objective: Literal[
        "non-saturating",
        "minimax",
        "least-squares",
        "hinge",
        "wasserstein",
        "wasserstein-gp",
        "relativistic",
        "relativistic-average",
    ] = "non-saturating"
    """what the players minimise"""
    r1: float | None = None
    """weight of the squared gradient at real examples; the objective's own when not given"""
    r2: float | None = None
    """weight of the squared gradient at fake examples; the objective's own when not given"""
    gradient_penalty: float | None = None
    """weight of (|gradient| - 1)^2 between real and fake; for wasserstein-gp 10, of vectors 0.1, else 0"""
    clip_weights: float | None = None
    """largest weight of the discriminator; for wasserstein 0.01, of vectors 0.05, else none"""
    lazy: int | None = None
    """steps between penalties, which then count as much more; 4 for images, else 1"""
    n_critic: int = 1
    """moves of the discriminator for one of the generator"""
    augment: Literal["none", "diff", "ada"] = "none"
    """change the images that the discriminator sees, for small sets: always a little (diff, Zhao et al. 2020)
    or as much as it overfits (ada, Karras et al. 2020)"""


CARD = ModelCard(
    "simulacra.models.gan.model:GAN",
    GANConfig,
    "generative adversarial network, eight objectives",
    (
        "It has no likelihood and no encoder: it samples, but cannot assess given examples.",
        "It may miss parts of the data; coverage and recall measure how much.",
    ),
    training=ADVERSARIAL,
)
