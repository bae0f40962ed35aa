"""Tiles of images, PNG files and animations that are whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from simulacra.errors import RunError
from simulacra.files import replacing

SMALLEST_CELL = 28  # pixels
HEADING = 16  # pixels

# an animation: ending -> PIL's name of the format, and how it is written
ANIMATIONS: dict[str, tuple[str, dict[str, bool]]] = {
    ".gif": ("GIF", {}),
    ".webp": ("WEBP", {"lossless": True}),
}
SMALLEST_FRAME = 128  # pixels
# milliseconds: one way takes about WAY, with each frame shown for FRAME; the ends are shown for END
WAY, FRAME, END = 2000, (40, 200), 500


def grid(x: np.ndarray, columns: int | None = None, padding: int = 2) -> np.ndarray:
    """Tile uint8 images `(N, 1|3, H, W)` row by row on white: `(H', W', 3)`.

    Images with a side below 28 pixels are enlarged by a whole factor.

    Args:
        x: the images, at least one.
        columns: images in a row; as square as it gets when None.
        padding: white pixels around and between the images.

    >>> grid(np.zeros((5, 1, 28, 28), np.uint8), columns=3).shape
    (62, 92, 3)
    """
    n, channels, h, w = x.shape
    if x.dtype != np.uint8 or n == 0 or channels not in (1, 3):
        raise ValueError(f"expected uint8 (N, 1|3, H, W) with N > 0, not {x.dtype} {x.shape}")
    columns = min(columns or ceil(sqrt(n)), n)
    rows = ceil(n / columns)
    scale = ceil(SMALLEST_CELL / min(h, w))
    h, w = h * scale, w * scale
    out = np.full((rows * (h + padding) + padding, columns * (w + padding) + padding, 3), 255, np.uint8)
    for i, image in enumerate(x):
        top = padding + (i // columns) * (h + padding)
        left = padding + (i % columns) * (w + padding)
        tile = image.transpose(1, 2, 0).repeat(scale, axis=0).repeat(scale, axis=1)
        out[top : top + h, left : left + w] = tile
    return out


def strip(x: np.ndarray, names: Sequence[str], padding: int = 2) -> np.ndarray:
    """Rows of uint8 images `(N, S, 1|3, H, W)` under the names of the columns, where they fit: `(H', W', 3)`.

    >>> strip(np.zeros((2, 3, 1, 28, 28), np.uint8), ["-1", "0", "+1"]).shape
    (78, 92, 3)
    """
    return titled(grid(x.reshape(-1, *x.shape[2:]), len(names), padding), names, padding)


def titled(picture: np.ndarray, names: Sequence[str], padding: int = 2) -> np.ndarray:
    """A uint8 picture `(H, W, 3)` under names of columns of equal width, each where it fits.

    >>> titled(np.zeros((30, 62, 3), np.uint8), ["a title"]).shape
    (46, 62, 3)
    """
    cell = (picture.shape[1] - padding) // len(names)
    font = ImageFont.load_default(size=12)
    heading = Image.new("RGB", (picture.shape[1], HEADING), "white")
    draw = ImageDraw.Draw(heading)
    for k, name in enumerate(names):
        if font.getlength(name) <= cell:
            middle = (padding + (2 * k + 1) * cell) / 2
            draw.text((middle, HEADING), name, fill="black", font=font, anchor="md")
    return np.concatenate([np.asarray(heading), picture])


def save_animation(x: np.ndarray, path: Path, overwrite: bool = True) -> None:
    """Write uint8 `(N, 1|3, H, W)` as a GIF or WebP that runs there and back for ever, whole or not at all.

    Images with a side below 128 pixels are enlarged by a whole factor.

    Args:
        x: the frames from one end to the other, at least one.
        path: ends in one of `ANIMATIONS`.

    Raises:
        RunError: it could not be written, or is there and stays without `overwrite`.
    """
    kind, options = ANIMATIONS[path.suffix.lower()]
    scale = ceil(SMALLEST_FRAME / min(x.shape[2:]))
    frames = [
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0))
        for image in x.repeat(scale, axis=2).repeat(scale, axis=3)
    ]
    # GIF counts in hundredths of a second
    each = round(min(max(WAY / len(x), FRAME[0]), FRAME[1]), -1)
    durations = [END, *[each] * (len(x) - 2), END][: len(x)]
    first, *others = frames + frames[-2:0:-1]
    with replacing(path, overwrite) as temporary:
        first.save(
            temporary,
            kind,
            save_all=True,
            append_images=others,
            duration=durations + durations[-2:0:-1],
            loop=0,
            **options,
        )


def check_png(path: Path) -> None:
    """Refuse a path that a PNG cannot be written to, before any work is done.

    Raises:
        RunError: it is a folder, or does not end in .png.
    """
    if path.is_dir():
        raise RunError(f"{path}: is a folder; name a .png file to write")
    if path.suffix.lower() != ".png":
        raise RunError(f"{path}: a picture is written as PNG; let the name end in .png")


def save_png(array: np.ndarray, path: str | Path, overwrite: bool = True) -> None:
    """Write uint8 `(H, W, 3)` or `(H, W)` as a PNG, whole or not at all; missing folders are made.

    Raises:
        RunError: the path is a folder, does not end in .png, cannot be written, or is there and stays
            without `overwrite`.
    """
    path = Path(path).expanduser()
    check_png(path)
    with replacing(path, overwrite) as temporary:
        Image.fromarray(array).save(temporary, format="PNG")
