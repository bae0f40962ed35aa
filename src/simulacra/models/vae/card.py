"""The card of `vae`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError
from simulacra.limits import IMPORTANCE_SAMPLES
from simulacra.models.autoencoder.card import AutoencoderConfig


@dataclass(frozen=True)
class VAEConfig(AutoencoderConfig):
    """Nets, likelihood and objective of a variational autoencoder."""

    groups: int = 1
    """latent groups: one vector, or a ladder of as many, from the top down (Sonderby et al. 2016); with
    --net resnet all but the top one are maps"""
    latent_channels: int = 4
    """with --groups: channels of each group that is a map"""
    beta: float = 1.0
    """weight of the KL term (Higgins et al. 2017)"""
    reconstruction: float = 1.0
    """weight of the reconstruction term; 0 leaves the KL term alone"""
    sampling: bool = True
    """train with draws z ~ q(z | x); off: with the mean of q, as an autoencoder does"""
    kl_warmup: int = 0
    """steps in which the weight of the KL term rises from 0 to beta"""
    free_bits: float = 0.0
    """KL in nats, of each latent dimension, or of each group of a ladder, below which it is not penalised
    (Kingma et al. 2016)"""
    importance_samples: int = 1
    """samples k of the importance-weighted bound that is maximised; 1 is the ELBO (Burda et al. 2016)"""
    importance_from: float = 0.0
    """share of the training steps after which the bound with k samples replaces the ELBO"""
    dreg: bool = False
    """gradients of the bound with k samples that have less variance in the encoder: doubly reparametrised
    (Tucker et al. 2019)"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        super().__post_init__()
        sizes = ("importance_samples", "groups", "latent_channels")
        check_ranges(self, at_least_1=sizes, at_least_0=("beta", "reconstruction", "free_bits", "kl_warmup"))
        if self.groups > 1 and self.net in ("conv", "upsample"):
            raise ConfigError(f"groups: several need net resnet or mlp, not {self.net}")
        if self.importance_samples > 1 and self.free_bits > 0 and self.importance_from == 0:
            raise ConfigError(
                "free_bits: has no meaning with importance_samples above 1; leave one of them out, or give"
                " --importance-from"
            )
        if self.importance_samples > 1 and not (self.sampling and self.reconstruction == 1):
            raise ConfigError(
                "importance_samples: a bound with k samples needs sampling and reconstruction 1"
            )
        if self.dreg and self.importance_samples == 1:
            raise ConfigError("dreg: is about the bound with k samples; give --importance-samples")
        if self.importance_samples > IMPORTANCE_SAMPLES:
            raise ConfigError(
                f"importance_samples: must be at most {IMPORTANCE_SAMPLES:,}, not {self.importance_samples:,}"
            )
        if not 0 <= self.importance_from < 1:
            raise ConfigError(f"importance_from: must be in [0, 1), not {self.importance_from}")


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
