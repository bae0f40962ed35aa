"""The solver against a matrix exponential, the divergence against a trace."""

import pytest
import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.probability.ode import divergence, integrate

A = torch.tensor([[0.3, -1.0, 0.2], [1.0, -0.5, 0.0], [0.4, 0.1, 0.7]], dtype=torch.float64)


def linear(x: Tensor, t: Tensor) -> Tensor:
    """dx/dt = 2 t A x, solved by x(t) = exp(t^2 A) x(0)."""
    return 2 * t[:, None] * x @ A.T


def test_solutions_converge_with_the_square_of_the_step() -> None:
    x = Noise(0).normal(5, 3).double()
    expected = x @ torch.linalg.matrix_exp(A).T
    coarse, fine = ((integrate(linear, x, 0, 1, n)[0] - expected).abs().max().item() for n in (20, 40))
    assert coarse < 0.01
    assert coarse / fine == pytest.approx(4, rel=0.1)


def test_forth_and_back_is_the_identity_up_to_the_step() -> None:
    x = Noise(0).normal(5, 3).double()
    there = integrate(linear, x, 0, 1, 100)[0]
    torch.testing.assert_close(integrate(linear, there, 1, 0, 100)[0], x, atol=1e-4, rtol=0)


def test_a_second_function_is_integrated_along_the_solution() -> None:
    # int_0^1 tr(2 t A) dt = tr A, whatever x
    x = Noise(0).normal(5, 3).double()
    _, total = integrate(linear, x, 0, 1, 10, lambda x, t: divergence(linear, x, t))
    torch.testing.assert_close(total, A.trace().expand(5))
    _, back = integrate(linear, x, 1, 0, 10, lambda x, t: divergence(linear, x, t))
    torch.testing.assert_close(back, -A.trace().expand(5))


def test_probes_of_random_signs_estimate_the_trace_without_bias() -> None:
    x, t = Noise(0).normal(4, 3).double(), torch.ones(4).double()
    signs = 2.0 * (Noise(1).uniform(4000, 4, 3) < 0.5).double() - 1
    exact = divergence(linear, x, t)
    torch.testing.assert_close(exact, 2 * A.trace().expand(4))
    # var(e^T A e) = sum over i < j of (A_ij + A_ji)^2
    off = (2 * (A + A.T)).triu(1).square().sum().sqrt().item()
    assert (divergence(linear, x, t, signs) - exact).abs().max() < 4 * off / 4000**0.5


def test_no_gradients_are_needed_or_left() -> None:
    x = Noise(0).normal(4, 3).double()
    with torch.no_grad():
        found = divergence(linear, x, torch.ones(4).double())
    assert not found.requires_grad
    assert not x.requires_grad
