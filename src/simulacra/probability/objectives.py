"""Objectives of adversarial games: the losses of both players.

Losses are functions of the discriminator's outputs `(B,)`, logits or scores, on real examples x and on fake
examples g. They are means over the batch; sp(t) = log(1 + e^t):

    non-saturating        sp(-D(x)) + sp(D(g))                   sp(-D(g))          Goodfellow et al. 2014
    minimax               the same                               -sp(D(g))          the same, eq. 1
    least-squares         (D(x) - 1)^2 / 2 + D(g)^2 / 2          (D(g) - 1)^2 / 2   Mao et al. 2017, eq. 9
    hinge                 max(0, 1 - D(x)) + max(0, 1 + D(g))    -D(g)              Lim and Ye 2017
    wasserstein           D(g) - D(x)                            -D(g)              Arjovsky et al. 2017
    relativistic          sp(D(g) - D(x)), pair by pair          sp(D(x) - D(g))    Huang et al. 2024
    relativistic-average  sp of each against the other's mean    sides exchanged    Jolicoeur-Martineau 2019

    >>> import math
    >>> x, g = torch.zeros(4), torch.zeros(4)
    >>> math.isclose(OBJECTIVES["non-saturating"].discriminator_loss(x, g), 2 * math.log(2), rel_tol=1e-6)
    True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Objective(NamedTuple):
    """The losses of both players, each a function of the outputs on real and on fake examples `(B,)`.

    Attributes:
        relativistic: whether the generator's loss depends on the outputs on real examples.
    """

    discriminator_loss: Callable[[Tensor, Tensor], Tensor]
    generator_loss: Callable[[Tensor, Tensor], Tensor]
    relativistic: bool = False


def _cross_entropy(x: Tensor, g: Tensor) -> Tensor:
    return F.softplus(-x).mean() + F.softplus(g).mean()


def _average(x: Tensor, g: Tensor) -> Tensor:
    return F.softplus(g.mean() - x).mean() + F.softplus(g - x.mean()).mean()


OBJECTIVES: dict[str, Objective] = {
    "non-saturating": Objective(_cross_entropy, lambda x, g: F.softplus(-g).mean()),
    "minimax": Objective(_cross_entropy, lambda x, g: -F.softplus(g).mean()),
    "least-squares": Objective(
        lambda x, g: 0.5 * ((x - 1).square().mean() + g.square().mean()),
        lambda x, g: 0.5 * (g - 1).square().mean(),
    ),
    "hinge": Objective(
        lambda x, g: F.relu(1 - x).mean() + F.relu(1 + g).mean(),
        lambda x, g: -g.mean(),
    ),
    "wasserstein": Objective(lambda x, g: g.mean() - x.mean(), lambda x, g: -g.mean()),
    "relativistic": Objective(
        lambda x, g: F.softplus(g - x).mean(),
        lambda x, g: F.softplus(x - g).mean(),
        relativistic=True,
    ),
    "relativistic-average": Objective(_average, lambda x, g: _average(g, x), relativistic=True),
}


def generator_loss_term(objective: str, g: Tensor) -> Tensor:
    """The generator's loss as one term of several, from the outputs g `(B,)` on fake examples.

    For least squares (D(g) - 1)^2, without the factor 1/2: the weights of the other terms assume that (Zhu et
    al. 2017, section 4).

    >>> generator_loss_term("least-squares", torch.zeros(4)).item()
    1.0
    """
    loss = OBJECTIVES[objective].generator_loss(g, g)
    return 2 * loss if objective == "least-squares" else loss


def squared_gradient(output: Tensor, x: Tensor) -> Tensor:
    """|dD/dx|^2 of every example, `(B,)`: R1 on real, R2 on fake examples (Mescheder et al. 2018, eq. 9).

    Args:
        output: D(x), `(B,)`.
        x: the input, requiring gradients.
    """
    (gradient,) = torch.autograd.grad(output.sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(dim=1)
