"""The card of `sentence_autoencoder`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError
from simulacra.models.language_model.card import TRAINING, SequenceConfig


@dataclass(frozen=True)
class SentenceConfig(SequenceConfig):
    """Nets of an encoder and a decoder of sentences."""

    latent_dim: int = 32
    """numbers in a latent z"""
    word_dropout: float = 0.0
    """share of the previous words that the decoder does not see in training, so that it needs z (Bowman et
    al. 2016)"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        super().__post_init__()
        check_ranges(self, at_least_1=("latent_dim",), at_least_0=("word_dropout",))
        if self.word_dropout > 1:
            raise ConfigError(f"word_dropout: must be in [0, 1], not {self.word_dropout}")


CARD = ModelCard(
    "simulacra.models.sentence_autoencoder.model:SentenceAutoencoder",
    SentenceConfig,
    "encoder and decoder of sentences, trained to reconstruct",
    (
        "It has no distribution over latents: between the latents of two sentences there need not be one.",
        "It knows the words of its training sentences alone; others are one unknown word to it.",
    ),
    training=TRAINING,
    kinds=("text",),
)
