"""The scale of the values of images."""

from __future__ import annotations


def rescaling(low: float, high: float) -> str:
    """How to bring images with values from `low` to `high` to [0, 1], the end of a message.

    >>> rescaling(0, 255)
    'images are uint8, or floats in [0, 1]: divide by 255'
    >>> rescaling(-1, 1)
    'images are uint8, or floats in [0, 1]: (x + 1) / 2'
    """
    how = "rescale them"
    if low >= 0:
        how = f"divide by {255 if 100 < high <= 255 else f'{high:g}'}"
    elif low >= -1 and high <= 1:
        how = "(x + 1) / 2"
    return f"images are uint8, or floats in [0, 1]: {how}"
