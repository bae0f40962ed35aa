"""The card of `dfc_vae`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from simulacra.config import Training, check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.settings import check_sizes, convolves

NETWORKS = ("efficientnet-lite0", "vgg")


@dataclass(frozen=True)
class DFCVAEConfig:
    """Nets, features and objective of a deep-feature-consistent variational autoencoder."""

    latent_dim: int = 64
    """numbers in a latent z"""
    features: str = "efficientnet-lite0"
    """what images are compared by: efficientnet-lite0; vgg, the first layers of VGG-19; or the run folder of
    a classifier, e.g. runs/mnist-classifier, of which the run has a copy"""
    net: Literal["auto", "mlp", "conv", "upsample", "resnet"] = "auto"
    """kind of net; auto: upsample for images of 16 pixels and more, as in the paper, else mlp"""
    hidden: tuple[int, ...] = (400,)
    """mlp: hidden layer sizes of the encoder, mirrored in the decoder; resnet: sizes of the last layers"""
    width: int = 32
    """channels of the first level, doubled at every halving of the image"""
    depth: int = 1
    """resnet: residual blocks per level"""
    kl_weight: float = 1e-3
    """weight of the KL divergence in nats"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_0=("kl_weight",))
        if self.features not in NETWORKS:
            # so that the run loads from everywhere
            object.__setattr__(self, "features", str(Path(self.features).expanduser().resolve()))


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    return "" if spec.kind == "image" else "a dfc_vae needs images; train a vae"


CARD = ModelCard(
    "simulacra.models.dfc_vae.model:DFCVAE",
    DFCVAEConfig,
    "variational autoencoder that compares features, not pixels",
    (
        "It has no likelihood: its loss compares features of a network, and its numbers compare with those of"
        " no other features.",
        "Reconstructions have the texture that the features ask for; pixels, and colours, may differ.",
    ),
    training=Training(batch_size=32, schedule="cosine"),
    gains_bf16=convolves,
    needs=needs,
)
