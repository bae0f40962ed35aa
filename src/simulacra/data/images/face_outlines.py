"""The drawing behind the source `face-outlines`: the outlines of drawn faces, black on white.

A face is drawn in the same few colours whatever its own, twice as large; the lines are where they change:

    g = max over channels and both diagonals of |c(x, y) - c(x', y')|      Roberts' cross, colours in [0, 1]

So the outlines tell the shapes, and nothing of the colours of hair, skin, backdrop and clothes.

Source: L. G. Roberts, Machine Perception of Three-Dimensional Solids (MIT, 1963).
"""

from __future__ import annotations

import numpy as np

from simulacra.data.images.face_drawing import portraits

# far enough apart that every part shows against its neighbours
COLOURS = {
    "hair_lightness": 0.35,
    "hair_warmth": 0.0,
    "skin_tone": 0.0,
    "background": 0.7,
    "clothes": 0.0,
}
# shading changes by less than FAINTEST from a pixel to the next, a line of full ink by FULL
FAINTEST, FULL = 0.06, 0.2
# lines as wide as a pixel once they are shrunk
WEIGHT = 1.4


def outlines(factors: dict[str, np.ndarray], size: int) -> np.ndarray:
    """n line drawings, three equal channels, uint8 `(n, 3, size, size)`.

    Args:
        factors: for every name in `simulacra.data.sources.faces.FACTORS`, its values in range, `(n,)`.
        size: height and width in pixels.
    """
    plain = {name: np.full_like(values, COLOURS.get(name, 0)) for name, values in factors.items()}
    shapes = {name: values for name, values in factors.items() if name not in COLOURS}
    x = portraits(plain | shapes, 2 * size).astype(np.float32) / 255
    # one more row and column, so that there are as many differences as pixels
    x = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)), mode="edge")
    falling = np.abs(x[:, :, 1:, 1:] - x[:, :, :-1, :-1]).max(1)
    rising = np.abs(x[:, :, 1:, :-1] - x[:, :, :-1, 1:]).max(1)
    ink = np.clip((np.maximum(falling, rising) - FAINTEST) / (FULL - FAINTEST), 0, 1)
    ink = ink.reshape(-1, size, 2, size, 2).mean((2, 4))
    white = 1 - np.minimum(WEIGHT * ink, 1)
    drawn: np.ndarray = np.rint(white * 255).astype(np.uint8)[:, None].repeat(3, axis=1)
    return drawn
