"""The card of `gan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.models.generator.card import NetworkConfig
from simulacra.models.settings import ADVERSARIAL, ADVERSARIAL_TABLE, convolves


@dataclass(frozen=True)
class AdversarialConfig:
    """The objective of an adversarial game, and how its discriminator is regularised."""

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
    """adversarial loss"""
    r1: float | None = None
    """weight of R1, the squared gradient at real examples; by default that of the objective"""
    r2: float | None = None
    """weight of R2, the squared gradient at fake examples; by default that of the objective"""
    gradient_penalty: float | None = None
    """weight of (|gradient| - 1)^2 between real and fake; for wasserstein-gp 10, of vectors 0.1, else 0"""
    clip_weights: float | None = None
    """largest weight of the discriminator; for wasserstein 0.01, of vectors 0.05, else none"""
    lazy: int | None = None
    """steps between penalties, whose weights are multiplied by it; 4 for images, else 1"""
    n_critic: int = 1
    """discriminator steps for each generator step"""
    batch_deviation: bool = False
    """minibatch standard deviation as a feature of the discriminator (Karras et al. 2018)"""
    augment: Literal["none", "diff", "ada"] = "none"
    """augment the discriminator's images, for small data sets: with fixed strength (diff, Zhao et al. 2020)
    or as strongly as it overfits (ada, Karras et al. 2020)"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_ranges(
            self,
            at_least_1=("lazy", "n_critic"),
            at_least_0=("r1", "r2", "gradient_penalty", "clip_weights"),
        )


@dataclass(frozen=True)
class GANConfig(AdversarialConfig, NetworkConfig):
    """Generator, discriminator and the objective of their game."""

    latent_dim: int | None = None  # type: ignore[assignment]  # None is resolved from the data
    """numbers in a latent z ~ N(0, I); 64 for images, as many as a vector has when not given"""
    net: Literal["auto", "mlp", "dcgan", "conv", "upsample", "resnet"] = "auto"  # type: ignore[assignment]
    """kind of nets; dcgan: strided and transposed convolutions; conv: with one more at full size; upsample:
    enlarge, then convolve; auto: dcgan for images of 16 pixels or more, else mlp"""
    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: sizes of the hidden layers; resnet: of the layers next to the latent"""
    norm: Literal["none", "batch", "group"] = "batch"
    """normalisation in the generator's convolutions"""
    features: int = 256
    """features of the discriminator's last layer"""
    spectral_norm: bool = False
    """divide the discriminator's weights by their largest singular value (Miyato et al. 2018)"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        NetworkConfig.__post_init__(self)
        AdversarialConfig.__post_init__(self)
        check_ranges(self, at_least_1=("features",))


CARD = ModelCard(
    "simulacra.models.gan.model:GAN",
    GANConfig,
    "generative adversarial network, eight objectives",
    (
        "It has no likelihood and no encoder: it samples, but cannot assess given examples.",
        "It may miss parts of the data; coverage and recall measure how much.",
    ),
    training=ADVERSARIAL,
    presets={"table": ADVERSARIAL_TABLE},
    gains_bf16=convolves,
)
