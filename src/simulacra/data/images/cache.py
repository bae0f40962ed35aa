"""Decoded images, cached by content in one stack.

`cache_folder()` holds `KEY.npy`, uint8 `(N, C, H, W)`, and `KEY.json`, which describes it and is written
last; of a stack that is large for the memory also the parts that are mapped, `KEY.PART.npy`. They can be
deleted at any time.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
from numpy.lib.format import open_memmap

from simulacra.data.images.decode import (
    DECODER_VERSION,
    BadImage,
    Header,
    Unreadable,
    content_share,
    fit,
)
from simulacra.data.images.examples import Examples
from simulacra.data.images.parallel import parallel, progress
from simulacra.data.paths import cache_folder
from simulacra.data.spec import Options
from simulacra.errors import DataError
from simulacra.files import clear_leftovers, replacing
from simulacra.limits import available_memory

# the size, unless all images share a smaller one
DEFAULT_SIZE = 64
LARGEST_OWN_SIZE = 128

HEADER_BYTES = 128
# copied at a time
ROWS = 1000


@dataclass(frozen=True)
class Decoded:
    """One example of P images.

    Attributes:
        x: uint8 `(P * C, H, W)`.
        share: number in [0, 1) that depends on the decoded images alone.
        size: width and height of each in pixels, upright, before cropping.
    """

    x: np.ndarray
    share: float
    size: tuple[int, int]


@dataclass(frozen=True)
class Stack:
    """All examples that can be used, of P images each.

    Attributes:
        x: uint8 `(N, P * C, H, W)`, in memory or memory-mapped.
        rows: the index of each in `Examples.names`, int64 `(N,)`.
        shares: numbers in [0, 1) that depend on the decoded images alone, float64 `(N,)`.
        bad: the name of each that cannot be used, and why.
        path: the file that holds x; None if there is none.
    """

    x: np.ndarray
    rows: np.ndarray
    shares: np.ndarray
    bad: dict[str, str]
    path: Path | None = None

    def take(self, index: np.ndarray) -> np.ndarray:
        """The examples at `index`: in memory if the stack takes less than a quarter of it, else mapped."""
        if self.path is None or self.x.nbytes < available_memory() / 4:
            return np.array(self.x[index])
        digest = blake2b(index.tobytes(), digest_size=8).hexdigest()
        file = self.path.with_name(f"{self.path.stem}.{digest}.npy")
        shape = (len(index), *self.x.shape[1:])
        with suppress(Exception):
            return _mapped(file, shape)
        with replacing(file) as temporary:
            part = open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            for start in range(0, len(index), ROWS):
                part[start : start + ROWS] = self.x[index[start : start + ROWS]]
            part.flush()
        return _mapped(file, shape)


Shape = tuple[int, int, int]


def decode_all(examples: Examples, shape: Shape) -> Iterator[Decoded | BadImage]:
    """Every example in order, decoded on all cores, a few at a time; or why it cannot be used."""

    def one(name: str) -> Decoded | BadImage:
        try:
            images = examples.open(name)
        except BadImage as error:
            return error
        x = np.concatenate([fit(image, shape[1], shape[0] // examples.each) for image in images])
        return Decoded(x, content_share(*images), images[0].size)

    return progress(parallel(one, examples.names), len(examples.names), "decoding images")


def find_shape(examples: Examples, options: Options) -> Shape:
    """`(P * C, H, W)` by the options, or else by the images themselves; P images are an example.

    The size is that of the images when all are square, of one size, and at most 128, else 64; grey when
    all are stored without colour. Unusable files do not count.
    """
    size, channels = options.image_size, options.channels
    if size is None or channels is None:

        def one(name: str) -> Header | None:
            try:
                return examples.header(name)
            except BadImage:
                return None

        found = {each for each in parallel(one, examples.names) if each is not None}
        sizes = {(each.width, each.height) for each in found}
        width, height = sizes.pop() if len(sizes) == 1 else (0, 1)
        size = size or (width if width == height <= LARGEST_OWN_SIZE else DEFAULT_SIZE)
        channels = channels or (1 if found and all(each.grey for each in found) else 3)
    return examples.each * channels, size, size


def load_stack(title: str, examples: Examples, options: Options) -> Stack:
    """The examples that can be used, in their order: from the cache, else decoded and cached.

    Args:
        title: the source as the user wrote it.
        examples: the examples that the files make up.
        options: image size and channels.

    Raises:
        DataError: the cache cannot be written and the images do not fit in memory.
    """
    try:
        folder = cache_folder()
    except OSError as error:
        return _in_memory(title, examples, find_shape(examples, options), error)
    key = _key(examples, options)
    # whatever is wrong with a cached file, it is made again
    with suppress(Exception):
        return _read(folder, key)
    shape = find_shape(examples, options)
    needed = len(examples.names) * int(np.prod(shape))
    try:
        # the stack, and the splits that are taken of it
        if 2 * needed > shutil.disk_usage(folder).free:
            raise OSError(errno.ENOSPC, f"not enough room in {folder}")
        return _write(folder, key, examples, shape)
    except OSError as error:
        return _in_memory(title, examples, shape, error)


def _mapped(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """A stack of this shape; refuses a file that is cut short before reading it."""
    # "c": writable as tensors want it, on the disk nothing changes
    x: np.ndarray = open_memmap(path, mode="c")
    if x.dtype != np.uint8 or x.shape != shape:
        raise ValueError("not what was written")
    return x


def _key(examples: Examples, options: Options) -> str:
    """Everything the decoded examples depend on: names, contents, options and the decoder."""
    decoder = (DECODER_VERSION, PIL.__version__, type(examples).__name__)
    digest = blake2b(repr((decoder, options.image_size, options.channels)).encode(), digest_size=16)
    for entry in zip(examples.names, parallel(examples.fingerprint, examples.names), strict=True):
        digest.update(repr(entry).encode())
    return digest.hexdigest()


def _read(folder: Path, key: str) -> Stack:
    about = json.loads((folder / f"{key}.json").read_text(encoding="ascii"))
    path, rows = folder / f"{key}.npy", np.array(about["rows"], dtype=np.int64)
    x = _mapped(path, (len(rows), *about["shape"]))
    return Stack(x, rows, np.array(about["shares"], dtype=np.float64), dict(about["bad"]), path)


def _write(folder: Path, key: str, examples: Examples, shape: Shape) -> Stack:
    """Decode into a temporary file, which takes its place when all is done.

    Two processes at it write the same bytes under the same names, so that it does not matter who is last.
    """
    clear_leftovers(folder, key)
    # a folder of its own, so that whatever happens all of it goes
    temporary = Path(tempfile.mkdtemp(prefix=f".{key}.", suffix=f".{os.getpid()}.tmp", dir=folder))
    try:
        path = temporary / f"{key}.npy"
        with path.open("w+b") as file:
            rows, shares, bad, sound = _decode_into(file, examples, shape)
            file.flush()
            os.fsync(file.fileno())
        if not sound:
            return Stack(np.array(_mapped(path, (len(rows), *shape))), rows, shares, bad)
        about = temporary / f"{key}.json"
        content = {"shape": shape, "rows": rows.tolist(), "shares": shares.tolist(), "bad": bad}
        about.write_text(json.dumps(content), encoding="ascii")
        for each in (path, about):
            each.replace(folder / each.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Stack(
        _mapped(folder / f"{key}.npy", (len(rows), *shape)), rows, shares, bad, folder / f"{key}.npy"
    )


def _in_memory(title: str, examples: Examples, shape: Shape, why: OSError) -> Stack:
    needed = len(examples.names) * int(np.prod(shape))
    # the stack, and the splits that are taken of it
    if 2 * needed > available_memory() * 3 / 4:
        raise DataError(
            f"{title}: the images take {needed / 1e9:.1f} GB, more than fits in memory, and the cache "
            f"cannot be written ({why.strerror or why}); set SIMULACRA_DATA to a folder with room, or use "
            "a smaller image size"
        ) from why
    file = BytesIO()
    rows, shares, bad, _ = _decode_into(file, examples, shape)
    x = np.frombuffer(file.getbuffer(), np.uint8, offset=HEADER_BYTES).reshape(len(rows), *shape)
    return Stack(x, rows, shares, bad)


def _decode_into(
    file: BinaryIO, examples: Examples, shape: Shape
) -> tuple[np.ndarray, np.ndarray, dict[str, str], bool]:
    """Append every example to a .npy; returns rows, shares, bad files, and whether all could be read."""
    rows: list[int] = []
    shares: list[float] = []
    bad: dict[str, str] = {}
    sound = True
    file.write(_header(0, shape))
    for i, example in enumerate(decode_all(examples, shape)):
        if isinstance(example, BadImage):
            bad[examples.names[i]] = str(example)
            sound = sound and not isinstance(example, Unreadable)
        else:
            rows.append(i)
            shares.append(example.share)
            file.write(example.x.tobytes())
    file.seek(0)
    file.write(_header(len(rows), shape))
    return np.array(rows, dtype=np.int64), np.array(shares, dtype=np.float64), bad, sound


def _header(n: int, shape: Shape) -> bytes:
    """The header of a .npy of uint8 `(n, *shape)`, format 1.0, equally long for every n."""
    about = str({"descr": "|u1", "fortran_order": False, "shape": (n, *shape)})
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + about.encode().ljust(HEADER_BYTES - 11) + b"\n"
