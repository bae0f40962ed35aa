"""`faces`: colour faces drawn by this library, with the true value of every factor as an attribute.

Nothing is downloaded, and no person's image is used. Every factor is drawn independently of all the
others and shows in the image, so what a model has learnt about a factor can be checked against the
truth. The factors, which are the attribute columns in this order:

    smile           -1 frown .. 1 broad smile; values near 0 are rare
    eyes_open        0 closed .. 1 wide open; closed is rare
    hair_lightness   0 black .. 1 pale blond
    hair_warmth      0 ashen .. 1 red
    hair_length      0 cropped .. 1 below the shoulders
    glasses          0 or 1, two in five wear them, or the share P of `faces:N,glasses=P` (values between
                     are drawn translucent)
    skin_tone        0 light .. 1 dark
    face_width       0 narrow .. 1 wide
    head_turn       -1 towards the image's left .. 1 towards its right
    background       0 rose, sand, green, blue .. 1 violet
    clothes          0 navy, teal, yellow, red .. 1 plum

Unless stated otherwise a factor is uniform over its range. A last column, `smiling`, is 1 where
smile > 0 and 0 elsewhere. The mirror image of a face is the face with the opposite `head_turn`.

`face-outlines` shows the same faces in pairs, with the same attributes, in the same splits: the line drawing
of a face, and the face as its target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulacra.data.images.attributes import classes
from simulacra.data.images.face_drawing import portraits
from simulacra.data.images.face_outlines import outlines
from simulacra.data.images.resize import resize
from simulacra.data.sources.arguments import in_memory, read
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import content_shares, split_data
from simulacra.errors import DataError

# name -> (lowest, highest) value
FACTORS = {
    "smile": (-1.0, 1.0),
    "eyes_open": (0.0, 1.0),
    "hair_lightness": (0.0, 1.0),
    "hair_warmth": (0.0, 1.0),
    "hair_length": (0.0, 1.0),
    "glasses": (0.0, 1.0),
    "skin_tone": (0.0, 1.0),
    "face_width": (0.0, 1.0),
    "head_turn": (-1.0, 1.0),
    "background": (0.0, 1.0),
    "clothes": (0.0, 1.0),
}
ATTRIBUTES = (*FACTORS, "smiling")
# the range of the number of faces
COUNT = (10_000, 1, 10_000_000)
DEFAULT_SIZE, SMALLEST_SIZE, LARGEST_SIZE = 64, 32, 128
# the share of faces with glasses
GLASSES = 0.4


def sample_factors(n: int, seed: int = 0, glasses: float = GLASSES) -> np.ndarray:
    """Draw the factors of n faces, one row a face, one column for each of `FACTORS`.

    Row i depends on the seed and on i alone, not on n, and of the share of glasses its other factors do not
    depend: who wears them with a smaller share wears them with a larger one too.

    Returns:
        float32 `(n, F)`, each column in its range.

    >>> bool((sample_factors(3) == sample_factors(500)[:3]).all())
    True
    """
    factors = np.empty((n, len(FACTORS)), np.float32)
    for column, (name, (low, high)) in enumerate(FACTORS.items()):
        u = np.random.default_rng([seed, column]).random(n)
        if name == "smile":
            # |smile| = |v|^0.6 with v uniform in [-1, 1]: fewer faces between frown and smile
            v = 2 * u - 1
            u = (1 + np.sign(v) * np.abs(v) ** 0.6) / 2
        elif name == "eyes_open":
            u = u**0.6
        elif name == "glasses":
            u = (u < glasses).astype(np.float64)
        factors[:, column] = low + (high - low) * u
    return factors


def draw(
    factors: np.ndarray,
    size: int = DEFAULT_SIZE,
    drawing: Callable[[dict[str, np.ndarray], int], np.ndarray] = portraits,
) -> np.ndarray:
    """Draw one face for each row of factors.

    The same row gives the same image, bit for bit on one machine, whatever rows surround it.

    Args:
        factors: `(N, F)`, the columns of `FACTORS`, each in its range.
        size: height and width in pixels, 32 to 128.
        drawing: `portraits` in colour, or their `outlines`.

    Returns:
        uint8 `(N, 3, size, size)`.

    Raises:
        DataError: the size, the number of columns, or a value is out of range.

    >>> smiling, frowning = sample_factors(1), sample_factors(1)
    >>> smiling[0, 0], frowning[0, 0] = 1, -1
    >>> draw(np.concatenate([smiling, frowning]), 32).shape
    (2, 3, 32, 32)
    """
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise DataError(f"faces: drawn at {SMALLEST_SIZE} to {LARGEST_SIZE} pixels, not at {size}")
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise DataError(f"faces: the factors of N faces have shape (N, {len(FACTORS)}), not {factors.shape}")
    for values, (name, (low, high)) in zip(factors.T, FACTORS.items(), strict=True):
        # written so that NaN is refused, too
        if not np.all((values >= low) & (values <= high)):
            raise DataError(f"faces: {name} is from {low:g} to {high:g}; some values are outside")
    x = np.empty((len(factors), 3, size, size), np.uint8)
    # 2^17 pixels: few enough for the caches, enough to make Python's share of the time small
    rows = 2**17 // size**2
    for start in range(0, len(factors), rows):
        chunk = slice(start, start + rows)
        x[chunk] = drawing(dict(zip(FACTORS, factors[chunk].T, strict=True)), size)
    return x


def load(name: str, argument: str, options: Options) -> Data:
    """`faces` or `face-outlines`, `[:N][,glasses=P]`; 64 pixels unless `options.image_size` says otherwise.

    Face i is the same for every N and is in the same split at every size: `faces:1000` is the
    beginning of `faces:20000`.

    >>> data = load("faces", "200", Options(image_size=32))
    >>> data.spec.shape, data.spec.attributes[0], data.train.attributes.shape == (len(data.train), 12)
    ((3, 32, 32), 'smile', True)

    Raises:
        DataError: N, P or the size is out of range, or the faces do not fit in memory.
    """
    source, factors, attributes = _factors(name, argument)
    with in_memory(source):
        size = DEFAULT_SIZE if options.image_size is None else options.image_size
        x = resize(draw(factors, size), None, options.channels)
        everything = Dataset(DataSpec("image", x.shape[1:], attributes=ATTRIBUTES), x, attributes=attributes)
        if name == "face-outlines":
            lines = resize(draw(factors, size, outlines), None, options.channels)
            target = DataSpec("image", x.shape[1:])
            everything = replace(everything, spec=replace(everything.spec, target=target), x=lines, target=x)
        # shares of the factors, not of the pixels: the same at every size
        return split_data(source, everything, shares=content_shares(factors))


def peek(name: str, argument: str, options: Options) -> DataSpec:
    """The spec without drawing a face.

    Raises:
        DataError: as `load`, or `options.target` is no attribute.
    """
    source, factors, attributes = _factors(name, argument)
    size = DEFAULT_SIZE if options.image_size is None else options.image_size
    draw(factors[:0], size)
    shape = (options.channels or 3, size, size)
    found: tuple[str, ...] = ()
    if options.target is not None:
        found, _ = classes(source, ATTRIBUTES, attributes, options.target)
    target = DataSpec("image", shape) if name == "face-outlines" else None
    return DataSpec("image", shape, found, ATTRIBUTES, target=target)


def _factors(name: str, argument: str) -> tuple[str, np.ndarray, np.ndarray]:
    """The source as the user wrote it, its factors `(N, F)`, and its attributes `(N, F + 1)`."""
    source, values = read(name, argument, COUNT, glasses=(GLASSES, 0, 1))
    with in_memory(source):
        factors = sample_factors(values["N"], glasses=values["glasses"])
        smiling = factors[:, 0] > 0
        return source, factors, np.column_stack([factors, smiling]).astype(np.float32)
