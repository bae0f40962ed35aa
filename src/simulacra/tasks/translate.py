"""Translate images of any size.

A large image is translated in overlapping tiles: `MARGIN` border pixels of each are discarded, and the rest
is blended linearly, so that nets with a smaller receptive field give the same image as in one piece. Instance
norm uses the statistics of the whole image shrunk to one tile, so that tiles have consistent colours. Only
one row of tiles is held in floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Translates
from simulacra.core.noise import Noise
from simulacra.tasks.tiling import normalised_alike

# Pixels. A tile of 512 takes nine residual blocks of 256 channels 300 MB. Tiles begin at multiples of ALIGN,
# where nets that halve a picture up to 7 times halve the whole picture, too.
TILE, OVERLAP, MARGIN, ALIGN = 512, 128, 32, 128


class Strip(NamedTuple):
    """Rows or columns `start` to `stop` of a picture, and the weight of each, `(stop - start,)`."""

    start: int
    stop: int
    weights: Tensor


def strips(length: int, tile: int) -> list[Strip]:
    """Overlapping strips of at most `tile` pixels, a multiple of `ALIGN`; everywhere weights add up to 1.

    >>> [(strip.start, strip.stop) for strip in strips(1000, tile=512)]
    [(0, 512), (256, 768), (512, 1000)]
    """
    if length <= tile:
        return [Strip(0, length, torch.ones(length))]
    last = ceil((length - tile) / ALIGN)
    steps = ceil(last * ALIGN / (tile - OVERLAP))
    starts = [i * last // steps * ALIGN for i in range(steps + 1)]
    stops = [*(start + tile for start in starts[:-1]), length]
    y = torch.arange(length) + 0.5
    # r_i(y), from 0 to 1 inside of what strips i - 1 and i share; the weights r_i - r_i+1 add up to 1
    rises = [torch.ones(length)]
    for start, stop in zip(starts[1:], stops, strict=False):
        a, b = start + MARGIN, stop - MARGIN
        rises.append(((y - a) / (b - a)).clamp(0, 1))
    rises.append(torch.zeros(length))
    return [
        Strip(start, stop, (rises[i] - rises[i + 1])[start:stop])
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


@torch.no_grad()
def translated(model: Translates, x: np.ndarray, seed: int = 0, to: str | None = None) -> np.ndarray:
    """The translation of one image of any size, uint8 `(C, H, W)` to uint8 `(C', H, W)`.

    Sides shorter than those the model was trained on are mirrored up to them.

    Args:
        model: one that translates.
        x: the image, of as many channels as the model takes.
        seed: of the noise; every tile has the same, so that the picture is of one style.
        to: the domain, where there is a choice.

    >>> from simulacra.models.cyclegan.model import CycleGAN
    >>> from simulacra.models.cyclegan.card import CycleGANConfig
    >>> from simulacra.data.spec import DataSpec
    >>> spec = DataSpec("image", (3, 32, 32), classes=("horse", "zebra"))
    >>> model = CycleGAN(spec, CycleGANConfig(width=8, blocks=1)).eval()
    >>> translated(model, np.zeros((3, 20, 50), np.uint8)).shape
    (3, 20, 50)
    """
    _, h, w = x.shape
    known = model.spec.shape[1:]
    x = _mirrored(x, known)
    tile = max(TILE, ceil(max(known) / ALIGN) * ALIGN)
    rows, columns = strips(x.shape[1], tile), strips(x.shape[2], tile)

    def translate(x: np.ndarray) -> Tensor:
        return model.translate(tensor(x[None], model.device), Noise(seed), to)[0].cpu()

    with ExitStack() as stack:
        if len(rows) + len(columns) > 2 and isinstance(model, nn.Module):
            stack.enter_context(normalised_alike(model, lambda: translate(_thumbnail(x, tile, known))))
        finished, begun = [], torch.zeros(())
        for i, row in enumerate(rows):
            band = torch.zeros(())
            for column in columns:
                y = translate(x[:, row.start : row.stop, column.start : column.stop])
                if band.ndim == 0:
                    band = torch.zeros(len(y), row.stop - row.start, x.shape[2])
                band[:, :, column.start : column.stop] += y * row.weights[:, None] * column.weights
            if i > 0:
                band[:, : begun.shape[1]] += begun
            done = rows[i + 1].start - row.start if i + 1 < len(rows) else len(row.weights)
            finished.append(to_bytes(band[:, :done]))
            begun = band[:, done:]
    return np.concatenate(finished, axis=1)[:, :h, :w]


def _thumbnail(x: np.ndarray, most: int, known: Sequence[int]) -> np.ndarray:
    """An image `(C, H, W)` with means of k by k pixels for pixels, so that no side is longer than `most`."""
    _, h, w = x.shape
    k = ceil(max(h, w) / most)
    # a row at a time: a picture is held as bytes alone
    rows = np.stack([x[:, i : i + k].sum(axis=1, dtype=np.int64) for i in range(0, h, k)], axis=1)
    sums = np.add.reduceat(rows, range(0, w, k), axis=2)
    # fewer pixels at the lower and right edge
    counts = np.multiply.outer(*(np.minimum(k, side - np.arange(0, side, k)) for side in (h, w)))
    return _mirrored((sums / counts).round().astype(np.uint8), known)


def _mirrored(x: np.ndarray, known: Sequence[int]) -> np.ndarray:
    """Continued at the lower and right edge to the height and width known to a model."""
    below, right = (max(0, side - own) for side, own in zip(known, x.shape[1:], strict=True))
    return np.pad(x, ((0, 0), (0, below), (0, right)), mode="reflect")


def translated_image(
    model: Translates, image: Image.Image, seed: int = 0, to: str | None = None
) -> Image.Image:
    """As `translated`, of an image of mode L or RGB, grey or in colour as the model gives it."""
    x = np.asarray(image.convert("L" if model.spec.shape[0] == 1 else "RGB"))
    y = translated(model, x[None] if x.ndim == 2 else x.transpose(2, 0, 1), seed, to)
    return Image.fromarray(y[0] if len(y) == 1 else y.transpose(1, 2, 0))


@torch.no_grad()
def varies(model: Translates, to: str | None = None) -> bool:
    """Whether noise changes a translation, tried on noise."""
    x = Noise(0).uniform(1, *model.spec.shape).to(model.device)
    one, other = (model.translate(x, Noise(seed), to) for seed in (0, 1))
    return not torch.equal(one, other)
