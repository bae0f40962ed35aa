"""The card of `generator`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.models.settings import LikelihoodName, check_sizes


@dataclass(frozen=True)
class NetworkConfig:
    """A net whose input is random."""

    latent_dim: int = 2
    """numbers in a latent z ~ N(0, I)"""
    net: Literal["auto", "mlp", "conv", "upsample", "resnet"] = "auto"
    """kind of net; conv: transposed convolutions; upsample: enlarge, then convolve; auto: conv for images of
    16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (100,) * 12
    """mlp: sizes of the hidden layers; resnet: of its first layers"""
    width: int = 32
    """conv, upsample, resnet: channels of the last level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks per level"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)


@dataclass(frozen=True)
class GeneratorConfig(NetworkConfig):
    """An untrained generator network, with or without a distribution at its output."""

    likelihood: LikelihoodName | Literal["none"] = "none"
    """p(x | z) that samples are drawn from; none: the net's output itself"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""
    sigma: float = 1.0
    """fixed scale of normal and laplace"""


CARD = ModelCard(
    "simulacra.models.generator.model:Generator",
    GeneratorConfig,
    "an untrained net whose input is random",
    (
        "It is not trained: its samples share only their shape with the data.",
        "Its density is not known.",
    ),
)
