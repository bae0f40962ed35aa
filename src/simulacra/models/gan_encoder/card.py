"""The card of `gan_encoder`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simulacra.config import Training, check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.settings import check_sizes, convolves


@dataclass(frozen=True)
class GANEncoderConfig:
    """The generator, the encoder that is trained for it, and the terms of the loss."""

    generator: str = ""
    """run folder of the generator, e.g. a gan; the encoder's run has a copy of its weights, which stay as
    they are"""
    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of encoder; auto: resnet for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (256,)
    """mlp: sizes of the hidden layers; resnet: of its last layers"""
    width: int = 16
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 1
    """resnet: residual blocks per level"""
    latent_weight: float = 1.0
    """weight of the squared error of the latents of generated examples, a share of their variance"""
    pixel_weight: float = 1.0
    """weight of the squared error of reconstructions, a share of the variance of the data"""
    perceptual_weight: float = 0.2
    """weight of the perceptual distance between real images and their reconstructions; 0: none"""
    delta_weight: float = 0.1
    """a stack of styles: weight of the squared distances of the layers from their common style"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        weights = ("latent_weight", "pixel_weight", "perceptual_weight", "delta_weight")
        check_ranges(self, at_least_0=weights)
        if self.generator:
            # so that the run loads from everywhere
            object.__setattr__(self, "generator", str(Path(self.generator).expanduser().resolve()))


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    if spec.schema is not None:
        return "a gan_encoder encodes images and vectors, and the data are the rows of a table; train a vae"
    return ""


CARD = ModelCard(
    "simulacra.models.gan_encoder.model:GANEncoder",
    GANEncoderConfig,
    "an encoder for the generator of another run",
    (
        "It reconstructs what its generator can generate; of other examples it keeps what the generator"
        " knows, and invents the rest.",
        "A reconstruction close to the original is no evidence that the original is likely.",
    ),
    training=Training(batch_size=32, schedule="cosine"),
    gains_bf16=convolves,
    needs=needs,
    base="generator",
)
