"""Normal distributions of rows whose one-hot codes are dequantised: e + u, u uniform on [-1/2, 1/2]^K."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, Normal, constraints

from simulacra.probability.layout import Layout

# of a uniform number in an interval of length 1
VARIANCE = 1 / 12


class DequantisedNormal(Distribution):
    """Rows of a table `(B, D)` whose numbers, and codes plus uniform noise, are independent normals.

    Args:
        layout: where the rows have numbers and codes.
        loc: means, `(B, D)`.
        scale: standard deviations, `(B, D)`.
    """

    arg_constraints: dict[str, Any] = {}

    def __init__(self, layout: Layout, loc: Tensor, scale: Tensor) -> None:
        self.layout, self.normal = layout, Normal(loc, scale, validate_args=False)
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        return self.layout.support

    @property
    def mean(self) -> Tensor:
        """The means of numbers, and those of codes clipped to [0, 1] and divided by their sum."""
        loc, layout = self.normal.loc, self.layout
        # no sum is 0
        p = [part.clamp(1e-6, 1) for part in layout.split(loc[..., layout.codes])]
        codes = torch.cat([part / part.sum(dim=-1, keepdim=True) for part in p], dim=-1)
        return layout.join(loc[..., layout.numbers], codes)

    def log_prob(self, value: Tensor) -> Tensor:
        """E_u ln p(e + u), a lower bound on ln P(e) (Theis et al. 2016, eq. 12); of what rows say.

        Of a normal with standard deviation sigma it is ln N(e) - 1 / (24 sigma^2).
        """
        terms = self.normal.log_prob(value)
        codes = self.layout.codes
        terms[..., codes] -= VARIANCE / 2 / self.normal.scale[..., codes].square()
        return (self.layout.observed(value) * terms).sum(dim=-1)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Rows with one-hot codes: of each draw the nearest."""
        x, layout = self.normal.sample(torch.Size(sample_shape)), self.layout
        codes = [
            F.one_hot(part.argmax(dim=-1), part.shape[-1]) for part in layout.split(x[..., layout.codes])
        ]
        return layout.join(x[..., layout.numbers], torch.cat(codes, dim=-1).to(x))
