"""The autoencoder of sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Reconstructs, WritesSentences
from simulacra.core.decoding import Decoding
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.data.spec import DataSpec
from simulacra.models.sentence_autoencoder.card import CARD, SentenceConfig
from simulacra.nets import sequence
from simulacra.nets.sequence.sentences import Sentences
from simulacra.probability.distributions import Delta


class SentenceAutoencoder(Reconstructs, WritesSentences):
    """Sequence autoencoder (Dai and Le 2015, arXiv:1511.01432).

    Loss: -log p(x | z = f(x)), f the encoder, p(x | z) = prod_t p(x_t | x_1 ... x_{t-1}, z).

    >>> from simulacra.data.text.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.of(["a cat sat", "a dog sat"], "words", 10)
    >>> model = SentenceAutoencoder(DataSpec("text", (6,), vocabulary=vocabulary), SentenceConfig(width=8))
    >>> z = model.encode(["a cat sat"]).mean
    >>> z.shape, model.decode(z).mean.shape
    (torch.Size([1, 32]), torch.Size([1, 6]))

    Attributes:
        decoding: how sentences are chosen from p(x | z).
    """

    players = {"sentence_autoencoder": ("encoder", "decoder")}
    card: ClassVar = CARD
    config: SentenceConfig
    # numbers the encoder gives for every latent dimension
    latent_parameters = 1

    def __init__(self, spec: DataSpec, config: SentenceConfig) -> None:
        """Raises ConfigError for data that are no sentences."""
        super().__init__(spec, config)
        self.spaces = (self._space(),)
        self.encoder = sequence.encoder(spec, config, self.latent_parameters * config.latent_dim)
        self.decoder = sequence.decoder(spec, config, config.latent_dim, config.word_dropout)
        self.decoding = Decoding()

    def play(self, batch: Batch) -> Iterator[Turn]:
        with batch.noise.dropout(self.decoder):
            # L = -log p(x | z), z = f(x)
            loss = -self.decode(self.encode(batch.x).mean).log_prob(batch.x).mean()
        yield Turn("sentence_autoencoder", loss)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.decode(self.encode(batch.x).mean).log_prob(batch.x)}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on the latent z = f(x) of each sentence.

        Args:
            x: numbers of tokens `(B, T)`, or sentences.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        return Delta(self._encoded(x))

    def decode(self, z: Tensor, space: str | None = None) -> Sentences:
        """p(x | z), a distribution over sentences.

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution whose `mean` is the sentences that are found to be most probable, `(B, T)`.
        """
        self.space(space)
        return Sentences(self.decoder, z, self.decoding)

    def _space(self) -> LatentSpace:
        return LatentSpace("z", (self.config.latent_dim,))

    def _encoded(self, x: Tensor) -> Tensor:
        output: Tensor = self.encoder(x)
        return output
