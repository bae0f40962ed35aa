"""Latent spaces: a name, a shape and a prior, which every latent tool works on.

>>> space = LatentSpace("z", (2,), StandardNormal((2,)))
>>> space.sample(5, Noise(0)).shape, space.prior.formula
(torch.Size([5, 2]), 'N(0, I)')
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import log, pi, prod

import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.errors import ConfigError


class Prior(ABC):
    """The distribution p(z) of latents of one shape.

    Attributes:
        formula: how reports write it, e.g. `N(0, I)`.
    """

    formula: str

    @abstractmethod
    def sample(self, n: int, noise: Noise) -> Tensor:
        """`(n, *shape)` draws of z ~ p(z)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) in nats `(N,)` of latents `(N, *shape)`."""

    @abstractmethod
    def truncate(self, z: Tensor, psi: float) -> Tensor:
        """Latents `(N, *shape)` moved towards the mean: mean + psi (z - mean) (Karras et al. 2019, eq. 2)."""

    @abstractmethod
    def quantile(self, u: Tensor) -> Tensor:
        """For probabilities `(N,)` in (0, 1) the quantile of every coordinate, `(N, *shape)`."""


class StandardNormal(Prior):
    """p(z) = N(0, I).

    Args:
        shape: of one latent.

    >>> prior = StandardNormal((2,))
    >>> prior.log_prob(torch.zeros(1, 2))
    tensor([-1.8379])
    >>> prior.quantile(torch.tensor([0.5])).tolist()
    [[0.0, 0.0]]
    """

    formula = "N(0, I)"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def sample(self, n: int, noise: Noise) -> Tensor:
        return noise.normal(n, *self.shape)

    def log_prob(self, z: Tensor) -> Tensor:
        # ln N(z; 0, I) = -(|z|^2 + Z ln 2 pi) / 2
        return -0.5 * (z.flatten(1).square().sum(dim=1) + prod(self.shape) * log(2 * pi))

    def truncate(self, z: Tensor, psi: float) -> Tensor:
        return psi * z

    def quantile(self, u: Tensor) -> Tensor:
        q = torch.special.ndtri(u)
        return q.reshape(-1, *(1 for _ in self.shape)).expand(-1, *self.shape)


class Pushforward(Prior):
    """The distribution of f(z), z from another prior, as of StyleGAN's w. Its density is not known.

    Args:
        base: the prior of z.
        f: takes latents `(N, *shape of z)` to `(N, *shape)`.
        mean: gives the mean of f(z), `(*shape)`, that truncation moves towards.
        formula: how reports write it.

    >>> prior = Pushforward(StandardNormal((2,)), lambda z: z + 3, lambda: torch.full((2,), 3.0), "z + 3")
    >>> prior.truncate(torch.tensor([[5.0, 3.0]]), 0.5)
    tensor([[4., 3.]])
    """

    def __init__(
        self, base: Prior, f: Callable[[Tensor], Tensor], mean: Callable[[], Tensor], formula: str
    ) -> None:
        self.base, self.f, self.mean, self.formula = base, f, mean, formula

    def sample(self, n: int, noise: Noise) -> Tensor:
        with torch.no_grad():
            return self.f(self.base.sample(n, noise))

    def log_prob(self, z: Tensor) -> Tensor:
        """Raises ConfigError."""
        raise ConfigError(f"the density of {self.formula} is not known; choose the latent space z")

    def truncate(self, z: Tensor, psi: float) -> Tensor:
        # exact for psi = 1
        return torch.lerp(self.mean().to(z), z, psi)

    def quantile(self, u: Tensor) -> Tensor:
        """Raises ConfigError."""
        raise ConfigError(f"the quantiles of {self.formula} are not known; choose the latent space z")


@dataclass(frozen=True)
class LatentSpace:
    """One of the spaces in which a model represents examples.

    Attributes:
        name: `z`, `w`, `w+`, ...
        shape: of one latent, e.g. `(64,)`, or `(layers, 512)` for a stack of styles.
        prior: p(z); None for a space without one, as an autoencoder's.
    """

    name: str
    shape: tuple[int, ...]
    prior: Prior | None = None

    @classmethod
    def normal(cls, *shape: int) -> LatentSpace:
        """The space `z` with the prior N(0, I)."""
        return cls("z", shape, StandardNormal(shape))

    @property
    def size(self) -> int:
        """Numbers in one latent."""
        return prod(self.shape)

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """`(n, *shape)` draws from the prior, at `truncation` times their distance from its mean.

        Raises:
            ConfigError: the space has no prior.
        """
        if self.prior is None:
            raise ConfigError(f"the latent space '{self.name}' has no prior to sample from")
        return self.prior.truncate(self.prior.sample(n, noise), truncation)
