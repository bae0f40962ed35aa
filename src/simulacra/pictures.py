"""Tiles of images, and PNG files that are whole or absent."""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path

import numpy as np
from PIL import Image

from simulacra.files import replacing


def grid(x: np.ndarray, columns: int | None = None, padding: int = 2) -> np.ndarray:
    """Tile uint8 images `(N, 1|3, H, W)` row by row on white: `(H', W', 3)`.

    Images below 28 pixels are enlarged by a whole factor.
    """
    n, _, h, w = x.shape
    columns = columns or ceil(sqrt(n))
    scale = ceil(28 / min(h, w))
    x = np.broadcast_to(x, (n, 3, h, w)).repeat(scale, axis=2).repeat(scale, axis=3)
    h, w = h * scale, w * scale
    rows = ceil(n / columns)
    out = np.full((rows * (h + padding) + padding, columns * (w + padding) + padding, 3), 255, np.uint8)
    for i, image in enumerate(x):
        top, left = (padding + (i // columns) * (h + padding), padding + (i % columns) * (w + padding))
        out[top : top + h, left : left + w] = image.transpose(1, 2, 0)
    return out


def save_png(array: np.ndarray, path: Path) -> None:
    """Write a uint8 `(H, W, 3)` picture."""
    with replacing(path) as file:
        Image.fromarray(array).save(file, format="PNG")
