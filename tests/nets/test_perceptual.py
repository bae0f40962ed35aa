"""The perceptual distance against the equation written out, and its gradient."""

from __future__ import annotations

import pytest
import torch

from simulacra.core.noise import Noise
from simulacra.nets.efficientnet import efficientnet_lite0
from simulacra.nets.perceptual import map_distance, perceptual_distance, unit_channels


def test_it_is_the_equation() -> None:
    x, y = Noise(0).uniform(2, 3, 64, 64), Noise(1).uniform(2, 3, 64, 64)
    expected = torch.zeros(2)
    for a, b in zip(efficientnet_lite0().maps(x), efficientnet_lite0().maps(y), strict=True):
        for i in range(2):
            u, v = a[i].flatten(1), b[i].flatten(1)  # (C, H * W)
            # |u - v|^2 of vectors of length 1
            expected[i] += (2 - 2 * torch.cosine_similarity(u, v, dim=0)).mean()
    torch.testing.assert_close(perceptual_distance(x, y), expected, rtol=1e-4, atol=1e-5)
    assert (expected > 0.1).all()


def test_known_distances() -> None:
    u = unit_channels([torch.tensor([3.0, 4, 0, 9]).view(2, 2, 1, 1)])
    v = unit_channels([torch.tensor([30.0, 40, 9, 0]).view(2, 2, 1, 1)])
    # longer alone is no further; right angles are 2
    assert map_distance(u, v).tolist() == pytest.approx([0, 2], abs=1e-6)


def test_small_and_grey_images_are_enlarged_and_coloured() -> None:
    x, y = Noise(0).uniform(2, 1, 16, 16), Noise(1).uniform(2, 1, 16, 16)
    large = [torch.nn.functional.interpolate(i, (64, 64), mode="bilinear") for i in (x, y)]
    expected = perceptual_distance(*(i.repeat(1, 3, 1, 1) for i in large))
    torch.testing.assert_close(perceptual_distance(x, y), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_descent_along_its_gradient_brings_images_closer(dtype: torch.dtype) -> None:
    x, y = Noise(0).uniform(2, 3, 64, 64), Noise(1).uniform(2, 3, 64, 64)
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        before = perceptual_distance(x.requires_grad_(), y)
        (gradient,) = torch.autograd.grad(before.sum(), x)
        with torch.no_grad():
            after = perceptual_distance(x - 0.002 * gradient.sign(), y)
    assert (after < before).all()
