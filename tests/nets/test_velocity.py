"""Nets for velocity fields: shapes, and what they depend on."""

import pytest
import torch
from torch import nn

from simulacra.core.noise import Noise
from simulacra.nets.velocity import MLPVelocity, UNetVelocity

SHAPES = [(1, 8, 8), (3, 17, 20), (4, 5, 4)]


def nets() -> list[tuple[nn.Module, tuple[int, ...]]]:
    torch.manual_seed(0)
    maps = [(UNetVelocity(shape, width=8, depth=2, classes=3), shape) for shape in SHAPES]
    return [(MLPVelocity((5,), (16, 16, 8), classes=3), (5,)), *maps]


@pytest.mark.parametrize("case", range(len(SHAPES) + 1))
def test_outputs_depend_on_time_class_and_every_number_but_start_at_zero(case: int) -> None:
    net, shape = nets()[case]
    x, t, y = Noise(0).normal(4, *shape), Noise(1).uniform(4), torch.tensor([0, 1, 2, 3])
    assert net(x, t, y).shape == x.shape
    assert (net(x, t, y) == 0).all()
    with torch.no_grad():
        for p in net.parameters():
            p += 0.05 * torch.randn_like(p)
    v = net(x, t, y)
    assert not torch.equal(net(x, 1 - t, y), v)
    assert not torch.equal(net(x, t, y.flip(0)), v)
    # an example does not depend on the others
    torch.testing.assert_close(net(x[:1], t[:1], y[:1]), v[:1])
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, t, y).square().sum(), x)
    assert (gradient != 0).all()
