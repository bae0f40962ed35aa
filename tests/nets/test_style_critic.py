"""The discriminator of StyleGAN2 against operations written plainly."""

from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.style_critic import Halving, StyleCritic, _deviation
from simulacra.probability.objectives import squared_gradient
from tests.nets.plain_style import upfirdn


@pytest.mark.parametrize(("n", "size"), [(8, 4), (6, 3), (5, 1), (2, 2), (4, 4)])
def test_minibatch_deviation_is_the_loop(n: int, size: int) -> None:
    x = torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(n)
    for first in range(n // size):
        group = list(range(first, n, n // size))
        deviations = [
            x[group, c, i, j].std(correction=0) for c in range(3) for i in range(4) for j in range(4)
        ]
        expected[group] = torch.stack(deviations).mean()
    found = _deviation(x)
    assert found.shape == (n, 1, 4, 4)
    # + 1e-8 under the root
    torch.testing.assert_close(
        found, expected[:, None, None, None].expand(-1, 1, 4, 4), rtol=1e-4, atol=1.1e-4
    )


def test_a_block_halves_after_the_filter_and_adds_a_shortcut() -> None:
    torch.manual_seed(0)
    block, x = Halving(3, 5), torch.randn(2, 3, 8, 8)
    h = sqrt(2) * F.leaky_relu(F.conv2d(x, block.first.weight / sqrt(27), padding=1), 0.2)
    h = F.conv2d(upfirdn(h, 1, 1, 2, 2).float(), block.second.weight / sqrt(27), stride=2)
    shortcut = F.conv2d(upfirdn(x, 1, 2, 1, 1).float(), block.shortcut.weight / sqrt(3))
    expected = (sqrt(2) * F.leaky_relu(h, 0.2) + shortcut) / sqrt(2)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("architecture", ["residual", "strided"])
def test_squared_gradient_is_that_of_the_jacobian(architecture: str) -> None:
    """R1 and R2 by hand, and their gradient for the weights by finite differences."""
    torch.manual_seed(0)
    net = StyleCritic((1, 8, 8), 2, 4, architecture, batch_deviation=False).double()  # type: ignore[arg-type]
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)

    def penalty() -> Tensor:
        leaf = x.clone().requires_grad_(True)
        return squared_gradient(net(leaf), leaf)

    jacobian = torch.autograd.functional.jacobian(lambda x: net(x), x)
    own = torch.stack([jacobian[i, i] for i in range(3)])
    torch.testing.assert_close(penalty(), own.square().sum(dim=(1, 2, 3)))
    weight = net.first.weight
    (gradient,) = torch.autograd.grad(penalty().sum(), weight)
    nudge = torch.zeros_like(weight)
    nudge[1, 0] = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * nudge
        values.append(penalty().sum().item())
        with torch.no_grad():
            weight -= sign * nudge
    assert gradient[1, 0].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_classes_are_projected_on() -> None:
    torch.manual_seed(0)
    net, x = StyleCritic((1, 8, 8), 2, 4, classes=3), torch.randn(4, 1, 8, 8)
    features = []
    net.head.register_forward_hook(lambda module, given, output: features.append(output))
    out = net(x, torch.tensor([0, 1, 2, 0]))
    assert isinstance(net.embedding, nn.Embedding)
    rows = net.embedding.weight[[0, 1, 2, 0]]
    torch.testing.assert_close(out, (rows * features[0]).sum(dim=1) / sqrt(4))


@pytest.mark.parametrize("side", [8, 64, 1024])
def test_images_of_all_sizes(side: int) -> None:
    with torch.device("meta"):
        assert StyleCritic((3, side, side), 1, 8)(torch.empty(4, 3, side, side)).shape == (4,)
