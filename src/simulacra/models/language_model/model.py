"""The language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.capabilities import BLOCK, EstimatesLikelihood, Samples, WritesSentences
from simulacra.core.decoding import Decoding
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.models.language_model.card import CARD, SequenceConfig
from simulacra.nets import sequence
from simulacra.nets.sequence.sentences import Sentences


class LanguageModel(Samples, EstimatesLikelihood, WritesSentences):
    """Autoregressive language model: p(x) = prod_t p(x_t | x_1 ... x_{t-1}) (Mikolov et al. 2010).

    >>> from simulacra.data.text.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary.of(["a cat sat", "a dog sat"], "words", 10)
    >>> model = LanguageModel(DataSpec("text", (6,), vocabulary=vocabulary), SequenceConfig(width=8))
    >>> model.sample(3, seed=0).shape
    torch.Size([3, 6])

    Attributes:
        decoding: how sentences are drawn.
    """

    players = {"language_model": ("decoder",)}
    card: ClassVar = CARD
    exact = True
    draws = False
    spaces = ()
    config: SequenceConfig

    def __init__(self, spec: DataSpec, config: SequenceConfig) -> None:
        """Raises ConfigError for data that are no sentences."""
        super().__init__(spec, config)
        self.decoder = sequence.decoder(spec, config, 0)
        self.decoding = Decoding()

    def play(self, batch: Batch) -> Iterator[Turn]:
        with batch.noise.dropout(self.decoder):
            loss = -self._p(len(batch)).log_prob(batch.x).mean()
        yield Turn("language_model", loss)

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.log_likelihood(batch.x)}

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        """ln p(x) in nats `(B,)`, exact."""
        return self._p(len(x)).log_prob(x)

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """Draws `(n, T)`, int64; truncation is a factor on the temperature, 0: the most probable sentence."""
        noise, size, temperature = Noise.of(seed), BLOCK["text"], truncation * self.decoding.temperature
        if temperature <= 0:
            return self._p(1).mean.expand(n, -1)
        p = self._p(size)
        p.decoding = replace(p.decoding, temperature=temperature)
        return torch.cat([noise.draw(p) for _ in range(0, n, size)])[:n]

    def _p(self, n: int) -> Sentences:
        nothing = torch.empty(n, 0, device=self.device, dtype=self.dtype)
        return Sentences(self.decoder, nothing, self.decoding)
