"""How the output of a net becomes a distribution over data.

A likelihood is called on a net's output and returns a `torch.distributions` object over whole
examples: its `log_prob(x)` has one number, in nats, for each example, its `mean` and `sample()`
have the shape of the examples. A net has to give `likelihood.n_parameters` numbers for every number
of the data, stacked along dimension 1: `(B, n_parameters * C, H, W)` or `(B, n_parameters * D)`.

    >>> likelihood = make("normal-learned", scale="exp")
    >>> p = likelihood(torch.zeros(5, 2 * 3, 8, 8))
    >>> p.log_prob(torch.zeros(5, 3, 8, 8)).shape, p.mean.shape
    (torch.Size([5]), torch.Size([5, 3, 8, 8]))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from simulacra.errors import ConfigError, nearest

# How a scale is kept positive; each starts near 1 for an output of 0.
SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "softplus": F.softplus,
}


class Likelihood(nn.Module):
    """Base class: split the output into parameters, build the distribution.

    Attributes:
        n_parameters: numbers the net has to give for every number of the data.
    """

    n_parameters = 1

    def __init__(self, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ConfigError(f"scale: unknown activation '{scale}', {nearest(scale, SCALES)}")
        if not sigma > 0:
            raise ConfigError(f"sigma: must be above 0, not {sigma}")
        self.scale = SCALES[scale]
        self.sigma = sigma

    def forward(self, output: Tensor) -> Distribution:
        """The distribution over examples for outputs `(B, n_parameters * C, ...)`.

        Raises:
            ValueError: dimension 1 of the output is not a multiple of `n_parameters`.
        """
        if output.ndim < 2 or output.shape[1] % self.n_parameters:
            raise ValueError(
                f"{type(self).__name__} needs {self.n_parameters} outputs for every number of the data "
                f"along dimension 1, got an output of shape {tuple(output.shape)}"
            )
        p = self.build(*output.chunk(self.n_parameters, dim=1))
        return Independent(p, len(p.batch_shape) - 1, validate_args=False)

    def build(self, *parameters: Tensor) -> Distribution:
        """The distribution of every single number of the data."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """p(x) = p^x (1 - p)^(1 - x), p = sigmoid(output); -log p is the binary cross-entropy."""

    def forward(self, output: Tensor) -> Distribution:
        return IndependentBernoulli(output)


class IndependentBernoulli(Independent):  # type: ignore[type-arg]  # not generic in older torch
    """Bernoulli numbers that add up to one log-likelihood an example, without passes over memory to spare."""

    def __init__(self, logits: Tensor) -> None:
        p = torch.distributions.Bernoulli(logits=logits, validate_args=False)
        super().__init__(p, logits.ndim - 1, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        logits = self.base_dist.logits
        if value.shape != logits.shape:
            return super().log_prob(value)  # type: ignore[no-untyped-call]  # torch has no types here
        # log p^x (1 - p)^(1 - x) = x l - log(1 + e^l), p = sigmoid(l)
        x, logits = value.flatten(1), logits.flatten(1)
        return torch.linalg.vecdot(x, logits) - F.softplus(logits).sum(dim=1)


class ContinuousBernoulli(Likelihood):
    """p(x) = C(p) p^x (1 - p)^(1 - x) on [0, 1] (Loaiza-Ganem and Cunningham 2019, eq. 4)."""

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.ContinuousBernoulli(logits=parameters[0], validate_args=False)


class Normal(Likelihood):
    """N(x; output, sigma^2) with a fixed sigma; -log p is the squared error / (2 sigma^2) + const."""

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Normal(parameters[0], self.sigma, validate_args=False)


class NormalShared(Likelihood):
    """N(x; output, sigma^2) with one sigma for all data, learned (Rybkin et al. 2021)."""

    def __init__(self, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__(scale, sigma)
        self.log_sigma = nn.Parameter(torch.tensor(sigma).log())

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Normal(parameters[0], self.log_sigma.exp(), validate_args=False)


class NormalLearned(Likelihood):
    """N(x; mu, sigma^2), both predicted for every number of the data (Nix and Weigend 1994)."""

    n_parameters = 2
    # Keeps the density finite where the data have no noise at all (black borders).
    smallest_sigma = 1e-3

    def build(self, *parameters: Tensor) -> Distribution:
        mu, s = parameters
        sigma = self.scale(s) * self.sigma + self.smallest_sigma
        return torch.distributions.Normal(mu, sigma, validate_args=False)


class Laplace(Likelihood):
    """Laplace(x; output, b) with a fixed b = sigma; -log p is the absolute error / b + const."""

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Laplace(parameters[0], self.sigma, validate_args=False)


class Levels(Distribution):
    """A distribution over the 256 levels k / 255 of a uint8 image scaled to [0, 1]."""

    levels = 256
    arg_constraints: dict[str, Any] = {}

    def __init__(self, log_probs: Tensor) -> None:
        """`log_probs`: normalised, `(..., 256)`."""
        self.log_probs = log_probs
        super().__init__(log_probs.shape[:-1], validate_args=False)

    @property
    def mean(self) -> Tensor:
        values = torch.linspace(0, 1, self.levels, device=self.log_probs.device)
        return self.log_probs.exp() @ values

    def log_prob(self, value: Tensor) -> Tensor:
        k = (value * (self.levels - 1)).round().long()
        log_probs, k = torch.broadcast_tensors(self.log_probs, k.unsqueeze(-1))
        return log_probs.gather(-1, k[..., :1]).squeeze(-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        levels = torch.distributions.Categorical(logits=self.log_probs, validate_args=False)
        k = levels.sample(torch.Size(sample_shape))
        return k / (self.levels - 1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Levels:
        return Levels(self.log_probs.expand(*batch_shape, self.levels))


class Categorical(Likelihood):
    """One of 256 levels by softmax; -log p is the cross-entropy (van den Oord et al. 2016)."""

    n_parameters = Levels.levels

    def build(self, *parameters: Tensor) -> Distribution:
        return Levels(torch.stack(parameters, dim=-1).log_softmax(dim=-1))


class DiscretisedLogistic(Likelihood):
    """The mass a logistic puts on each of the 256 levels (Kingma et al. 2016, eq. 16; edges open).

    P(k / 255) = F((k + 1/2) / 255) - F((k - 1/2) / 255), F the logistic's distribution function,
    with F = 0 below the first level and F = 1 above the last.
    """

    n_parameters = 2
    smallest_sigma = 1e-3

    def build(self, *parameters: Tensor) -> Distribution:
        mu, s = parameters
        return LogisticLevels(mu, self.scale(s) * self.sigma + self.smallest_sigma)


class LogisticLevels(Distribution):
    """See `DiscretisedLogistic`; `mu` and `s` broadcast, values in [0, 1]."""

    arg_constraints: dict[str, Any] = {}
    half = 0.5 / (Levels.levels - 1)

    def __init__(self, mu: Tensor, s: Tensor) -> None:
        self.mu, self.s = torch.broadcast_tensors(mu, s)
        super().__init__(self.mu.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        upper = (value + self.half - self.mu) / self.s
        lower = (value - self.half - self.mu) / self.s
        # log(sigmoid(b) - sigmoid(a)) = b + log(1 - e^(a - b)) - log(1 + e^a) - log(1 + e^b)
        inside = upper + torch.log(-torch.expm1(lower - upper)) - F.softplus(upper) - F.softplus(lower)
        below = -F.softplus(-upper)
        above = -F.softplus(lower)
        return torch.where(value < self.half, below, torch.where(value > 1 - self.half, above, inside))

    def to_levels(self) -> Levels:
        """The same distribution with its 256 probabilities written out."""
        values = torch.linspace(0, 1, Levels.levels, device=self.mu.device)
        return Levels(LogisticLevels(self.mu[..., None], self.s[..., None]).log_prob(values))

    @property
    def mean(self) -> Tensor:
        return self.to_levels().mean

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        u = torch.rand(shape, device=self.mu.device).clamp(1e-6, 1 - 1e-6)
        # the inverse of the distribution function, then the nearest level
        x = self.mu + self.s * (u.log() - torch.log1p(-u))
        return (x.clamp(0, 1) * (Levels.levels - 1)).round() / (Levels.levels - 1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogisticLevels:
        return LogisticLevels(self.mu.expand(batch_shape), self.s.expand(batch_shape))


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "normal": Normal,
    "normal-shared": NormalShared,
    "normal-learned": NormalLearned,
    "laplace": Laplace,
    "categorical": Categorical,
    "discretised-logistic": DiscretisedLogistic,
}


def make(name: str, scale: str = "softplus", sigma: float = 1.0) -> Likelihood:
    """The likelihood called `name`.

    Args:
        name: one of `LIKELIHOODS`.
        scale: activation of predicted scales, `softplus` or `exp`.
        sigma: the fixed scale, or where a learned one starts, in units of the data.

    Raises:
        ConfigError: unknown name or activation, or a sigma that is not positive.
    """
    if name not in LIKELIHOODS:
        raise ConfigError(f"likelihood: unknown '{name}', {nearest(name, LIKELIHOODS)}")
    return LIKELIHOODS[name](scale=scale, sigma=sigma)


def kl_to_standard_normal(mu: Tensor, sigma: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of every number, in nats (Kingma and Welling 2014, app. B)."""
    return 0.5 * (mu**2 + sigma**2 - 1) - sigma.log()


class Delta(Distribution):
    """All mass on one point: what an encoder without noise says about z. `value`: `(B, Z)`."""

    arg_constraints: dict[str, Any] = {}

    def __init__(self, value: Tensor) -> None:
        self.value = value
        super().__init__(value.shape[:1], value.shape[1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def stddev(self) -> Tensor:
        return torch.zeros_like(self.value)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(*sample_shape, *self.value.shape)

    sample = rsample
