"""Images inside a page: charts, and examples tiled."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from math import ceil

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from simulacra.images import SMALLEST_CELL, grid
from simulacra.report import figures

# widths in CSS pixels that images are laid out for: alone, and beside their labels
WIDTH, LABELLED_WIDTH = 500, 400


def image(png: bytes, width: int, height: int, alt: str, css: str) -> Markup:
    """An `<img>` that contains its PNG file.

    Args:
        png: the file.
        width: in CSS pixels.
        height: in CSS pixels.
        alt: its text for people who do not see it.
        css: its classes.
    """
    return Markup('<img class="{}" width="{}" height="{}" alt="{}" src="data:image/png;base64,{}">').format(
        css, width, height, alt, b64encode(png).decode("ascii")
    )


def chart(figure: Figure, alt: str, css: str = "chart", small: bool = False) -> Markup:
    """An `<img>` of a matplotlib figure, at its own size.

    Args:
        figure: the chart.
        alt: its text for people who do not see it.
        css: `chart` is inverted on dark pages, `paper` keeps a light background.
        small: as `figures.small_png`, for pages with many charts.
    """
    width, height = (round(100 * side) for side in figure.get_size_inches())
    png = figures.small_png(figure) if small else figures.png(figure)
    return image(png, width, height, alt, css)


def tiles(x: np.ndarray, columns: int, scale: int, alt: str, padding: int = 2) -> Markup:
    """An `<img>` of uint8 images `(N, C, H, W)` tiled, every pixel drawn `scale` pixels wide."""
    x = x.repeat(scale, axis=2).repeat(scale, axis=3)
    tiled = grid(x, columns, padding)
    # without the outer margin, so that images line up with the text
    tiled = tiled[padding : len(tiled) - padding, padding : tiled.shape[1] - padding]
    # enlarged pixels are squares; images that have to shrink are smoothed
    square = scale > 1 and tiled.shape[1] <= WIDTH
    return picture(tiled, alt, "tiles pixelated" if square else "tiles")


def picture(x: np.ndarray, alt: str, css: str = "tiles") -> Markup:
    """An `<img>` of uint8 `(H, W, 3)` at its own size."""
    file = BytesIO()
    Image.fromarray(x).save(file, format="PNG", optimize=True)
    height, width, _ = x.shape
    return image(file.getvalue(), width, height, alt, css)


def layout(
    shape: tuple[int, ...], target: int, width: int, most: int, least: int = 4, padding: int = 2
) -> tuple[int, int]:
    """How images are tiled.

    Args:
        shape: of one image, `(C, H, W)`.
        target: width in pixels that an image is enlarged to, about.
        width: of a row, in pixels.
        most: images in a row.
        least: images in a row.
        padding: pixels between two.

    Returns:
        The whole factor that images are enlarged by, and how many are in a row.
    """
    _, h, w = shape
    scale = max(round(target / w), ceil(SMALLEST_CELL / min(h, w)))
    return scale, min(max(width // (w * scale + padding), least), most)
