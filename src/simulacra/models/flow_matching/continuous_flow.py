"""Models that carry noise to data along a velocity field: encoding, decoding and likelihood."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from math import log, prod

import numpy as np
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.capabilities import EstimatesLikelihood, Generates, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.flow_matching.card import FlowMatchingConfig
from simulacra.nets.velocity import MLPVelocity, UNetVelocity
from simulacra.probability.distributions import Delta
from simulacra.probability.ode import divergence, integrate
from simulacra.probability.standardise import Standardise

# numbers of an example up to which the trace of the Jacobian is always exact
EXACT = 16
LEVELS = 256


class Scaling(nn.Module):
    """Examples with mean 0 and variance 1: columns of vectors, or channels of images.

    Images have 256 levels, and no density: uniform noise makes levels intervals, y = (255 x + u) / 256,
    and ln P(x) >= E_u ln p(y) - D ln 256 (Theis et al. 2016, arXiv:1511.01844, eq. 12).

    Args:
        spec: the data.
    """

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.standardise, self.images = Standardise(spec), spec.kind == "image"

    def fit(self, x: np.ndarray) -> None:
        """Learn mean and variance from examples as data are stored."""
        self.standardise.fit(x)

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Examples scaled; of images u is uniform, or 1/2 without noise."""
        if self.images:
            u = 0.5 if noise is None else noise.uniform(*x.shape).to(x)
            x = ((LEVELS - 1) * x + u) / LEVELS
        scaled: Tensor = self.standardise(x)
        return scaled

    def inverse(self, y: Tensor) -> Tensor:
        """Examples in the units of the data, those of images without the noise."""
        x = self.standardise.inverse(y)
        return (LEVELS * x - 0.5) / (LEVELS - 1) if self.images else x

    def log_volume(self, shape: tuple[int, ...]) -> Tensor:
        """ln p(x) - ln p(y) of an example of this shape, nats."""
        std = self.standardise.std.expand(shape)
        return -std.log().sum() - (prod(shape) * log(LEVELS) if self.images else 0.0)


class ContinuousFlow(Generates, Reconstructs, EstimatesLikelihood):
    """Continuous normalising flow: dx/dt = v(x, t), x ~ N(0, I) at t = 0 and an example at t = 1.

    It is a bijection of latents z, of the shape of an example, and examples (Chen et al. 2018,
    arXiv:1806.07366).

    Attributes:
        scaling: from examples to numbers with variance 1.
        solver_steps: steps of the solver between 0 and 1.
    """

    has_likelihood = False
    scaling: Scaling
    solver_steps: int

    def __init__(self, spec: DataSpec, config: FlowMatchingConfig) -> None:
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(*spec.shape),)
        self.exact = spec.kind == "vector" and self.latent.size <= EXACT
        self.solver_steps = config.solver_steps
        # for each example a solution of the equation: hours for all those of images
        if spec.kind == "image" or config.grid is not None:
            self.on_request = ("nll", "reconstruction", "latents")

    @abstractmethod
    def field(self, x: Tensor, t: Tensor) -> Tensor:
        """v(x, t) for scaled examples `(B, *shape)` and times `(B,)`."""

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on the example that z is carried to.

        Args:
            z: latents, of the shape of examples `(B, ...)`.
            space: only `z`, the default.
        """
        self.space(space)
        return Delta(self.scaling.inverse(integrate(self.field, z, 0.0, 1.0, self.solver_steps)[0]))

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on the latent that is carried to x, up to the error of the solver.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.
        """
        self.space(space)
        return Delta(integrate(self.field, self.scaling(x), 1.0, 0.0, self.solver_steps)[0])

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """ln p(x) in nats `(B,)`, up to the error of the solver; of images a lower bound, by dequantisation.

        ln p(x_1) = ln N(x_0; 0, I) - int_0^1 tr(dv/dx) dt (Chen et al. 2018, eq. 8). The trace is exact up to
        16 numbers, or with as many `samples` as an example has numbers; otherwise it is estimated with
        `samples` probes of random signs (Hutchinson 1990; Grathwohl et al. 2019, arXiv:1810.01367), without
        bias.
        """
        noise, exact = Noise.of(seed), self.exact or samples >= self.latent.size
        y = self.scaling(x, noise)
        probes = None if exact else 2 * (noise.uniform(len(y), samples, *y.shape[1:]) < 0.5).to(y) - 1
        signs = None if probes is None else probes.transpose(0, 1)
        z, change = integrate(
            self.field, y, 1.0, 0.0, self.solver_steps, lambda x, t: divergence(self.field, x, t, signs)
        )
        # backwards, the integral has the other sign
        log_p: Tensor = self.prior.log_prob(z) + change + self.scaling.log_volume(self.spec.shape)
        return log_p


def velocity_net(spec: DataSpec, config: FlowMatchingConfig, classes: int = 0) -> nn.Module:
    """The net that a config names: x `(B, *maps)`, t `(B,)` and classes `(B,)` to `(B, *maps)`.

    Raises:
        ConfigError: it does not fit the data.
    """
    shape = maps(spec, config)
    if config.net == "mlp" or (config.net == "auto" and len(shape) == 1):
        return MLPVelocity(shape, config.hidden, classes)
    if len(shape) == 1:
        raise ConfigError(f"net: {config.net} needs images or a --grid, the data have shape {shape}; use mlp")
    return UNetVelocity(shape, config.width, config.depth, classes)


def maps(spec: DataSpec, config: FlowMatchingConfig) -> tuple[int, ...]:
    """The shape in which the net gets an example.

    Raises:
        ConfigError: the grid does not fit the data.
    """
    if config.grid is None:
        return spec.shape
    if spec.kind == "image":
        raise ConfigError("grid: is for vectors, and the data are images; leave it out")
    if prod(config.grid) != spec.shape[0]:
        size = " x ".join(map(str, config.grid))
        raise ConfigError(f"grid: {size} are {prod(config.grid)} numbers, and the data have {spec.shape[0]}")
    return config.grid


def matching_losses(
    v: Callable[[Tensor, Tensor], Tensor], x1: Tensor, noise: Noise, time: str = "uniform"
) -> Tensor:
    """The loss of flow matching for each example, `(B,)`: a mean over its numbers.

    Args:
        v: the velocity, of `(B, *shape)` and times `(B,)`.
        x1: scaled examples `(B, *shape)`.
        noise: of x0 and of the times.
        time: their distribution, `uniform` or `logit-normal`.
    """
    n = len(x1)
    x0 = noise.normal(*x1.shape).to(x1)
    # logit-normal: Esser et al. 2024, arXiv:2403.03206, eq. 19
    t = (noise.normal(n).sigmoid() if time == "logit-normal" else noise.uniform(n)).to(x1)
    s = t.view(n, *(1 for _ in x1.shape[1:]))
    # x_t = (1 - t) x_0 + t x_1 (Lipman et al. 2023, eq. 22, sigma_min = 0)
    x_t = (1 - s) * x0 + s * x1
    # |v(x_t, t) - (x_1 - x_0)|^2 (eq. 23)
    losses: Tensor = (v(x_t, t) - (x1 - x0)).square().flatten(1).mean(dim=1)
    return losses
