"""The naive way to train a generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.model import Turn
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.generator.model import Generator
from simulacra.models.naive.card import CARD, NaiveConfig


class Naive(Generator):
    """The naive way to train a generator, which does not work: compare its samples with random examples.

    L = d(g(z), x), with z ~ N(0, I) and x picked without regard to z. As x is independent of z, the best
    answer to every z is the same point, the one nearest to all data: their mean for the squared error and
    the binary cross-entropy, their median for the absolute error. The generator collapses onto it. A
    comparison needs an encoder, which assigns examples to latents, or an adversary, which compares the
    samples as a whole.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.naive.card import NaiveConfig
    >>> Naive(DataSpec("vector", (2,)), NaiveConfig()).sample(5, seed=0).shape
    torch.Size([5, 2])
    """

    players = {"generator": ("generator",)}
    card = CARD
    untrained = False
    config: NaiveConfig

    def __init__(self, spec: DataSpec, config: NaiveConfig) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config)
        if config.loss == "bce" and spec.kind != "image":
            raise ConfigError("loss: bce needs images, whose numbers are in [0, 1]; use mse or l1")

    def head(self) -> None:
        """No likelihood: a sample is the net's output."""

    def play(self, batch: Batch) -> Iterator[Turn]:
        z = self.latent.sample(len(batch), batch.noise)
        yield Turn("generator", self._distance(z, batch.x).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        z = self.latent.sample(len(batch), batch.noise).to(batch.x)
        return {"loss": self._distance(z, batch.x).flatten(1).mean(dim=1)}

    def _distance(self, z: Tensor, x: Tensor) -> Tensor:
        """d(g(z), x) of every number, as shaped as x."""
        if self.config.loss == "bce":
            return F.binary_cross_entropy_with_logits(self.generator(z), x, reduction="none")
        d = F.mse_loss if self.config.loss == "mse" else F.l1_loss
        return d(self.decode(z).mean, x, reduction="none")
