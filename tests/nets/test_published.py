"""The nets of the papers, written out as functions of their weights: the same outputs and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.translation import ResNetTranslator, SkipUNet

Weights = Iterator[tuple[Tensor, Tensor]]


def normalised(x: Tensor) -> Tensor:
    mean, var = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, correction=0)
    return (x - mean) / (var + 1e-5).sqrt()


def unet(x: Tensor, weights: Weights) -> Tensor:
    """Isola et al. 2017, 6.1.1: C64-C128-C256-C512-C512 and back, for 32 pixels."""
    pairs, deepest = list(weights), 4
    down, up = pairs[: deepest + 1], pairs[deepest + 1 :][::-1]

    def inside(x: Tensor, level: int) -> Tensor:
        h = F.conv2d(F.leaky_relu(x, 0.2) if level else x, *down[level], stride=2, padding=1)
        if 0 < level < deepest:
            h = normalised(h)
        h = h if level == deepest else torch.cat([h, inside(h, level + 1)], dim=1)
        h = F.conv_transpose2d(F.relu(h), *up[level], stride=2, padding=1)
        return normalised(h) if level else h

    return inside(x, 0)


def resnet(x: Tensor, weights: Weights) -> Tensor:
    """Zhu et al. 2017, 7.2: c7s1-64, d128, d256, R256, R256, u128, u64, c7s1-3."""

    def mirrored(x: Tensor, pixels: int) -> Tensor:
        return F.conv2d(F.pad(x, [pixels] * 4, mode="reflect"), *next(weights))

    h = F.relu(normalised(mirrored(x, 3)))
    for _ in range(2):
        h = F.relu(normalised(F.conv2d(h, *next(weights), stride=2, padding=1)))
    for _ in range(2):
        h = h + normalised(mirrored(F.relu(normalised(mirrored(h, 1))), 1))
    for _ in range(2):
        h = F.conv_transpose2d(h, *next(weights), stride=2, padding=1, output_padding=1)
        h = F.relu(normalised(h))
    return mirrored(h, 3)


def patches(x: Tensor, weights: Weights) -> Tensor:
    """Isola et al. 2017, 6.1.2: C64-C128-C256-C512, the first without a norm, and one output a patch."""
    h = F.leaky_relu(F.conv2d(x, *next(weights), stride=2, padding=1), 0.2)
    for stride in (2, 2, 1):
        h = F.leaky_relu(normalised(F.conv2d(h, *next(weights), stride=stride, padding=1)), 0.2)
    return F.conv2d(h, *next(weights), padding=1).flatten(1)


@pytest.mark.parametrize(
    ("net", "published"),
    [
        (SkipUNet(3, 2, 32, 4, "instance"), unet),
        (ResNetTranslator(3, 2, 4, 2, "instance"), resnet),
        (PatchDiscriminator(3, 64, "70", 4, "instance"), patches),
    ],
    ids=["unet", "resnet", "patches"],
)
def test_nets_are_those_of_the_papers(net: nn.Module, published: Any) -> None:
    torch.manual_seed(0)
    net = net.double()
    for module in net.modules():
        # the noise of pix2pix is not of this test
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    x = torch.rand(2, 3, 64 if published is patches else 32, 32, dtype=torch.float64, requires_grad=True)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for module in convolutions:
        nn.init.normal_(module.weight, 0, 0.1)
    ours, theirs = net(x), published(x, iter([(m.weight, m.bias) for m in convolutions]))
    of = [x, *(m.weight for m in convolutions), convolutions[-1].bias]
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad((y**2).sum(), of) for y in (ours, theirs)))
