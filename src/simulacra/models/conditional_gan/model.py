"""The conditional GAN."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import BLOCK, Conditional, Generates
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.models.conditional_gan.card import CARD, ConditionalGANConfig
from simulacra.models.gan.feed_forward import FeedForwardGAN


class ConditionalGAN(Conditional, FeedForwardGAN):
    """Conditional GAN (Mirza and Osindero 2014): generator and discriminator are conditioned on the class.

    The discriminator decides whether an example is real *and* of its class, by projection (Miyato and Koyama
    2018) or with the class concatenated to its input. The generator's input is z and the class; with `norm`
    the class also has its own scales and shifts.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.conditional_gan.card import ConditionalGANConfig
    >>> model = ConditionalGAN(DataSpec("image", (1, 32, 32), classes=("cat", "dog")), ConditionalGANConfig())
    >>> model.sample(5, seed=0).shape, model.for_class(1).sample(5, seed=0).shape
    (torch.Size([5, 1, 32, 32]), torch.Size([5, 1, 32, 32]))

    Attributes:
        frequencies: of the classes in the training data `(K,)`; samples have them too.
    """

    card = CARD
    config: ConditionalGANConfig
    frequencies: Tensor

    def __init__(self, spec: DataSpec, config: ConditionalGANConfig) -> None:
        """Raises ConfigError for settings that cannot be, or data without labels."""
        super().__init__(spec, config, len(spec.classes), config.condition)
        self.register_buffer("frequencies", torch.full((len(spec.classes),), 1 / len(spec.classes)))

    def prepare(self, train: Dataset) -> None:
        """Learn how frequent the classes are, and the location and scale of vectors."""
        super().prepare(train)
        counts = np.bincount(_labels(train.y), minlength=len(self.spec.classes))
        self.frequencies.copy_(torch.from_numpy(counts / counts.sum()))

    def condition(self, batch: Batch) -> tuple[Tensor, ...]:
        return (_labels(batch.y),)

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """G(z, y) for z ~ p(z), truncated, and y as frequent as in the data."""
        return self.sample_labelled(n, seed, truncation=truncation, draw=draw)[0]

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        noise, size, parts, labels = Noise.of(seed), BLOCK[self.spec.kind], [], []
        draw = self.spec.kind == "vector" if draw is None else draw
        for _ in range(0, n, size):
            z = self.latent.sample(size, noise, truncation).to(self.device)
            u = noise.uniform(size).to(self.device)
            y = torch.searchsorted(self.frequencies.cumsum(0), u).clamp(max=len(self.frequencies) - 1)
            p = self.decoded(z, y)
            parts.append(noise.draw(p) if draw else p.mean)
            labels.append(y)
        return torch.cat(parts)[:n], torch.cat(labels)[:n]

    def for_class(self, y: int | str) -> OfClass:
        """The model of one class, by its name or index: an unconditional generator."""
        return OfClass(self, self.class_index(y))

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """All mass on G(z, y), y with weighted means of the classes' embeddings, scales and shifts."""
        self.space(space)
        return self.decoded(z, weights)

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples of classes y; the largest of all classes for None."""
        if y is not None:
            return super().discriminate(x, y)
        outputs = [super(ConditionalGAN, self).discriminate(x, y) for y in self._each(len(x))]
        return torch.stack(outputs).amax(dim=0)

    def _each(self, n: int) -> list[Tensor]:
        return [torch.full((n,), k, device=self.device) for k in range(len(self.spec.classes))]


class OfClass(Generates):
    """A conditional GAN with its class fixed: an unconditional generator."""

    def __init__(self, model: ConditionalGAN, y: int) -> None:
        super().__init__(model.spec, model.config)
        self.model, self.y, self.spaces = model, y, model.spaces
        self.has_likelihood = model.has_likelihood

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x = self.sample(n, seed, truncation=truncation, draw=draw)
        return x, torch.full((n,), self.y, device=x.device)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on G(z, y); the codes of a table have probabilities."""
        self.space(space)
        return self.model.decoded(z, torch.full((len(z),), self.y, device=z.device))


def _labels(y: Tensor | np.ndarray | None) -> Any:
    assert y is not None, "the spec has classes"
    return y
