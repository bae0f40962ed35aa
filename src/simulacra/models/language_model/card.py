"""The card of `language_model`, and the settings of a decoder of sentences. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import Training, check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError

TRAINING = Training(batch_size=64, lr=1e-3, clip=5.0, schedule="cosine")


@dataclass(frozen=True)
class SequenceConfig:
    """The net that predicts a token from those before it."""

    net: Literal["lstm", "gru", "transformer"] = "lstm"
    """kind of net"""
    embedding: int = 128
    """lstm, gru: numbers of a token's embedding"""
    width: int = 256
    """numbers of the state"""
    depth: int = 1
    """layers"""
    heads: int = 4
    """transformer: heads of attention, which divide the width"""
    dropout: float = 0.0
    """share of the decoder's inputs and outputs that are left out in training"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_ranges(self, at_least_1=("embedding", "width", "depth", "heads"), at_least_0=("dropout",))
        if self.net == "transformer" and self.width % self.heads:
            raise ConfigError(f"width: {self.heads} heads must divide it, not {self.width}")
        if self.dropout >= 1:
            raise ConfigError(f"dropout: must be in [0, 1), not {self.dropout}")


CARD = ModelCard(
    "simulacra.models.language_model.model:LanguageModel",
    SequenceConfig,
    "a language model of sentences: the decoder of a sentence_vae without latents",
    (
        "It has no latents: it neither encodes sentences nor walks between them.",
        "It knows the words of its training sentences alone; others are one unknown word to it.",
    ),
    training=TRAINING,
    kinds=("text",),
)
