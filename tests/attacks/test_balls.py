"""Balls: nothing leaves them, and what was inside stays where it was."""

from __future__ import annotations

import pytest
import torch

from simulacra.attacks.balls import Norm, length, project, projected_ascent, steepest, uniform
from simulacra.core.noise import Noise


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projections(norm: Norm) -> None:
    delta = torch.randn(50, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    radius = torch.linspace(0.1, 10, 50)
    inside = project(delta, radius, norm)
    assert (length(inside, norm) <= radius * 1.0001).all()
    stays = length(delta, norm) <= radius
    assert 0 < stays.sum() < 50
    assert torch.equal(inside[stays], delta[stays])
    # the nearest point of the ball: no random point of it is nearer
    other = uniform(delta, radius, norm, Noise(1))
    assert ((delta - inside).flatten(1).norm(dim=1) <= (delta - other).flatten(1).norm(dim=1) + 1e-5).all()
    torch.testing.assert_close(project(inside, radius, norm), inside)


def test_random_starts_fill_the_ball() -> None:
    x = torch.zeros(4000, 1, 1, 2)
    for norm, area in (("linf", 1.0), ("l2", torch.pi / 4)):
        delta = uniform(x, 2.0, norm, Noise(0))  # type: ignore[arg-type]  # a Norm by its name
        assert (length(delta, norm) <= 2.0001).all()  # type: ignore[arg-type]  # a Norm by its name
        # of a ball of radius 2, the square of radius 1 holds a quarter, of the disc 1 / pi
        share = (length(delta, "linf") <= 1).float().mean().item()
        assert share == pytest.approx(0.25 / area, abs=0.03)


def test_no_gradient_no_move() -> None:
    x = torch.full((2, 1, 2, 2), 0.5)
    for norm in ("linf", "l2"):
        assert torch.equal(steepest(torch.zeros_like(x), norm), torch.zeros_like(x))  # type: ignore[arg-type]  # a Norm by its name
        moved = projected_ascent(lambda x: 0 * x.flatten(1).sum(dim=1), x, x, 0.1, norm, steps=3)  # type: ignore[arg-type]  # a Norm by its name
        assert torch.equal(moved, x)


def test_radii_of_their_own() -> None:
    x = torch.full((3, 1, 2, 2), 0.5)
    radius = torch.tensor([0.0, 0.1, 0.2])
    for norm in ("linf", "l2"):
        found = projected_ascent(lambda x: x.flatten(1).sum(dim=1), x, x, radius, norm, steps=4)  # type: ignore[arg-type]  # a Norm by its name
        torch.testing.assert_close(length(found - x, norm), radius)  # type: ignore[arg-type]  # a Norm by its name
