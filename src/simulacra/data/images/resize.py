"""Bring a stack of decoded images to the size and channels that were asked for."""

from dataclasses import replace

import numpy as np
from PIL import Image

from simulacra.data.spec import Data, Dataset
from simulacra.limits import check_memory

REMEDY = "choose a smaller image size, or fewer examples"


def centre_square(width: int, height: int) -> tuple[int, int, int, int]:
    """The largest square in the middle, as PIL's box (left, upper, right, lower).

    >>> centre_square(20, 28)
    (0, 4, 20, 24)
    """
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def resize(x: np.ndarray, image_size: int | None, channels: int | None) -> np.ndarray:
    """Centre-crop of uint8 `(N, C, H, W)` to a square, antialiased bilinear resize, and grey <-> colour.

    >>> resize(np.zeros((2, 1, 8, 8), np.uint8), 16, 3).shape
    (2, 3, 16, 16)
    """
    if channels is not None and channels != x.shape[1]:
        if channels == 1:
            check_memory(8 * x[:, 0].size, "grey images", REMEDY)
            # ITU-R BT.601 luma, the weights PIL uses for "L"
            x = np.rint(np.tensordot(x, [0.299, 0.587, 0.114], (1, 0)))[:, None].astype(np.uint8)
        else:
            check_memory(channels * x.size, "colour images", REMEDY)
            x = np.repeat(x, channels, axis=1)
    if image_size is None or x.shape[2:] == (image_size, image_size):
        return x
    size = (image_size, image_size)
    planes = x.shape[0] * x.shape[1]
    check_memory(planes * image_size**2, f"{len(x):,} images of {image_size}x{image_size} pixels", REMEDY)
    out = np.empty((*x.shape[:2], *size), np.uint8)
    box = centre_square(x.shape[3], x.shape[2])
    for example, resized in zip(x, out, strict=True):
        for plane, small in zip(example, resized, strict=True):
            # cropped first: resize(box=...) would let the filter reach beyond the box
            small[:] = Image.fromarray(plane).crop(box).resize(size, Image.Resampling.BILINEAR)
    return out


def resize_data(data: Data, image_size: int | None, channels: int | None) -> Data:
    """`resize` applied to every split: images and image targets to one size; targets keep their channels."""

    def one(dataset: Dataset) -> Dataset:
        spec, x, t = dataset.spec, dataset.x, dataset.target
        if spec.kind == "image":
            x = resize(x, image_size, channels)
        if spec.target is not None and spec.target.kind == "image" and t is not None:
            t = resize(t, image_size, None)
            spec = replace(spec, target=replace(spec.target, shape=t.shape[1:]))
        return replace(dataset, x=x, target=t, spec=replace(spec, shape=x.shape[1:]))

    return replace(data, train=one(data.train), validation=one(data.validation), test=one(data.test))
