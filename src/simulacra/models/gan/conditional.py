"""An adversarial game with classes: both players are conditioned on them, and samples are of a class."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import BLOCK, Conditional, Generates
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.models.class_frequencies import ClassFrequencies
from simulacra.models.gan.adversarial import AdversarialModel


class ClassConditionalModel(Conditional, ClassFrequencies, AdversarialModel):
    """The game of `AdversarialModel` given classes.

    Args:
        spec: the data, with classes.
        config: objective and penalties, and what describes the nets.
        condition: how the discriminator is conditioned, for nets with a choice.
    """

    def __init__(self, spec: DataSpec, config: Any, *condition: Any) -> None:
        """Raises ConfigError for settings that cannot be, or data without labels."""
        super().__init__(spec, config, len(spec.classes), *condition)

    def condition(self, batch: Batch) -> tuple[Tensor, ...]:
        return (_labels(batch.y),)

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        noise, size, parts, labels = Noise.of(seed), BLOCK[self.spec.kind], [], []
        draw = self.spec.kind == "vector" if draw is None else draw
        for _ in range(0, n, size):
            z = self.input_space.sample(size, noise).to(self.device)
            y = self.classes_at(noise.uniform(size).to(self.device))
            p = self.truncated(z, y, truncation)
            parts.append(noise.draw(p) if draw else p.mean)
            labels.append(y)
        return torch.cat(parts)[:n], torch.cat(labels)[:n]

    def truncated(self, z: Tensor, y: Tensor, psi: float) -> Distribution:
        """p(x | z, y) for z `(B, Z)` of classes y `(B,)`, at psi times its distance from the mean."""
        return self.decoded(psi * z, y)

    @abstractmethod
    def for_class(self, y: int | str) -> OfClass:
        """The model of one class, by its name or index: an unconditional generator."""

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples of classes y; the largest of all classes for None."""
        if y is not None:
            return super().discriminate(x, y)
        each = [torch.full((len(x),), k, device=self.device) for k in range(len(self.spec.classes))]
        outputs = [super(ClassConditionalModel, self).discriminate(x, y) for y in each]
        return torch.stack(outputs).amax(dim=0)


class OfClass(Generates):
    """A conditional model with its class fixed: an unconditional generator."""

    def __init__(self, model: ClassConditionalModel, y: int) -> None:
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
