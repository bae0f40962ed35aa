"""A mixture of discretised logistics for the pixels of an image."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt, pi, prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical, Distribution, constraints

from simulacra.probability.distributions import LogisticLevels


def n_parameters(components: int, channels: int) -> int:
    """Parameters of a pixel: a logit, C means, C scales and C (C - 1) / 2 coefficients for each component.

    >>> n_parameters(10, 3)
    100
    """
    return components * (channels + 1) * (channels + 2) // 2


class LogisticMixture(Distribution):
    """Independent pixels, each a mixture of K logistics discretised to the 256 levels k / 255.

    p(x) = sum_k pi_k prod_c P(x_c; mu_kc + sum_{b < c} a_kcb x_b, s_kc), P the mass that a logistic puts on a
    level (Salimans et al. 2017, PixelCNN++, arXiv:1701.05517, eqs. 2 and 3).

    `mean` and `variance` are exact where the edges 0 and 1 do not matter.

    Args:
        logits: of the components, `(B, K, P)`, for P pixels.
        mu: means of the logistics, `(B, K, C, P)`, in [0, 1] where levels are.
        s: their scales, `(B, K, C, P)`.
        a: coefficients of (1, 0), (2, 0), (2, 1), ..., `(B, K, C (C - 1) / 2, P)`.
        shape: of an example, `(C, *pixels)`.

    >>> zeros = torch.zeros(2, 5, 1, 9)
    >>> p = LogisticMixture(zeros[:, :, 0], zeros + 0.5, zeros + 0.1, zeros[:, :, :0], (1, 3, 3))
    >>> p.log_prob(torch.ones(2, 1, 3, 3)).shape, p.mean.shape
    (torch.Size([2]), torch.Size([2, 1, 3, 3]))
    """

    arg_constraints: dict[str, Any] = {}
    support = constraints.unit_interval

    def __init__(self, logits: Tensor, mu: Tensor, s: Tensor, a: Tensor, shape: tuple[int, ...]) -> None:
        self.log_pi, self.mu, self.s, self.a = logits.log_softmax(dim=1), mu, s, a
        super().__init__(logits.shape[:1], torch.Size(shape), validate_args=False)

    @classmethod
    def of(cls, output: Tensor, components: int, scale: Callable[[Tensor], Tensor]) -> LogisticMixture:
        """The mixture that outputs `(B, n_parameters, *pixels)` of a net parametrise.

        The means begin evenly spread over [0, 1], and coefficients are in (-1, 1).
        """
        K, b = components, len(output)
        # n_parameters / K = (C + 1) (C + 2) / 2
        C = (isqrt(1 + 8 * (output.shape[1] // K)) - 3) // 2
        each = output.reshape(b, K, -1, prod(output.shape[2:]))
        logits, mu, s, a = each.split([1, C, C, C * (C - 1) // 2], dim=2)
        spread = (torch.arange(K, device=output.device) + 0.5) / K
        shape = (C, *output.shape[2:])
        return cls(logits[:, :, 0], mu + spread[:, None, None], scale(s), a.tanh(), shape)

    def log_prob(self, value: Tensor) -> Tensor:
        x = self._flat(value)[..., None, :, :]  # (..., B, 1, C, P)
        each = LogisticLevels(self._means(x), self.s).log_prob(x).sum(dim=-2)  # (..., B, K, P)
        return torch.logsumexp(self.log_pi + each, dim=-2).sum(dim=-1)

    @property
    def mean(self) -> Tensor:
        x = (self.log_pi.exp()[:, :, None] * self._component_means()).sum(dim=1)
        return x.view(self._extended_shape())

    @property
    def variance(self) -> Tensor:
        mean = self._component_means()
        # of a logistic with the scale s: (pi s)^2 / 3, and of the channels before it
        variances: list[Tensor] = []
        for c in range(mean.shape[2]):
            variances.append((pi * self.s[:, :, c]).square() / 3)
            for b in range(c):
                variances[c] = variances[c] + self._a(c, b).square() * variances[b]
        second = torch.stack(variances, dim=2) + mean.square()
        variance = (self.log_pi.exp()[:, :, None] * second).sum(dim=1).view(self._extended_shape())
        return variance - self.mean.square()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        shape = self._extended_shape(torch.Size(sample_shape))
        k = Categorical(logits=self.log_pi.mT, validate_args=False).sample(torch.Size(sample_shape))

        def of_component(parameter: Tensor) -> Tensor:
            """`(B, K, P)` to `(..., B, P)`."""
            each = parameter.expand(*sample_shape, *parameter.shape)
            return each.gather(-2, k[..., None, :]).squeeze(-2)

        channels: list[Tensor] = []
        for c in range(self.mu.shape[2]):
            mean = of_component(self.mu[:, :, c])
            for b, x in enumerate(channels):
                mean = mean + of_component(self._a(c, b)) * x
            channels.append(LogisticLevels(mean, of_component(self.s[:, :, c])).sample())
        return torch.stack(channels, dim=-2).view(shape)

    def _flat(self, value: Tensor) -> Tensor:
        """`(..., B, *shape)` to `(..., B, C, P)`."""
        dims = len(self._event_shape)
        return value.reshape(*value.shape[: value.ndim - dims], *self.mu.shape[2:])

    def _a(self, c: int, b: int) -> Tensor:
        """The coefficient of channel b in the mean of channel c, `(B, K, P)`."""
        return self.a[:, :, c * (c - 1) // 2 + b]

    def _means(self, x: Tensor) -> Tensor:
        """Means of the logistics given channels x `(..., B, 1 or K, C, P)`; `(..., B, K, C, P)`."""
        means = []
        for c in range(self.mu.shape[2]):
            means.append(self.mu[:, :, c])
            for b in range(c):
                means[c] = means[c] + self._a(c, b) * x[..., b, :]
        return torch.stack(torch.broadcast_tensors(*means), dim=-2)

    def _component_means(self) -> Tensor:
        """The mean of each component, clipped to [0, 1]; `(B, K, C, P)`."""
        found: list[Tensor] = []
        for c in range(self.mu.shape[2]):
            mu, s = self.mu[:, :, c], self.s[:, :, c]
            for b in range(c):
                mu = mu + self._a(c, b) * found[b]
            # E[min(max(x, 0), 1)] = 1 - integral of the distribution function from 0 to 1
            found.append(1 - s * (F.softplus((1 - mu) / s) - F.softplus(-mu / s)))
        return torch.stack(found, dim=2)
