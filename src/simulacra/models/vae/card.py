"""The card of `vae`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError
from simulacra.models.autoencoder.card import AutoencoderConfig
from simulacra.models.vae.objective import BoundConfig


@dataclass(frozen=True)
class VAEConfig(BoundConfig, AutoencoderConfig):
    """Nets, likelihood and objective of a variational autoencoder."""

    groups: int = 1
    """latent groups: one vector, or a ladder of as many, from the top down (Sonderby et al. 2016); with
    --net resnet all but the top one are maps"""
    latent_channels: int = 4
    """with --groups: channels of each group that is a map"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        super().__post_init__()
        check_ranges(self, at_least_1=("groups", "latent_channels"))
        if self.groups > 1 and self.net in ("conv", "upsample"):
            raise ConfigError(f"groups: several need net resnet or mlp, not {self.net}")


CARD = ModelCard(
    "simulacra.models.vae.model:VAE",
    VAEConfig,
    "variational autoencoder",
    (
        "Samples and reconstructions are blurrier than the data: each is the mean of p(x | z).",
        "Its likelihood is not known exactly: the ELBO is a lower bound, and so, on average, is an"
        " estimate from importance samples.",
        "Samples from the prior are worse than reconstructions where the encoder leaves parts of it unused.",
    ),
    presets={"table": {"batch_size": 512, "lr": 2e-3, "schedule": "cosine"}},
)
