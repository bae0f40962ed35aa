"""Likelihoods: from the output of a net to a distribution over data.

A likelihood is called on a net's output and returns a `torch.distributions` object over whole
examples: its `log_prob(x)` has one number, in nats, for each example, its `mean` and `sample()`
have the shape of the examples. The net has to give outputs of the shape `likelihood.outputs(shape)`;
most likelihoods take `n_parameters` numbers for every number of the data, stacked along dimension 1.

    >>> likelihood = make("normal-learned", scale="exp")
    >>> likelihood.outputs((3, 8, 8))
    (6, 8, 8)
    >>> p = likelihood(torch.zeros(5, 6, 8, 8))
    >>> p.log_prob(torch.zeros(5, 3, 8, 8)).shape, p.mean.shape
    (torch.Size([5]), torch.Size([5, 3, 8, 8]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, MixtureSameFamily

from simulacra.errors import ConfigError, nearest
from simulacra.probability.distributions import IndependentBernoulli, Levels, LogisticLevels
from simulacra.probability.logistic_mixture import LogisticMixture, n_parameters
from simulacra.probability.optimal_normal import OptimalNormal

# How a scale is kept positive; each starts near 1 for an output of 0.
SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    # e^30: its square, and a squared distance over it, are far from both ends of float32
    "exp": lambda s: torch.exp(s.clamp(max=30)),
    "softplus": F.softplus,
}


# batches whose mean squared error is averaged
AVERAGED = 100
# Keeps a predicted density finite where the data have no noise at all (black borders).
SMALLEST_SIGMA = 1e-3


class Likelihood(nn.Module):
    """Base class: split the output into parameters, build the distribution.

    Attributes:
        n_parameters: outputs of the net for every number of the data.
        location_scale: whether it is a location-scale family, so that data may be standardised; other
            likelihoods have a fixed support.
        calibrated: whether a temperature is fitted after training (`distributions.tempered`).
    """

    n_parameters = 1
    location_scale = False
    calibrated = False

    def __init__(self, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ConfigError(f"scale: unknown activation '{scale}', {nearest(scale, SCALES)}")
        if not sigma > 0:
            raise ConfigError(f"sigma: must be above 0, not {sigma}")
        self.scale = SCALES[scale]
        self.sigma = sigma

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape that the net's output needs for data of this shape.

        Raises:
            ConfigError: the likelihood does not fit such data.
        """
        return (self.n_parameters * shape[0], *shape[1:])

    def forward(self, output: Tensor) -> Distribution:
        """The distribution over examples for outputs `(B, *outputs(shape))`.

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

    calibrated = True

    def forward(self, output: Tensor) -> Distribution:
        return IndependentBernoulli(output)


class ContinuousBernoulli(Likelihood):
    """p(x) = C(p) p^x (1 - p)^(1 - x) on [0, 1] (Loaiza-Ganem and Cunningham 2019, eq. 4)."""

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.ContinuousBernoulli(logits=parameters[0], validate_args=False)


class Normal(Likelihood):
    """N(x; output, sigma^2) with a fixed sigma; -log p is the squared error / (2 sigma^2) + const."""

    location_scale = True

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Normal(parameters[0], self.sigma, validate_args=False)


class NormalShared(Likelihood):
    """N(x; output, sigma^2) with one sigma for all data, learned (Rybkin et al. 2021)."""

    location_scale = True
    calibrated = True

    def __init__(self, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__(scale, sigma)
        self.log_sigma = nn.Parameter(torch.tensor(sigma).log())

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Normal(parameters[0], self.log_sigma.exp(), validate_args=False)


class NormalOptimal(Likelihood):
    """N(x; output, sigma^2) with the sigma that is best for the batch (Rybkin et al. 2021, arXiv:2006.13202).

    In training sigma^2 is the mean squared error of the batch (eq. 5); afterwards it is the average of the
    last batches, a buffer. Without a weight to choose, reconstruction and KL are in balance.
    """

    location_scale = True
    mean_square: Tensor
    batches: Tensor

    def __init__(self, scale: str = "softplus", sigma: float = 1.0) -> None:
        super().__init__(scale, sigma)
        self.register_buffer("mean_square", torch.tensor(sigma).square())
        self.register_buffer("batches", torch.tensor(0.0))

    def build(self, *parameters: Tensor) -> Distribution:
        sigma = self.mean_square.sqrt()
        if not self.training:
            return torch.distributions.Normal(parameters[0], sigma, validate_args=False)
        return OptimalNormal(parameters[0], sigma, torch.ones_like(sigma), self._average)

    @torch.no_grad()
    def _average(self, mean_square: Tensor) -> None:
        """The mean over the first batches, and a moving average over the last ones."""
        self.batches += 1
        self.mean_square.lerp_(mean_square, 1 / self.batches.clamp(max=AVERAGED))


class NormalLearned(Likelihood):
    """N(x; mu, sigma^2), both predicted for every number of the data (Nix and Weigend 1994)."""

    n_parameters = 2
    location_scale = True
    calibrated = True
    family: Any = torch.distributions.Normal

    def build(self, *parameters: Tensor) -> Distribution:
        mu, s = parameters
        sigma = self.scale(s) * self.sigma + SMALLEST_SIGMA
        return self.family(mu, sigma, validate_args=False)


class Laplace(Likelihood):
    """Laplace(x; output, b) with a fixed b = sigma; -log p is the absolute error / b + const."""

    location_scale = True

    def build(self, *parameters: Tensor) -> Distribution:
        return torch.distributions.Laplace(parameters[0], self.sigma, validate_args=False)


class LaplaceLearned(NormalLearned):
    """Laplace(x; mu, b), both predicted for every number of the data."""

    family = torch.distributions.Laplace


class MultivariateNormal(Likelihood):
    """N(x; mu, L L^T) for vectors, mu and the Cholesky factor L predicted: T + T (T + 1) / 2 outputs.

    The diagonal of L is kept positive by the activation, all below it is free (Williams 1996).
    """

    location_scale = True
    calibrated = True

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        if len(shape) != 1:
            raise ConfigError(
                f"likelihood: a full covariance needs vectors, the data have shape {tuple(shape)};"
                " use normal-learned"
            )
        return (shape[0] + shape[0] * (shape[0] + 1) // 2,)

    def forward(self, output: Tensor) -> Distribution:
        # M = T (T + 3) / 2
        T = (isqrt(9 + 8 * output.shape[-1]) - 3) // 2
        mu, s, below = output.split([T, T, T * (T - 1) // 2], dim=-1)
        L = torch.diag_embed(self.scale(s) * self.sigma + SMALLEST_SIGMA)
        i, j = torch.tril_indices(T, T, offset=-1, device=output.device)
        L[..., i, j] = below
        return torch.distributions.MultivariateNormal(mu, scale_tril=L, validate_args=False)


class Mixture(Likelihood):
    """p(x) = sum_k pi_k p_k(x) for vectors: the mixture density network's output (Bishop 1994, eq. 22).

    pi = softmax of the first K outputs; the components are `normal-learned` (diagonal covariance) or
    `multivariate-normal` (full) from the rest, K times their number of outputs.

    Args:
        components: K.
        component: the likelihood of one component.
    """

    location_scale = True
    calibrated = True

    def __init__(self, components: int, component: Likelihood) -> None:
        super().__init__()
        self.components, self.component = components, component

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        if len(shape) != 1:
            raise ConfigError(
                f"a mixture of densities needs vectors, the data have shape {tuple(shape)}; use a regressor"
            )
        return (self.components * (1 + self.component.outputs(shape)[0]),)

    def forward(self, output: Tensor) -> Distribution:
        K = self.components
        logits, each = output[:, :K], output[:, K:].unflatten(1, (K, -1))  # (B, K), (B, K, M)
        if isinstance(self.component, MultivariateNormal):
            parts = self.component(each)
        else:
            p = self.component.build(*each.chunk(self.component.n_parameters, dim=-1))
            parts = Independent(p, 1, validate_args=False)
        pi = torch.distributions.Categorical(logits=logits, validate_args=False)
        return MixtureSameFamily(pi, parts, validate_args=False)


class Classes(Likelihood):
    """One of K classes by softmax; labels are whole numbers `(B,)`, -log p is the cross-entropy.

    `outputs` takes `(K,)`.
    """

    calibrated = True

    def forward(self, output: Tensor) -> Distribution:
        return torch.distributions.Categorical(logits=output, validate_args=False)


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

    def build(self, *parameters: Tensor) -> Distribution:
        mu, s = parameters
        return LogisticLevels(mu, self.scale(s) * self.sigma + SMALLEST_SIGMA)


class MixtureOfLogistics(Likelihood):
    """A mixture of logistics, discretised to 256 levels, for each pixel (Salimans et al. 2017).

    Components are of whole pixels: the mean of a channel is linear in the channels before it (section 2.2).
    For C channels and K components a pixel has K (C + 1) (C + 2) / 2 outputs.
    """

    components = 10

    def outputs(self, shape: Sequence[int]) -> tuple[int, ...]:
        return (n_parameters(self.components, shape[0]), *shape[1:])

    def forward(self, output: Tensor) -> Distribution:
        def scale(s: Tensor) -> Tensor:
            return self.scale(s) * self.sigma + SMALLEST_SIGMA

        return LogisticMixture.of(output, self.components, scale)


LIKELIHOODS: dict[str, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "normal": Normal,
    "normal-shared": NormalShared,
    "normal-optimal": NormalOptimal,
    "normal-learned": NormalLearned,
    "laplace": Laplace,
    "laplace-learned": LaplaceLearned,
    "multivariate-normal": MultivariateNormal,
    "categorical": Categorical,
    "discretised-logistic": DiscretisedLogistic,
    "logistic-mixture": MixtureOfLogistics,
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
