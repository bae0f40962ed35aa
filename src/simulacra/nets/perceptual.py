"""Distance of images in the feature maps of a pretrained network, differentiable: a loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.nets.efficientnet import efficientnet_lite0

# smaller images are enlarged to this side: below it the deep maps have a single place
SMALLEST = 64


def perceptual_distance(x: Tensor, y: Tensor) -> Tensor:
    """Of each pair of images, as EfficientNet-Lite0 sees them at their own size; 0 where they are equal.

        d(x, y) = sum over layers l of the mean over places (h, w) of |u_l(x)_hw - u_l(y)_hw|^2

    with u_l(x)_hw the channels of map l at one place, brought to length 1: eq. 1 of LPIPS (Zhang et al. 2018,
    arXiv:1801.03924) with all w_l = 1. Gradients flow to both images.

    Args:
        x: images `(B, 1|3, H, W)` in [0, 1]; sides below 64 pixels are enlarged.
        y: as many, of the same shape.

    Returns:
        The distances `(B,)`.

    Raises:
        ConfigError: the pretrained network is not installed.

    >>> x = torch.zeros(2, 3, 64, 64)
    >>> perceptual_distance(x, x)
    tensor([0., 0.])
    """
    return map_distance(perceptual_maps(x), perceptual_maps(y))


def perceptual_maps(x: Tensor) -> list[Tensor]:
    """u_l of images `(B, 1|3, H, W)` in [0, 1], each `(B, C_l, H_l, W_l)`: for targets that stay the same."""
    return unit_channels(efficientnet_lite0(x.device).maps(large_colour(x)))


def large_colour(x: Tensor) -> Tensor:
    """Images `(B, 1|3, H, W)` with three channels, and sides of at least 64 pixels.

    >>> large_colour(torch.zeros(2, 1, 16, 32)).shape
    torch.Size([2, 3, 64, 128])
    """
    scale = SMALLEST / min(x.shape[2:])
    if scale > 1:
        size = [round(n * scale) for n in x.shape[2:]]
        x = F.interpolate(x, size, mode="bilinear", align_corners=False)
    return x.expand(-1, 3, -1, -1)


def unit_channels(maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps `(B, C, H, W)` with the channels of each place brought to length 1; float32."""
    return [F.normalize(layer.float(), dim=1, eps=1e-10) for layer in maps]


def map_distance(u: Sequence[Tensor], v: Sequence[Tensor]) -> Tensor:
    """The distances `(B,)` of images from their maps, which `unit_channels` normalised."""
    layers = [(a - b).square().sum(dim=1).flatten(1).mean(dim=1) for a, b in zip(u, v, strict=True)]
    return torch.stack(layers).sum(dim=0)
