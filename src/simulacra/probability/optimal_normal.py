"""A normal distribution whose standard deviation is the one that is best for what it is compared with."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Normal

from simulacra.probability.distributions import affine

# ln sigma below which it hardly falls further, and how sharp the bend is: at -5 it is off by 0.005
SMALLEST, SHARPNESS = -6.0, 4.0


def soft_clip(log_sigma: Tensor) -> Tensor:
    """ln sigma kept above -6, smoothly (Rybkin et al. 2021, section 3.3).

    >>> import torch
    >>> soft_clip(torch.tensor([-1.0, -20.0]))
    tensor([-1., -6.])
    """
    return SMALLEST + F.softplus(log_sigma - SMALLEST, beta=SHARPNESS)


class OptimalNormal(Normal):
    """N(loc, (unit sigma)^2) whose `log_prob(x)` takes sigma^2 = mean((x - loc)^2 / unit^2) over all of x.

    That sigma maximises the log-likelihood of the whole batch, on average -D / 2 (ln(2 pi sigma^2) + 1) for
    D numbers (Rybkin et al. 2021, arXiv:2006.13202, eq. 5). Draws have the standard deviation `scale`.

    Args:
        loc: the means.
        scale: standard deviation of draws.
        unit: standard deviations are in this unit.
        found: is called with every mean square.

    >>> import torch
    >>> p = OptimalNormal(torch.zeros(4), torch.ones(1), torch.ones(1), lambda _: None)
    >>> x = torch.tensor([1.0, -1.0, 1.0, -1.0])
    >>> bool(p.log_prob(x).sum() == Normal(0, 1).log_prob(x).sum())
    True
    """

    def __init__(self, loc: Tensor, scale: Tensor, unit: Tensor, found: Callable[[Tensor], None]) -> None:
        self.unit, self.found = unit, found
        super().__init__(loc, scale, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        # its gradient is zero at the optimum
        mean_square = ((value - self.loc) / self.unit).detach().square().mean()
        self.found(mean_square)
        sigma = soft_clip(0.5 * mean_square.log()).exp()
        return Normal(self.loc, self.unit * sigma, validate_args=False).log_prob(value)


@affine.register
def _(p: OptimalNormal, shift: Tensor, scale: Tensor) -> OptimalNormal:
    return OptimalNormal(shift + scale * p.loc, scale * p.scale, scale * p.unit, p.found)
