from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.data.images.decode import BadImage, Unreadable, content_share, decode, header, open_image


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_formats_are_known_in_a_fresh_process() -> None:
    raw = {
        kind: encoded(Image.new("L", (8, 8), 7), kind)
        for kind in ("WEBP", "BMP", "JPEG", "MPO", "GIF", "PNG")
    }
    code = f"from simulacra.data.images.decode import header\nfor raw in {list(raw.values())!r}: header(raw)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_lossless_colour_comes_back_as_it_was(kind: str) -> None:
    x = noise(16, 16, 3)
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(Image.fromarray(x), kind, **options), 16, 3), x.transpose(2, 0, 1))


def test_a_path_reads_as_its_bytes_do(tmp_path: Path) -> None:
    raw = encoded(Image.fromarray(noise(16, 16)))
    (tmp_path / "a.png").write_bytes(raw)
    assert np.array_equal(decode(tmp_path / "a.png", 8, 1), decode(raw, 8, 1))


def test_grey_fills_three_channels_and_colour_becomes_luma() -> None:
    grey = noise(8, 8)
    assert np.array_equal(decode(encoded(Image.fromarray(grey)), 8, 3), np.stack([grey] * 3))
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert set(decode(encoded(red), 8, 1).ravel().tolist()) == {76}  # 0.299 * 255


def test_16_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    x = decode(encoded(Image.fromarray(ramp)), 256, 1)
    assert np.array_equal(x[0], np.rint(ramp / 257).astype(np.uint8))


def test_one_bit() -> None:
    bits = noise(8, 8) > 127
    assert np.array_equal(decode(encoded(Image.fromarray(bits)), 8, 1)[0], bits * np.uint8(255))


def test_transparency_lies_over_white() -> None:
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 51))  # alpha 0.2
    assert decode(encoded(half), 8, 3)[:, 0, 0].tolist() == [255, 204, 204]
    clear = Image.new("LA", (8, 8), (0, 0))
    assert decode(encoded(clear), 8, 1).min() == 255
    assert header(encoded(clear)).grey


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_palette_with_transparency(transparency: int | bytes) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.paste(1, (0, 0, 4, 8))
    x = decode(encoded(image, transparency=transparency), 8, 3)
    assert x[:, 0, 0].tolist() == [200, 100, 0]
    assert x[:, 0, 7].tolist() == [255, 255, 255]


@pytest.mark.parametrize(("mode", "key"), [("RGB", (9, 9, 9)), ("L", 9)])
def test_a_transparent_colour_lies_over_white(mode: str, key: Any) -> None:
    image = Image.new(mode, (8, 8), key)
    assert decode(encoded(image, transparency=key), 8, 3).min() == 255


def test_a_grey_palette_is_grey() -> None:
    levels = noise(8, 8)
    image = Image.fromarray(levels)
    image = image.convert("P")
    assert header(encoded(image)).grey
    assert np.array_equal(decode(encoded(image), 8, 1)[0], levels)
    image.putpalette([0, 0, 255] * 256)
    assert not header(encoded(image)).grey


def test_cmyk() -> None:
    cyan = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95)
    assert b"Adobe" in cyan  # stored inverted, as Photoshop does
    assert np.abs(decode(cyan, 4, 3)[:, 0, 0].astype(int) - [0, 255, 255]).max() <= 3
    assert not header(cyan).grey


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_rotation(orientation: int) -> None:
    upright = noise(8, 8)
    turns: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: np.rot90,  # stored a quarter to the left, to be turned to the right
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode(encoded(stored, exif=exif.tobytes()), 8, 1)[0], upright)


def test_a_rotated_photo_has_its_corner_in_the_right_place() -> None:
    stored = Image.new("L", (32, 16))
    stored.paste(255, (0, 0, 8, 8))  # upper left
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    image = open_image(encoded(stored, "JPEG", exif=exif.tobytes(), quality=95))
    assert image.size == (16, 32)
    x = np.asarray(image)
    assert x[0, -1] > 200  # upper right
    assert max(x[0, 0], x[-1, 0], x[-1, -1]) < 50


def test_broken_exif_is_no_reason_to_refuse_a_picture() -> None:
    raw = encoded(Image.new("L", (8, 8), 99), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert abs(int(decode(raw, 8, 1)[0, 0, 0]) - 99) <= 1


def test_the_middle_square_is_kept() -> None:
    image = Image.new("L", (24, 8))
    image.paste(255, (8, 0, 16, 8))
    for size in (4, 8, 32):
        assert decode(encoded(image), size, 1).min() == 255


def test_shrinking_is_antialiased() -> None:
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    x = decode(encoded(Image.fromarray(board)), 8, 1)
    assert np.abs(x.astype(int) - 127).max() <= 2


def test_a_share_depends_on_the_pixels_alone() -> None:
    image = Image.fromarray(noise(16, 16))
    same = [encoded(image), encoded(image, "BMP"), encoded(image.convert("RGB"), compress_level=1)]
    shares = {content_share(open_image(raw)) for raw in same}
    assert len(shares) == 1
    assert 0 <= shares.pop() < 1
    other = Image.fromarray(noise(16, 16, seed=1))
    assert content_share(other) != content_share(image)
    # the same bytes in another shape
    assert content_share(Image.new("L", (8, 4))) != content_share(Image.new("L", (4, 8)))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty file"),
        (b"Dear diary, today I was renamed to .png", "not an image"),
        (encoded(Image.new("L", (1, 1))), "1x1 pixels, too small"),
        (encoded(Image.new("L", (300, 3))), "300x3 pixels, too small"),
        (encoded(Image.fromarray(noise(64, 64, 3)), "JPEG")[:-400], "damaged or truncated"),
        (encoded(Image.fromarray(noise(64, 64, 3)), "JPEG")[:20], "damaged or truncated"),
        (encoded(Image.fromarray(noise(64, 64, 3)))[:-400], "damaged or truncated"),
        (encoded(Image.fromarray(noise(64, 64, 3)), "WEBP")[:-400], "damaged or truncated"),
        (encoded(Image.fromarray(noise(64, 64, 3)), "BMP")[:-400], "damaged or truncated"),
        (png_header(12_000, 12_000), "12000x12000 pixels, too large (decompression bomb)"),
        (png_header(60_000, 60_000), "too many pixels for an image (decompression bomb)"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        decode(raw, 8, 3)
    assert str(caught.value) == reason


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        decode(tmp_path / "nowhere.png", 8, 3)


def test_threads_leave_the_warning_filters_as_they_were() -> None:
    # 90 to 128 million pixels: PIL would warn
    raw = [png_header(9_500, 9_500), encoded(Image.fromarray(noise(64, 64)))] * 10
    before = warnings.filters[:]
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(header, raw))) == 20
    assert warnings.filters == before
