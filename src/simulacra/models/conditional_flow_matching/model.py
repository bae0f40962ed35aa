"""Flow matching given the class, with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import BLOCK, Guided
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.models.class_frequencies import ClassFrequencies
from simulacra.models.conditional_flow_matching.card import CARD, ConditionalFlowMatchingConfig
from simulacra.models.flow_matching.continuous_flow import (
    ContinuousFlow,
    Scaling,
    maps,
    matching_losses,
    velocity_net,
)


class ConditionalFlowMatching(Guided, ClassFrequencies):
    """Flow matching (Lipman et al. 2023) given the class, with guidance (Ho and Salimans 2022).

    The net learns v(x, t, y), and for a tenth of the examples v(x, t) without the class. Samples of a class
    follow

        v(x, t) + g (v(x, t, y) - v(x, t)),

    g the guidance: 1 gives p(x | y), 0 gives p(x), and more than 1 samples that are more typical of the class
    (arXiv:2207.12598, eq. 6, with g = 1 + w). The model of one class encodes, decodes and has a likelihood.

    >>> from simulacra.models.conditional_flow_matching.card import ConditionalFlowMatchingConfig
    >>> spec = DataSpec("vector", (2,), classes=("cat", "dog"))
    >>> model = ConditionalFlowMatching(spec, ConditionalFlowMatchingConfig())
    >>> model.guidance = 2.0
    >>> cat = model.for_class("cat")
    >>> cat.sample(5, seed=0).shape, cat.log_likelihood(torch.zeros(3, 2)).shape
    (torch.Size([5, 2]), torch.Size([3]))
    """

    card = CARD
    players = {"velocity": ("velocity",)}
    has_likelihood = False
    config: ConditionalFlowMatchingConfig

    def __init__(self, spec: DataSpec, config: ConditionalFlowMatchingConfig) -> None:
        """Raises ConfigError for a net or a grid that does not fit the data, or data without labels."""
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(*spec.shape),)
        self.guidance = config.guidance
        self.scaling = Scaling(spec)
        self.maps = maps(spec, config)
        self.velocity = velocity_net(spec, config, len(spec.classes))

    def prepare(self, train: Dataset) -> None:
        """Learn what to standardise by, and how frequent the classes are."""
        super().prepare(train)
        self.scaling.fit(train.x)

    def velocity_of(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """v(x, t, y) of scaled examples `(B, *shape)`; the class K, behind the last, stands for none."""
        v: Tensor = self.velocity(x.reshape(len(x), *self.maps), t, y)
        return v.reshape(x.shape)

    def guided(self, x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """v(x, t) + g (v(x, t, y) - v(x, t))."""
        if self.guidance == 1:
            return self.velocity_of(x, t, y)
        free = torch.full_like(y, len(self.spec.classes))
        both = self.velocity_of(torch.cat([x, x]), torch.cat([t, t]), torch.cat([free, y]))
        without, given = both.chunk(2)
        return without + self.guidance * (given - without)

    def play(self, batch: Batch) -> Iterator[Turn]:
        assert batch.y is not None, "the spec has classes"
        dropped = batch.noise.uniform(len(batch)) < self.config.class_dropout
        y = batch.y.masked_fill(dropped.to(batch.y.device), len(self.spec.classes))
        yield Turn("velocity", self._losses(batch, y).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {} if batch.y is None else {"loss": self._losses(batch, batch.y)}

    def collapse_remedies(self) -> list[str]:
        return ["more --steps", "a smaller --lr"]

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        noise, size, parts, labels = Noise.of(seed), BLOCK[self.spec.kind], [], []
        for _ in range(0, n, size):
            z = self.latent.sample(size, noise, truncation).to(self.device, self.dtype)
            y = self.classes_at(noise.uniform(size).to(self.device))
            parts.append(FlowOfClass(self, y).decode(z).mean)
            labels.append(y)
        return torch.cat(parts)[:n], torch.cat(labels)[:n]

    def for_class(self, y: int | str) -> FlowOfClass:
        """The model of one class, by its name or index."""
        return FlowOfClass(self, torch.tensor([self.class_index(y)], device=self.device))

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """All mass on where z is carried by the weighted mean of the velocities of the classes.

        Args:
            z: latents `(B, *shape)`.
            weights: of the classes `(B, K)`, adding up to 1; a single 1 is the class itself.
            space: only `z`, the default.
        """
        self.space(space)
        return FlowBetweenClasses(self, weights).decode(z)

    def _losses(self, batch: Batch, y: Tensor) -> Tensor:
        x1, noise = self.scaling(batch.x, batch.noise), batch.noise
        return matching_losses(lambda x, t: self.velocity_of(x, t, y), x1, noise, self.config.time)


class FlowOfClass(ContinuousFlow):
    """A conditional model with its class fixed.

    Args:
        model: given the class.
        y: one class for all examples `(1,)`, or one for each `(B,)`.
    """

    def __init__(self, model: ConditionalFlowMatching, y: Tensor) -> None:
        super().__init__(model.spec, model.config)
        self.model, self.y, self.scaling = model, y, model.scaling

    def field(self, x: Tensor, t: Tensor) -> Tensor:
        return self.model.guided(x, t, self.y.expand(len(x)))

    def sample_labelled(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        x = self.sample(n, seed, truncation=truncation, draw=draw)
        return x, self.y.expand(n)


class FlowBetweenClasses(ContinuousFlow):
    """A conditional model with weights of its classes.

    Args:
        model: given the class.
        weights: of the classes `(B, K)`.
    """

    def __init__(self, model: ConditionalFlowMatching, weights: Tensor) -> None:
        super().__init__(model.spec, model.config)
        self.model, self.weights, self.scaling = model, weights, model.scaling

    def field(self, x: Tensor, t: Tensor) -> Tensor:
        """The sum over k of w_k v(x, t, k), of the classes that have a weight."""
        v, dims = torch.zeros_like(x), (1,) * (x.ndim - 1)
        for k in self.weights.any(dim=0).nonzero().flatten().tolist():
            y = torch.full((len(x),), k, device=x.device)
            v = v + self.weights[:, k].reshape(-1, *dims).to(x) * self.model.guided(x, t, y)
        return v
