"""The settings of a bound: what a variational autoencoder of any data maximises. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Literal

from simulacra.config import check_ranges
from simulacra.errors import ConfigError
from simulacra.limits import IMPORTANCE_SAMPLES


@dataclass(frozen=True)
class BoundConfig:
    """Weights, schedule and samples of the bound."""

    beta: float = 1.0
    """weight of the KL term (Higgins et al. 2017)"""
    reconstruction: float = 1.0
    """weight of the reconstruction term; 0 leaves the KL term alone"""
    sampling: bool = True
    """train with draws z ~ q(z | x); off: with the mean of q, as an autoencoder does"""
    kl_warmup: int = 0
    """steps in which the weight of the KL term rises from 0 to beta"""
    kl_schedule: Literal["linear", "logistic", "cyclical"] = "linear"
    """how the weight rises: logistic: slowly, fast, slowly (Bowman et al. 2016); cyclical: linearly, then it
    stays for as many steps, then again from 0 (Fu et al. 2019)"""
    kl_target: float = 0.0
    """KL in nats, of all latents together, below which it is not penalised (Li et al. 2019)"""
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
    encoder_steps: int = 1
    """steps of the encoder for each step of the decoder, where the encoder lags behind (He et al. 2019)"""
    encoder_until: float = 0.2
    """with --encoder-steps: share of the training after which both move in every step"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        # the nets' settings are checked by the class beside this one
        getattr(super(), "__post_init__", lambda: None)()
        weights = ("beta", "reconstruction", "free_bits", "kl_target", "kl_warmup")
        check_ranges(self, at_least_1=("importance_samples", "encoder_steps"), at_least_0=weights)
        if self.kl_schedule != "linear" and not self.kl_warmup:
            raise ConfigError(f"kl_schedule: {self.kl_schedule} needs --kl-warmup, the steps of a rise")
        below = max(self.free_bits, self.kl_target)
        if self.importance_samples > 1 and below > 0 and self.importance_from == 0:
            raise ConfigError(
                "free_bits and kl_target: have no meaning with importance_samples above 1; leave them out, or"
                " give --importance-from"
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
        if not 0 <= self.encoder_until <= 1:
            raise ConfigError(f"encoder_until: must be in [0, 1], not {self.encoder_until}")

    def warm(self, step: int) -> float:
        """The weight of the KL term, as a share of `beta`.

        >>> [BoundConfig(kl_warmup=4).warm(step) for step in (0, 1, 3, 9)]
        [0.25, 0.5, 1.0, 1.0]
        >>> [BoundConfig(kl_warmup=2, kl_schedule="cyclical").warm(step) for step in range(5)]
        [0.5, 1.0, 1.0, 1.0, 0.5]
        """
        if not self.kl_warmup:
            return 1.0
        if self.kl_schedule == "logistic":
            # from .01 to .99 in the warm-up
            return 1 / (1 + exp(-2 * log(99) * ((step + 1) / self.kl_warmup - 0.5)))
        at = step % (2 * self.kl_warmup) if self.kl_schedule == "cyclical" else step
        return min(1.0, (at + 1) / self.kl_warmup)

    def decoder_moves(self, step: int, steps: int) -> bool:
        """Whether the decoder moves in a step of a training."""
        lags = step < self.encoder_until * steps
        return not lags or step % self.encoder_steps == self.encoder_steps - 1
