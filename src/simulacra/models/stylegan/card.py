"""The card of `stylegan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.gan.card import AdversarialConfig
from simulacra.models.settings import ADVERSARIAL, convolves

SMALLEST, LARGEST = 8, 1024


@dataclass(frozen=True)
class StyleGANConfig(AdversarialConfig):
    """Mapping and synthesis network, discriminator, and the objective of their game."""

    latent_dim: int = 128
    """numbers in a latent z ~ N(0, I), and in w"""
    mapping_depth: int = 2
    """layers of the mapping network from z to w, 1 to 8"""
    width: int | None = 16
    """channels at full size, doubled at every halving of the image; None: 32,768 / side, as in the paper"""
    widest: int = 256
    """most channels"""
    synthesis: Literal["skip", "residual"] = "skip"
    """sum of images of all sizes, or of features (Karras et al. 2020, figure 7)"""
    discriminator: Literal["residual", "strided"] = "residual"
    """residual blocks (Karras et al. 2020), or one convolution of stride 2 a level"""
    modulation: Literal["demodulated", "adain"] = "demodulated"
    """how styles act: on the weights (Karras et al. 2020), or by adaptive instance normalisation (2019)"""
    mixing: float = 0.9
    """share of training images made with the styles of two latents"""
    batch_deviation: bool = True
    """minibatch standard deviation as a feature of the discriminator (Karras et al. 2018)"""
    path_length: float | None = None
    """weight of path length regularisation; 2 for images of 128 pixels and more, else 0"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        super().__post_init__()
        check_ranges(
            self,
            at_least_1=("latent_dim", "mapping_depth", "width", "widest"),
            at_least_0=("mixing", "path_length"),
        )
        if self.mapping_depth > 8:
            raise ConfigError(f"mapping_depth: must be at most 8, not {self.mapping_depth}")
        if self.mixing > 1:
            raise ConfigError(f"mixing: must be from 0 to 1, not {self.mixing}")


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    if spec.kind != "image":
        return "a stylegan needs images; train a gan"
    _, height, width = spec.shape
    if height == width and SMALLEST <= height <= LARGEST and height & (height - 1) == 0:
        return ""
    near = min((2**k for k in range(3, 11)), key=lambda side: abs(side - max(height, width)))
    return (
        f"a stylegan needs square images whose side is a power of two from {SMALLEST} to {LARGEST}, not"
        f" {width}x{height}; choose --image-size {near}"
    )


PRESETS: dict[str, dict[str, Any]] = {
    "nano": {
        "latent_dim": 128, "mapping_depth": 2, "width": 12, "widest": 256, "batch_size": 32,
        "discriminator": "strided", "augment": "ada", "r1": 0.3,
    },
    "small": {"latent_dim": 256, "mapping_depth": 4, "width": 64, "widest": 512, "batch_size": 32},
    "paper": {
        "latent_dim": 512, "mapping_depth": 8, "width": None, "widest": 512, "batch_size": 32,
        "objective": "non-saturating", "lazy": 16, "lr": 2e-3,
    },
}  # fmt: skip

CARD = ModelCard(
    "simulacra.models.stylegan.model:StyleGAN",
    StyleGANConfig,
    "a GAN with a style and noise for each layer: mix, w, w+",
    (
        "It has no likelihood and no encoder: it samples, but cannot assess given examples.",
        "It may miss parts of the data; coverage and recall measure how much.",
    ),
    # an equalised learning rate moves weights ~ N(0, 1): a short training needs more than the paper's 0.002
    training=replace(ADVERSARIAL, batch_size=32, lr=4e-3),
    presets=PRESETS,
    gains_bf16=convolves,
    needs=needs,
)
