"""The card of `sentence_vae`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.core.card import ModelCard
from simulacra.models.language_model.card import TRAINING
from simulacra.models.sentence_autoencoder.card import SentenceConfig
from simulacra.models.vae.objective import BoundConfig


@dataclass(frozen=True)
class SentenceVAEConfig(BoundConfig, SentenceConfig):
    """Nets and objective of a variational autoencoder of sentences."""

    encoder_from: str | None = None
    """run of a sentence_autoencoder whose encoder this one starts from (Li et al. 2019)"""


CARD = ModelCard(
    "simulacra.models.sentence_vae.model:SentenceVAE",
    SentenceVAEConfig,
    "variational autoencoder of sentences",
    (
        "Its likelihood is not known exactly: the ELBO is a lower bound, and so, on average, is an estimate"
        " from importance samples.",
        "Its decoder is a language model: where the KL is small, it ignores the latents.",
        "It knows the words of its training sentences alone; others are one unknown word to it.",
    ),
    training=TRAINING,
    kinds=("text",),
)
