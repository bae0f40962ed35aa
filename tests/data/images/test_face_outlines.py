"""Outlines of drawn faces: they tell the shapes, not the colours, and stand where the face has edges."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.images.face_outlines import COLOURS, outlines
from simulacra.data.sources.faces import FACTORS, draw, sample_factors

NAMES = list(FACTORS)
SIZES = [32, 45, 64, 128]


@pytest.mark.parametrize("size", SIZES)
def test_lines_are_black_on_white_and_few(size: int) -> None:
    x = draw(sample_factors(50), size, outlines)
    assert x.shape == (50, 3, size, size)
    assert x.dtype == np.uint8
    assert (x == x[:, :1]).all()
    ink = 1 - x[:, 0] / 255
    assert (ink.max((1, 2)) == 1).all()
    # the lines are about a pixel wide whatever the size
    length = ink.sum((1, 2)) / size
    assert length.min() > 3
    assert length.max() < 12
    # a shaded backdrop has no edges
    assert (x[:, :, : size // 32] == 255).all()


@pytest.mark.parametrize("name", NAMES)
def test_shapes_show_and_colours_do_not(name: str) -> None:
    low, high = FACTORS[name]
    a, b = sample_factors(20), sample_factors(20)
    a[:, NAMES.index(name)], b[:, NAMES.index(name)] = low, high
    x, y = (draw(factors, 64, outlines).astype(int) for factors in (a, b))
    changed = (np.abs(x - y) > 100).sum((1, 2, 3))
    assert (changed == 0).all() if name in COLOURS else (changed > 20).all()


@pytest.mark.parametrize("size", [32, 64])
def test_the_same_face_gives_the_same_bits_whatever_its_neighbours(size: int) -> None:
    factors = sample_factors(24)
    x = draw(factors, size, outlines)
    for row in (0, 11, 23):
        assert np.array_equal(x[row], draw(factors[row : row + 1], size, outlines)[0])


def test_a_line_stands_where_the_face_has_an_edge() -> None:
    # a face in the colours of the outlines' own: each of its strong edges has a line
    factors = sample_factors(100)
    for name, value in (*COLOURS.items(), ("glasses", 0.0)):
        factors[:, NAMES.index(name)] = value
    face = draw(factors, 64).astype(float).max(1)
    across = np.abs(np.diff(face, axis=2, append=face[:, :, -1:]))
    ink = 255 - draw(factors, 64, outlines)[:, 0].astype(float)
    near = np.max([np.roll(ink, shift, axis=2) for shift in (-1, 0, 1)], axis=0)
    assert (near[across > 60] > 60).mean() > 0.99
    assert (across > 60).mean() > 0.01
    # and a pixel without any change around it has none
    down = np.abs(np.diff(face, axis=1, append=face[:, -1:]))
    still = np.max(
        [np.roll(c, (i, j), (1, 2)) for c in (across, down) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0
    )
    assert (ink[still < 2] == 0).mean() > 0.99
