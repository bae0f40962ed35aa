"""The card of `autoencoder`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.models.settings import LikelihoodName, check_sizes


@dataclass(frozen=True)
class AutoencoderConfig:
    """Nets and likelihood of an encoder and a decoder."""

    latent_dim: int = 16
    """numbers in a latent z"""
    net: Literal["auto", "mlp", "conv", "upsample", "resnet"] = "auto"
    """kind of net; auto: conv for images of 16 pixels and more, else mlp; upsample: like conv, but the
    decoder uses upsampling and convolutions instead of transposed convolutions"""
    hidden: tuple[int, ...] = (400,)
    """mlp: hidden layer sizes of the encoder, mirrored in the decoder; resnet: sizes of the last layers"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks per level"""
    likelihood: LikelihoodName | Literal["mixed", "auto"] = "auto"
    """p(x | z); auto: bernoulli for grey images, normal-shared for colour, normal-learned for vectors, mixed
    for tables: a mixture of logistics for each number, probabilities for each category"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""
    sigma: float = 1.0
    """fixed scale of normal and laplace, or the initial value of a learned one, of vectors in deviations"""
    binarise: bool = False
    """dynamic binarisation: train and evaluate on pixels drawn from Bernoulli(grey value) each time"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)


CARD = ModelCard(
    "simulacra.models.autoencoder.model:Autoencoder",
    AutoencoderConfig,
    "encoder and decoder, trained to reconstruct",
    (
        "It has no distribution over latents: it draws no new examples, and points between the"
        " latents of two examples need not decode to anything like the data.",
        "A reconstruction close to the original is no evidence that the original is likely.",
    ),
)
