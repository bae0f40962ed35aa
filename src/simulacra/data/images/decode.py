"""Decoding of an image file to uint8 `(C, H, W)`; an unusable file gives a short reason."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from simulacra import limits
from simulacra.data.images.resize import centre_square
from simulacra.errors import DataError, LimitError

# Part of every cache key: raise it whenever the same file decodes to other numbers.
DECODER_VERSION = 1

SMALLEST = 4  # pixels, height and width

# PIL has decoders that run other programs (EPS) or that no camera writes: only these are opened.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF")
# PIL loads its decoders late and knows no format before: not a thing to leave to threads
for _plugin in ("Png", "Jpeg", "WebP", "Bmp", "Gif"):
    import_module(f"PIL.{_plugin}ImagePlugin")
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8")

# EXIF orientation -> the transposition that turns the image upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112


class BadImage(DataError):  # noqa: N818  (names the file, not the failure)
    """A file that cannot be used as an image; the message is the reason alone, without the file's name."""


class Unreadable(BadImage):
    """A file whose bytes could not be had; trying again may give them."""


@dataclass(frozen=True)
class Header:
    """Size and colour of an image, known before it is decoded.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        grey: whether it is stored without colour.
        alpha: whether it is stored with transparency.
    """

    width: int
    height: int
    grey: bool
    alpha: bool = False


@dataclass(frozen=True)
class ImageWithAlpha:
    """A whole image, decoded.

    Attributes:
        image: mode L or RGB, 8 bits, upright, transparency over white.
        alpha: mode L, upright, 255 where it is opaque; None of an image stored without transparency.
        profile: the ICC profile stored with it, None without one.
    """

    image: Image.Image
    alpha: Image.Image | None
    profile: bytes | None


def decode(file: bytes | str | Path, image_size: int, channels: int) -> np.ndarray:
    """A image as uint8 `(channels, image_size, image_size)`: upright, over white, the middle square.

    >>> file = BytesIO()
    >>> Image.new("L", (10, 6), 200).save(file, "PNG")
    >>> decode(file.getvalue(), 4, 3).shape, decode(file.getvalue(), 4, 3).max()
    ((3, 4, 4), np.uint8(200))

    Raises:
        BadImage: the file is not an image, is damaged, too small or too large.
    """
    return fit(open_image(file), image_size, channels)


def header(file: bytes | str | Path) -> Header:
    """Size and colour without decoding the pixels.

    Raises:
        BadImage: the file is not an image, or too small or too large.
    """
    with _opened(file) as image:
        return Header(*image.size, _is_grey(image), _is_transparent(image))


def open_image(file: bytes | str | Path) -> Image.Image:
    """The whole image, fully decoded: mode L or RGB, 8 bits, upright, transparency over white.

    Raises:
        BadImage: the file is not an image, is damaged, too small or too large.
    """
    return open_with_alpha(file).image


def open_with_alpha(file: bytes | str | Path) -> ImageWithAlpha:
    """The whole image, its transparency and its colour profile.

    Raises:
        BadImage: the file is not an image, is damaged, too small or too large.
    """
    with _opened(file) as image:
        image.load()
        flat = _flat(image)
        alpha = image.convert("RGBA").getchannel("A") if _is_transparent(image) else None
        turn = _UPRIGHT.get(_orientation(image))
        if turn is not None:
            flat, alpha = flat.transpose(turn), None if alpha is None else alpha.transpose(turn)
        return ImageWithAlpha(flat, alpha, image.info.get("icc_profile"))


def fit(image: Image.Image, image_size: int, channels: int) -> np.ndarray:
    """The middle square of an image of mode L or RGB, antialiased to uint8 `(C, S, S)`."""
    image = image.convert("L" if channels == 1 else "RGB")
    # cropped first: resize(box=...) would let the filter reach beyond the box
    square = image.crop(centre_square(*image.size))
    small = square.resize((image_size, image_size), Image.Resampling.BILINEAR)
    x = np.asarray(small).reshape(image_size, image_size, channels)
    return np.ascontiguousarray(x.transpose(2, 0, 1))


def content_share(*images: Image.Image) -> float:
    """A number in [0, 1) that depends on the decoded images alone, not on files or the size asked for."""
    digest = blake2b(digest_size=8)
    for image in images:
        digest.update(repr(image.size).encode())
        digest.update(image.convert("RGB").tobytes())
    return int.from_bytes(digest.digest(), "little") / 2.0**64


@contextmanager
def _opened(file: bytes | str | Path) -> Iterator[Image.Image]:
    try:
        raw = file if isinstance(file, bytes) else limits.read_bytes(Path(file), limits.IMAGE_BYTES)
    except LimitError as error:
        raise BadImage(str(error)) from error
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error
    if not raw:
        raise BadImage("empty file")
    try:
        with _no_warnings(), Image.open(BytesIO(raw), formats=FORMATS) as image:
            _refuse_size(*image.size)
            yield image
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise BadImage("too many pixels for an image (decompression bomb)") from error
    # PIL's decoders meet hostile bytes with errors of almost every type
    except Exception as error:
        known = raw.startswith(_SIGNATURES) or raw[8:12] == b"WEBP"
        raise BadImage("damaged or truncated" if known else "not an image") from error


def _refuse_size(width: int, height: int) -> None:
    if min(width, height) < SMALLEST:
        raise BadImage(f"{width}x{height} pixels, too small")
    if width * height > limits.IMAGE_PIXELS:
        raise BadImage(f"{width}x{height} pixels, too large (decompression bomb)")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    # an image with broken EXIF data is still an image
    except Exception:
        return 1


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool(np.all(palette == palette[:, :1]))
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


def _is_transparent(image: Image.Image) -> bool:
    # 16 bits of grey may name a transparent level: left as it is
    return image.has_transparency_data and not image.mode.startswith("I")


def _flat(image: Image.Image) -> Image.Image:
    """8 bits of grey or colour without transparency, in mode L or RGB."""
    grey = _is_grey(image)
    if image.mode.startswith("I"):
        # 16 bits: v / 65535 * 255, rounded
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide * 255 + 32767) // 65535).astype(np.uint8))
    elif _is_transparent(image):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    # through RGB, so that a grey palette gives its grey levels: BT.601's weights add up to 1
    if image.mode != "L":
        image = image.convert("RGB")
    return image.convert("L") if grey else image


_quiet_lock = threading.Lock()
_quiet_count = 0
_quiet_filters = warnings.catch_warnings()


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence PIL while any thread decodes.

    The filters belong to the process: each thread saving and restoring them would leave them silenced
    when the threads end in another order. Only the first in and the last out change them.
    """
    global _quiet_count, _quiet_filters
    with _quiet_lock:
        _quiet_count += 1
        if _quiet_count == 1:
            _quiet_filters = warnings.catch_warnings()
            _quiet_filters.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_count -= 1
            if _quiet_count == 0:
                _quiet_filters.__exit__(None, None, None)
