"""How good a predicted distribution is: errors, calibration, and the continuous ranked probability score.

All of them take one distribution for every number, as `distributions.marginals` gives them.
"""

from __future__ import annotations

from math import pi, sqrt

import torch
from torch import Tensor
from torch.distributions import (
    ContinuousBernoulli,
    Distribution,
    Laplace,
    MixtureSameFamily,
    Normal,
)

# central intervals whose coverage is told
INTERVALS = (50, 80, 95)
# families with a distribution function
WITH_CDF = (Normal, Laplace, ContinuousBernoulli, MixtureSameFamily)
# nodes of the quadrature on [0, 1]
NODES = 512


def pit(p: Distribution, y: Tensor) -> Tensor:
    """Probability integral transform F(y): uniform on [0, 1] where p is right (Dawid 1984); as shaped as y.

    >>> pit(Normal(torch.zeros(2), 1.0), torch.tensor([0.0, 10.0]))
    tensor([0.5000, 1.0000])
    """
    return p.cdf(y).clamp(0, 1)


def covered(u: Tensor, percent: float) -> Tensor:
    """1 where the central interval of this many percent holds the value whose transform is u, else 0."""
    return ((u - 0.5).abs() <= percent / 200).float()


def crps(p: Distribution, y: Tensor) -> Tensor:
    """Continuous ranked probability score, the integral of (F(t) - [t >= y])^2; as shaped as y, 0 is best.

    In the units of y, and |y - mean| for a distribution without spread. Normal: Gneiting and Raftery
    2007, eq. 21; mixtures of normals: Grimit et al. 2006, eq. 5.

    >>> crps(Normal(torch.zeros(1), 1.0), torch.zeros(1))
    tensor([0.2337])

    Raises:
        TypeError: p is of no family in `WITH_CDF`.
    """
    match p:
        case Normal():
            return _normal_distance(y - p.loc, p.scale) - p.scale / sqrt(pi)
        case MixtureSameFamily():
            return _mixture_crps(p, y)
        case Laplace():
            away = (y - p.loc).abs()
            return away + p.scale * torch.exp(-away / p.scale) - 0.75 * p.scale
        case ContinuousBernoulli():
            t = (torch.arange(NODES, device=y.device) + 0.5) / NODES
            F = p.cdf(t.view(-1, *(1 for _ in y.shape)).expand(NODES, *y.shape))
            above = (t.view(-1, *(1 for _ in y.shape)) >= y).float()
            return (F - above).square().mean(dim=0)
    raise TypeError(f"the score of a {type(p).__name__} is not known")


def _mixture_crps(p: MixtureSameFamily, y: Tensor) -> Tensor:
    """E|Y - y| - 1/2 E|Y - Y'| for Y, Y' ~ p: both are sums over (pairs of) components."""
    w = p.mixture_distribution.probs
    mu, sigma = p.component_distribution.mean, p.component_distribution.stddev
    near = (w * _normal_distance(y[..., None] - mu, sigma)).sum(dim=-1)
    spread = torch.zeros_like(near)
    for k in range(mu.shape[-1]):
        both = (sigma**2 + sigma[..., k : k + 1] ** 2).sqrt()
        each = _normal_distance(mu - mu[..., k : k + 1], both)
        spread = spread + w[..., k] * (w * each).sum(dim=-1)
    return near - 0.5 * spread


def _normal_distance(m: Tensor, sigma: Tensor) -> Tensor:
    """E|X| for X ~ N(m, sigma^2) = m (2 Phi(m / sigma) - 1) + 2 sigma phi(m / sigma)."""
    z = m / sigma
    return m * torch.erf(z / sqrt(2)) + sigma * sqrt(2 / pi) * torch.exp(-0.5 * z**2)


def calibration_error(probs: Tensor, y: Tensor, bins: int = 15) -> float:
    """Expected calibration error of classes in [0, 1] (Guo et al. 2017, eq. 3).

    Args:
        probs: of the classes, `(N, K)`.
        y: labels `(N,)`.
        bins: of equal width over the confidence.

    >>> calibration_error(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([0, 1]))
    0.5
    """
    confidence, guess = probs.max(dim=1)
    right = (guess == y).to(confidence)
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    # |B| / N |acc(B) - conf(B)|: the sums over each bin, over N
    gaps = torch.zeros(bins).to(probs).index_add_(0, place, right - confidence)
    return float(gaps.abs().sum() / len(y))
