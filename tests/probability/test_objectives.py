"""Adversarial losses at values worked out by hand, and their gradients."""

from __future__ import annotations

from math import log

import pytest
import torch
import torch.nn.functional as F

from simulacra.probability.objectives import OBJECTIVES, squared_gradient

X, G = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([0.0, -3.0, 1.0])


def sp(t: torch.Tensor) -> torch.Tensor:
    return (1 + t.exp()).log()


EXPECTED = {
    "non-saturating": (sp(-X).mean() + sp(G).mean(), sp(-G).mean()),
    "minimax": (sp(-X).mean() + sp(G).mean(), -sp(G).mean()),
    "least-squares": ((1 + 4 + 0.25) / 6 + (0 + 9 + 1) / 6, (1 + 16 + 0) / 6),
    "hinge": ((0 + 2 + 0.5) / 3 + (1 + 0 + 2) / 3, 2 / 3),
    "wasserstein": (-2 / 3 - 0.5, 2 / 3),
    "relativistic": (sp(G - X).mean(), sp(X - G).mean()),
    "relativistic-average": (
        sp(G.mean() - X).mean() + sp(G - X.mean()).mean(),
        sp(X.mean() - G).mean() + sp(X - G.mean()).mean(),
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_by_hand(name: str) -> None:
    objective, (d, g) = OBJECTIVES[name], EXPECTED[name]
    torch.testing.assert_close(objective.discriminator_loss(X, G), torch.as_tensor(d))
    torch.testing.assert_close(objective.generator_loss(X, G), torch.as_tensor(g))


def test_cross_entropy_is_that_of_the_paper() -> None:
    labels = torch.cat([torch.ones(3), torch.zeros(3)])
    theirs = 2 * F.binary_cross_entropy_with_logits(torch.cat([X, G]), labels)
    torch.testing.assert_close(OBJECTIVES["non-saturating"].discriminator_loss(X, G), theirs)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_generator_wants_higher_outputs_for_fakes(name: str) -> None:
    g = G.clone().requires_grad_(True)
    OBJECTIVES[name].generator_loss(X, g).backward()
    assert g.grad is not None
    at = slice(None) if name != "least-squares" else g.detach() < 1
    assert (g.grad[at] < 0).all()


def test_at_balance_the_losses_are_those_of_a_coin() -> None:
    zero = torch.zeros(5)
    assert float(OBJECTIVES["non-saturating"].discriminator_loss(zero, zero)) == pytest.approx(2 * log(2))
    assert float(OBJECTIVES["relativistic"].discriminator_loss(zero, zero)) == pytest.approx(log(2))


def test_squared_gradient_of_a_quadratic() -> None:
    # D(x) = x^T A x / 2 has the gradient A x
    A = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    x = torch.randn(4, 2, requires_grad=True)
    penalty = squared_gradient(0.5 * ((x @ A) * x).sum(dim=1), x)
    torch.testing.assert_close(penalty, (x @ A).square().sum(dim=1))
    (second,) = torch.autograd.grad(penalty.sum(), x)
    torch.testing.assert_close(second, 2 * x @ A @ A)
