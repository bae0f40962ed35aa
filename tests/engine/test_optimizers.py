"""The optimizers, by hand."""

import torch
from torch import nn

from simulacra.config import Training
from simulacra.engine.optimizers import optimizer


def test_adamax_by_hand() -> None:
    """Kingma and Ba 2015, algorithm 2."""
    p = nn.Parameter(torch.tensor([1.0, -2.0]))
    moves = optimizer(Training(optimizer="adamax", lr=0.1, betas=(0.9, 0.99)), [p])
    theta, m, u = p.detach().clone(), torch.zeros(2), torch.zeros(2)
    for t, gradient in enumerate(([1.0, -3.0], [0.5, 0.1], [-2.0, 0.0]), start=1):
        g = p.grad = torch.tensor(gradient)
        moves.step()
        m = 0.9 * m + 0.1 * g
        u = torch.maximum(0.99 * u, g.abs())
        theta = theta - 0.1 / (1 - 0.9**t) * m / u
        torch.testing.assert_close(p.detach(), theta)
