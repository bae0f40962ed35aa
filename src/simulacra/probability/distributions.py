"""Distributions that torch does not have, and functions of distributions that likelihoods return.

`affine`, `marginals`, `quantile` and `modes` take the distributions of `simulacra.probability.likelihoods`:
independent numbers, multivariate normals, and mixtures of either.
"""

from __future__ import annotations

from functools import singledispatch
from math import log
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    Laplace,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    constraints,
)


@singledispatch
def affine(p: Distribution, shift: Tensor, scale: Tensor) -> Any:
    """The distribution of shift + scale * y for y ~ p; `shift` and `scale` broadcast against an example.

    >>> p = affine(Normal(torch.zeros(2), 1.0), torch.tensor(3.0), torch.tensor(2.0))
    >>> p.mean, p.stddev
    (tensor([3., 3.]), tensor([2., 2.]))

    Raises:
        TypeError: p is not in a location-scale family.
    """
    raise TypeError(f"a {type(p).__name__} cannot be shifted and scaled")


@affine.register
def _(p: Normal, shift: Tensor, scale: Tensor) -> Normal:
    return Normal(shift + scale * p.loc, scale * p.scale, validate_args=False)


@affine.register
def _(p: Laplace, shift: Tensor, scale: Tensor) -> Laplace:
    return Laplace(shift + scale * p.loc, scale * p.scale, validate_args=False)


@affine.register
def _(p: MultivariateNormal, shift: Tensor, scale: Tensor) -> MultivariateNormal:
    # y = m + S x, cov = S L L^T S^T
    L = scale[..., None] * p.scale_tril
    return MultivariateNormal(shift + scale * p.loc, scale_tril=L, validate_args=False)


@affine.register(Independent)
def _(p: Any, shift: Tensor, scale: Tensor) -> Any:
    base = affine(p.base_dist, shift, scale)
    return Independent(base, p.reinterpreted_batch_ndims, validate_args=False)


@affine.register
def _(p: MixtureSameFamily, shift: Tensor, scale: Tensor) -> MixtureSameFamily:
    components = affine(p.component_distribution, shift, scale)
    return MixtureSameFamily(p.mixture_distribution, components, validate_args=False)


@singledispatch
def tempered(p: Distribution, temperature: Tensor) -> Any:
    """p with its scale multiplied, or its logits divided, by `temperature`; the location stays.

    One number calibrates a trained net: sigma scaling (Laves et al. 2020, eq. 6), temperature scaling (Guo
    et al. 2017, eq. 9). A distribution with neither scale nor logits is returned as it is.

    >>> tempered(Normal(torch.ones(2), 1.0), torch.tensor(3.0)).stddev
    tensor([3., 3.])
    """
    return p


@tempered.register
def _(p: Normal, temperature: Tensor) -> Normal:
    return Normal(p.loc, temperature * p.scale, validate_args=False)


@tempered.register
def _(p: Laplace, temperature: Tensor) -> Laplace:
    return Laplace(p.loc, temperature * p.scale, validate_args=False)


@tempered.register
def _(p: MultivariateNormal, temperature: Tensor) -> MultivariateNormal:
    return MultivariateNormal(p.loc, scale_tril=temperature * p.scale_tril, validate_args=False)


@tempered.register(Independent)
def _(p: Any, temperature: Tensor) -> Any:
    return Independent(tempered(p.base_dist, temperature), p.reinterpreted_batch_ndims, validate_args=False)


@tempered.register
def _(p: MixtureSameFamily, temperature: Tensor) -> MixtureSameFamily:
    components = tempered(p.component_distribution, temperature)
    return MixtureSameFamily(p.mixture_distribution, components, validate_args=False)


@tempered.register
def _(p: Categorical, temperature: Tensor) -> Categorical:
    return Categorical(logits=p.logits / temperature, validate_args=False)


@singledispatch
def marginals(p: Distribution) -> Distribution:
    """The distribution of every single number of an example: batch shape `(B, *event shape of p)`.

    >>> p = MultivariateNormal(torch.zeros(4, 2), torch.tensor([[1.0, 0.5], [0.5, 4.0]]))
    >>> marginals(p).batch_shape, marginals(p).stddev[0]
    (torch.Size([4, 2]), tensor([1., 2.]))
    """
    return p


@marginals.register(Independent)
def _(p: Any) -> Distribution:
    return cast(Distribution, p.base_dist)


@marginals.register
def _(p: MultivariateNormal) -> Distribution:
    return Normal(p.loc, p.variance.sqrt(), validate_args=False)


@marginals.register
def _(p: MixtureSameFamily) -> Distribution:
    parts = marginals(p.component_distribution)
    assert isinstance(parts, Normal)
    loc, scale = parts.loc.transpose(1, 2), parts.scale.transpose(1, 2)  # (B, T, K)
    logits = p.mixture_distribution.logits[:, None].expand(loc.shape)
    return MixtureSameFamily(
        Categorical(logits=logits, validate_args=False),
        Normal(loc, scale, validate_args=False),
        validate_args=False,
    )


def component(p: MixtureSameFamily, k: Tensor) -> Distribution:
    """Component k `(B,)` of each mixture of a batch: a distribution over `(B, T)`."""
    parts, row = p.component_distribution, torch.arange(len(k), device=k.device)
    if isinstance(parts, MultivariateNormal):
        return MultivariateNormal(parts.loc[row, k], scale_tril=parts.scale_tril[row, k], validate_args=False)
    each = cast(Any, parts).base_dist
    return Independent(
        Normal(each.loc[row, k], each.scale[row, k], validate_args=False), 1, validate_args=False
    )


def quantile(p: Distribution, q: float) -> Tensor:
    """The q-quantile of every number of a distribution returned by `marginals`, for q in (0, 1).

    >>> quantile(Normal(torch.zeros(3), 1.0), 0.975)
    tensor([1.9600, 1.9600, 1.9600])
    """
    if not isinstance(p, MixtureSameFamily):
        return p.icdf(torch.as_tensor(q, device=p.mean.device))
    # a mixture's quantile lies between those of its components
    each = p.component_distribution.icdf(torch.as_tensor(q, device=p.mean.device))
    low, high = each.amin(dim=-1), each.amax(dim=-1)
    for _ in range(50):
        middle = (low + high) / 2
        below = p.cdf(middle) < q
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return (low + high) / 2


class Modes(NamedTuple):
    """The local maxima of a density, the highest first.

    Attributes:
        values: `(B, K, T)`; where a row has fewer than K modes, the rest repeats the highest.
        log_density: of the values, `(B, K)`; -inf for repetitions.
    """

    values: Tensor
    log_density: Tensor


def modes(p: Distribution, steps: int = 100) -> Modes:
    """The modes of p(y | x); for a mixture, found by ascent from the mean of every component.

    The ascent is the fixed-point iteration of Carreira-Perpinan 2000 (Mode-finding for mixtures of Gaussian
    distributions, eq. 7): y <- (sum_k r_k P_k)^-1 sum_k r_k P_k mu_k, with the responsibilities r_k of
    the components for y and their precisions P_k. Every step raises the density. A mixture of K normals
    may in rare cases have modes that are reached from no mean; those are not found.
    """
    if not isinstance(p, MixtureSameFamily):
        base = p.base_dist if isinstance(p, Independent) else p
        y = getattr(base, "loc", p.mean)
        return Modes(y[:, None], p.log_prob(y)[:, None])
    parts = p.component_distribution
    mu = parts.mean  # (B, K, T)
    if isinstance(parts, MultivariateNormal):
        precision = parts.precision_matrix
    else:
        precision = torch.diag_embed(parts.variance.reciprocal())  # (B, K, T, T)
    pulled = (precision @ mu[..., None]).squeeze(-1)
    y = mu
    for _ in range(steps):
        # r[b, i, k]: of component k for the point that started at mean i
        log_r = p.mixture_distribution.logits[:, None] + parts_log_prob(parts, y)
        r = log_r.softmax(dim=-1)
        A = torch.einsum("bik,bkst->bist", r, precision)
        y = torch.linalg.solve(A, torch.einsum("bik,bkt->bit", r, pulled)[..., None]).squeeze(-1)
    log_density = p.log_prob(y.transpose(0, 1)).transpose(0, 1)  # (B, K)
    order = log_density.argsort(dim=1, descending=True)
    log_density = log_density.gather(1, order)
    y = y.gather(1, order[..., None].expand_as(y))
    # starts that reached the same mode: nearer than a hundredth of the narrowest component's width
    narrow = precision.diagonal(dim1=-2, dim2=-1).amax(dim=1).rsqrt()  # (B, T)
    gap = ((y[:, :, None] - y[:, None]).abs() / narrow[:, None, None]).amax(dim=-1)  # (B, K, K)
    repeated = torch.tril(gap < 0.01, diagonal=-1).any(dim=2)
    return _sorted_modes(y, log_density.masked_fill(repeated, -torch.inf))


def _sorted_modes(y: Tensor, log_density: Tensor) -> Modes:
    order = log_density.argsort(dim=1, descending=True, stable=True)
    log_density = log_density.gather(1, order)
    y = y.gather(1, order[..., None].expand_as(y))
    # repetitions have the highest mode's value
    y = torch.where(log_density.isfinite()[..., None], y, y[:, :1])
    return Modes(y, log_density)


def parts_log_prob(parts: Distribution, y: Tensor) -> Tensor:
    """log N(y_i; mu_k, cov_k) of M points of each row under its K components: `(B, M, T)` to `(B, M, K)`."""
    return torch.stack([parts.log_prob(y[:, i, None]) for i in range(y.shape[1])], dim=1)


class IndependentBernoulli(Independent):  # type: ignore[type-arg]  # not generic in older torch
    """Independent Bernoulli numbers of an example; `log_prob` needs few passes over memory."""

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


@tempered.register
def _(p: IndependentBernoulli, temperature: Tensor) -> IndependentBernoulli:
    return IndependentBernoulli(p.base_dist.logits / temperature)


class _IsLevel(constraints.Constraint):
    """One of the 256 levels k / 255."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        k = value * (Levels.levels - 1)
        return ((k - k.round()).abs() < 1e-3) & (value >= 0) & (value <= 1)


class Levels(Distribution):
    """A distribution over the 256 levels k / 255 of a uint8 image scaled to [0, 1]."""

    levels = 256
    arg_constraints: dict[str, Any] = {}
    support = _IsLevel()

    def __init__(self, log_probs: Tensor) -> None:
        """`log_probs`: normalised, `(..., 256)`."""
        self.log_probs = log_probs
        super().__init__(log_probs.shape[:-1], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.log_probs.exp() @ self._values

    @property
    def variance(self) -> Tensor:
        return self.log_probs.exp() @ self._values**2 - self.mean**2

    @property
    def _values(self) -> Tensor:
        return torch.linspace(0, 1, self.levels, device=self.log_probs.device)

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


class LogisticLevels(Distribution):
    """A logistic discretised to the 256 levels k / 255 (Kingma et al. 2016, eq. 16; edges open).

    `mu` and `s` broadcast; values in [0, 1].
    """

    arg_constraints: dict[str, Any] = {}
    support = _IsLevel()
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

    @property
    def variance(self) -> Tensor:
        return self.to_levels().variance

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        u = torch.rand(shape, device=self.mu.device).clamp(1e-6, 1 - 1e-6)
        # the inverse of the distribution function, then the nearest level
        x = self.mu + self.s * (u.log() - torch.log1p(-u))
        return (x.clamp(0, 1) * (Levels.levels - 1)).round() / (Levels.levels - 1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> LogisticLevels:
        return LogisticLevels(self.mu.expand(batch_shape), self.s.expand(batch_shape))


def log_mean_exp(log_w: Tensor) -> Tensor:
    """ln 1/k sum_i exp(log_w_i) over the k columns of `(B, k)`; `(B,)`.

    >>> log_mean_exp(torch.tensor([[1.0, 3.0]]).log()).exp()
    tensor([2.])
    """
    return torch.logsumexp(log_w, dim=1) - log(log_w.shape[1])


def kl_to_standard_normal(mu: Tensor, sigma: Tensor) -> Tensor:
    """KL(N(mu, sigma^2) || N(0, 1)) of every number, in nats (Kingma and Welling 2014, app. B)."""
    return 0.5 * (mu**2 + sigma**2 - 1) - sigma.log()


class Delta(Distribution):
    """All mass on one point: q(z | x) of an encoder without noise. `value`: `(B, Z)`."""

    arg_constraints: dict[str, Any] = {}
    support = constraints.real_vector

    def __init__(self, value: Tensor) -> None:
        self.value = value
        super().__init__(value.shape[:1], value.shape[1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.value

    @property
    def stddev(self) -> Tensor:
        return torch.zeros_like(self.value)

    def log_prob(self, value: Tensor) -> Tensor:
        here = (value == self.value).flatten(1).all(dim=1)
        return torch.where(here, torch.inf, -torch.inf)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.value.expand(*sample_shape, *self.value.shape)

    sample = rsample
