"""Conditional GAN (Mirza and Osindero 2014): both players are told the class of an example.

The discriminator judges whether an example is real *and* of its class: by projection (Miyato and Koyama
2018) or with the class beside its input. The generator has the class beside z and, with `norm`, scales and
shifts of its own for each class.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.configs import ConditionalGANConfig
    >>> model = ConditionalGAN(DataSpec("image", (1, 32, 32), classes=("cat", "dog")), ConditionalGANConfig())
    >>> model.sample(5, Noise(seed=0)).shape, model.given(1).sample(5, Noise(seed=0)).shape
    (torch.Size([5, 1, 32, 32]), torch.Size([5, 1, 32, 32]))
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.data.spec import Dataset, DataSpec
from simulacra.distributions import Delta
from simulacra.errors import ConfigError
from simulacra.game import Batch, Model, Noise
from simulacra.models.adversarial import DRAWN, Adversarial
from simulacra.models.configs import ConditionalGANConfig


class ConditionalGAN(Adversarial):
    """See the module. Capabilities: samples, conditional, judges.

    Attributes:
        frequencies: of the classes in the training data `(K,)`; samples have them too.
    """

    config: ConditionalGANConfig
    frequencies: Tensor

    def __init__(self, spec: DataSpec, config: ConditionalGANConfig) -> None:
        """Raises ConfigError for settings that cannot be, or data without labels."""
        if not spec.classes:
            raise ConfigError("a conditional_gan needs labels, and the data have none; use a gan")
        super().__init__(spec, config, len(spec.classes), config.condition)
        self.register_buffer("frequencies", torch.full((len(spec.classes),), 1 / len(spec.classes)))

    def prepare(self, train: Dataset) -> None:
        """Learn how frequent the classes are, and the location and scale of vectors."""
        super().prepare(train)
        counts = np.bincount(_labels(train.y), minlength=len(self.spec.classes))
        self.frequencies.copy_(torch.from_numpy(counts / counts.sum()))

    def told(self, batch: Batch) -> tuple[Tensor, ...]:
        return (_labels(batch.y),)

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """G(z, y) for z ~ N(0, truncation^2 I) and y as frequent as in the data."""
        z = truncation * noise.normal(n, self.latent_dim).to(self.device)
        u = noise.uniform(n).to(self.device)
        y = torch.searchsorted(self.frequencies.cumsum(0), u).clamp(max=len(self.frequencies) - 1)
        return torch.cat([self.shown(*part) for part in zip(z.split(DRAWN), y.split(DRAWN), strict=True)])

    def given(self, y: int) -> OfClass:
        """The model of one class: an unconditional generator."""
        return OfClass(self, y)

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples of classes y; without, of the class it likes best."""
        if y is not None:
            return super().judge(x, y)
        outputs = [super(ConditionalGAN, self).judge(x, y) for y in self._each(len(x))]
        return torch.stack(outputs).amax(dim=0)

    def _each(self, n: int) -> list[Tensor]:
        return [torch.full((n,), k, device=self.device) for k in range(len(self.spec.classes))]


class OfClass(Model):
    """What a conditional GAN draws of one class. Capabilities: samples, decodes."""

    def __init__(self, model: ConditionalGAN, y: int) -> None:
        super().__init__(model.spec, model.config)
        self.model, self.y, self.latent_dim = model, y, model.latent_dim

    def decode(self, z: Tensor) -> Distribution:
        """All mass on G(z, y)."""
        return Delta(self.model.shown(z, torch.full((len(z),), self.y, device=z.device)))

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """G(z, y) for z ~ N(0, truncation^2 I)."""
        z = truncation * noise.normal(n, self.latent_dim).to(self.device)
        return torch.cat([self.decode(part).mean for part in z.split(DRAWN)])


def _labels(y: Tensor | np.ndarray | None) -> Any:
    assert y is not None, "the spec has classes"
    return y
