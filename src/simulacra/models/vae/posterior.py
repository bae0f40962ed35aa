"""The approximate posterior of a ladder of latent groups, as a distribution."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal, constraints

from simulacra.nets.top_down import TopDown, scale


class LadderPosterior(Distribution):
    """q(z | x) = prod_l N(z_l; mu_l, diag sigma_l^2), mu_l and sigma_l functions of x and z_<l.

    `mean` and `stddev` are mu and sigma where every group above is at its own mean. Draws and `log_prob` are
    exact.

    Args:
        bottom_up: the encoder's output `(B, 2 Z)`.
        decoder: adds to it what the groups above say.
    """

    arg_constraints: dict[str, Any] = {}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, bottom_up: Tensor, decoder: TopDown) -> None:
        self.bottom_up, self.decoder = bottom_up, decoder
        self._at_mean: tuple[Tensor, Tensor] | None = None
        batch, (dim,) = bottom_up.shape[:1], (bottom_up.shape[1] // 2,)
        super().__init__(batch, torch.Size((dim,)), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self._means()[0]

    @property
    def stddev(self) -> Tensor:
        return self._means()[1]

    @property
    def variance(self) -> Tensor:
        return self.stddev**2

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        bottom_up = self.bottom_up.expand(*shape[:-1], -1).reshape(-1, self.bottom_up.shape[-1])
        xi = torch.randn(len(bottom_up), shape[-1], dtype=bottom_up.dtype, device=bottom_up.device)
        mu, sigma = self._conditionals(xi, bottom_up)
        return (mu + sigma * xi).view(shape)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        # once for each value, also where it is compared with several examples
        added = self.decoder.top_down(value.reshape(-1, value.shape[-1])).view(*value.shape[:-1], -1)
        mu, s = (self.bottom_up + added).chunk(2, dim=-1)
        return Normal(mu, scale(s), validate_args=False).log_prob(value).sum(dim=-1)

    def _means(self) -> tuple[Tensor, Tensor]:
        if self._at_mean is None:
            zero = torch.zeros_like(self.bottom_up.chunk(2, dim=1)[0])
            self._at_mean = self._conditionals(zero, self.bottom_up)
        return self._at_mean

    def _conditionals(self, xi: Tensor, bottom_up: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of each group, given those above as drawn with xi."""
        mu, s = (bottom_up + self.decoder(xi, bottom_up)[1]).chunk(2, dim=1)
        return mu, scale(s)
