"""Distance of images in the feature maps of a network: LPIPS (Zhang et al. 2018) without learned weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from simulacra.metrics.features import Extractor, maps
from simulacra.metrics.statistics import as_examples
from simulacra.nets.perceptual import map_distance, unit_channels


@torch.no_grad()
def perceptual_distance(
    x: np.ndarray | Tensor, y: np.ndarray | Tensor, extractor: Extractor, batch_size: int = 32
) -> np.ndarray:
    """Of each pair of images; zero where they are equal.

        d(x, y) = sum over layers l of the mean over places (h, w) of |u_l(x)_hw - u_l(y)_hw|^2

    with u_l(x)_hw the channels of layer l at one place, brought to length 1. It is eq. 1 of Zhang et al. 2018
    with all w_l = 1: a layer adds twice what its cosine is short of 1. LPIPS as it is published differs in
    its network (AlexNet, VGG), whose layers are weighted as people judged distances, and in taking
    images at their own size. Numbers of one extractor compare with each other alone.

    The layers are those of `features.maps`; an extractor without maps has one, of one place.

    Args:
        x: images `(N, C, H, W)`, uint8 or in [0, 1].
        y: as many, of the same shape.
        extractor: whose layers are compared.
        batch_size: images it sees at a time.

    Returns:
        The distances `(N,)`.

    >>> from simulacra.metrics.features import load_extractor
    >>> x, y = np.array([[[[255, 0]]]], np.uint8), np.array([[[[0, 9]]]], np.uint8)
    >>> perceptual_distance(x, y, load_extractor("raw"))  # at right angles
    array([2.])
    """
    x, y = as_examples(x), as_examples(y)
    distances = []
    for start in range(0, len(x), batch_size):
        part = slice(start, start + batch_size)
        distances.append(map_distance(unit_maps(x[part], extractor), unit_maps(y[part], extractor)).cpu())
    return torch.cat(distances).double().numpy()


@torch.no_grad()
def unit_maps(x: np.ndarray | Tensor, extractor: Extractor) -> list[Tensor]:
    """u_l of images `(B, C, H, W)`, which `perceptual_distance` compares: each `(B, C_l, H_l, W_l)`."""
    # a copy: tensors have to be writable, a memory map need not be
    return unrounded_maps(torch.from_numpy(np.array(as_examples(x))).float() / 255, extractor)


@torch.no_grad()
def unrounded_maps(images: Tensor, extractor: Extractor) -> list[Tensor]:
    """As `unit_maps`, of images in [0, 1] as they are, for differences below those of 8 bits."""
    return unit_channels(maps(extractor, images))
