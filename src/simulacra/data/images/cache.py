"""Decoded images, memory-mapped and cached by content, one contiguous stack for each split.

`cache_folder()` holds `KEY.SPLIT.npy`, uint8 `(N, C, H, W)`, for each split, and `KEY.json`, which describes
them and is written last. They can be deleted at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
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
from simulacra.data.spec import SPLITS, Options
from simulacra.data.splits import CUTS, HELD_OUT
from simulacra.errors import DataError

# the size, unless all images share a smaller one
DEFAULT_SIZE = 64
LARGEST_OWN_SIZE = 128

HEADER_BYTES = 128


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
class Stacks:
    """All examples that can be used, of P images each.

    Attributes:
        x: uint8 `(N, P * C, H, W)` for each of `SPLITS`, in memory or memory-mapped.
        rows: the index of each in `Examples.names`, int64 `(N,)` for each of `SPLITS`.
        bad: the name of each that cannot be used, and why.
    """

    x: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    bad: dict[str, str]


# (position in the names, share of the content) -> position in SPLITS
Place = Callable[[int, float], int]
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


def load_stacks(title: str, examples: Examples, place: Place, options: Options) -> Stacks:
    """The examples, each in the split `place` gives it: from the cache, else decoded and cached.

    Args:
        title: the source as the user wrote it.
        examples: the examples that the files make up.
        place: of an example's position in `examples.names` and its content's share; depends on nothing else.
        options: image size and channels.

    Raises:
        DataError: the cache cannot be written and the images do not fit in memory.
    """
    try:
        folder = cache_folder()
    except OSError as error:
        return _in_memory(title, examples, place, find_shape(examples, options), error)
    key = _key(examples, options)
    # whatever is wrong with a cached file, it is made again
    with suppress(Exception):
        return _read(folder, key)
    shape = find_shape(examples, options)
    try:
        return _write(folder, key, examples, place, shape)
    except OSError as error:
        return _in_memory(title, examples, place, shape, error)


def available_memory() -> int:
    """Bytes that can be used without swapping."""
    available = 2**32
    with suppress(OSError, ValueError, AttributeError):
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    with suppress(OSError, ValueError, IndexError):
        meminfo = Path("/proc/meminfo").read_text()
        available = int(meminfo.split("MemAvailable:")[1].split()[0]) * 1024
    # the limit of a container; "max" without one
    with suppress(OSError, ValueError):
        available = min(available, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return available


def _load(paths: Sequence[Path]) -> tuple[np.ndarray, ...]:
    """The stacks in memory when they take less than a quarter of it, else memory-mapped."""
    small = sum(path.stat().st_size for path in paths) < available_memory() / 4
    # mapped in any case: this refuses a file that is cut short before reading it
    # "c": writable as tensors want it, on the disk nothing changes
    mapped = (open_memmap(path, mode="c") for path in paths)
    return tuple(np.array(x) if small else x for x in mapped)


def _key(examples: Examples, options: Options) -> str:
    """Everything the decoded examples depend on: names, contents, options and the decoder."""
    decoder = (DECODER_VERSION, PIL.__version__, type(examples).__name__, CUTS, HELD_OUT)
    digest = blake2b(repr((decoder, options.image_size, options.channels)).encode(), digest_size=16)
    for entry in zip(examples.names, parallel(examples.fingerprint, examples.names), strict=True):
        digest.update(repr(entry).encode())
    return digest.hexdigest()


def _paths(folder: Path, key: str) -> list[Path]:
    return [folder / f"{key}.{split}.npy" for split in SPLITS]


def _read(folder: Path, key: str) -> Stacks:
    about = json.loads((folder / f"{key}.json").read_text(encoding="ascii"))
    rows = tuple(np.array(index, dtype=np.int64) for index in about["rows"])
    x = _load(_paths(folder, key))
    for index, stack in zip(rows, x, strict=True):
        if stack.dtype != np.uint8 or stack.shape != (len(index), *about["shape"]):
            raise ValueError("not what was written")
    return Stacks(x, rows, dict(about["bad"]))


def _write(folder: Path, key: str, examples: Examples, place: Place, shape: Shape) -> Stacks:
    """Decode into temporary files, one for each split, which take their place when all is done.

    Two processes at it write the same bytes under the same names, so that it does not matter who is last.
    """
    with ExitStack() as stack:
        # a folder of its own, so that whatever happens all of it goes
        temporary = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".tmp", dir=folder))
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        paths = [temporary / path.name for path in _paths(folder, key)]
        with ExitStack() as opened:
            files = [opened.enter_context(path.open("w+b")) for path in paths]
            rows, bad, sound = _decode_into(files, examples, place, shape)
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        if not sound:
            return Stacks(_load(paths), rows, bad)
        about = temporary / f"{key}.json"
        content = {"shape": shape, "rows": [index.tolist() for index in rows], "bad": bad}
        about.write_text(json.dumps(content), encoding="ascii")
        for path in (*paths, about):
            path.replace(folder / path.name)
    return Stacks(_load(_paths(folder, key)), rows, bad)


def _in_memory(title: str, examples: Examples, place: Place, shape: Shape, why: OSError) -> Stacks:
    needed = len(examples.names) * int(np.prod(shape))
    if needed > available_memory() * 3 / 4:
        raise DataError(
            f"{title}: the images take {needed / 1e9:.1f} GB, more than fits in memory, and the cache "
            f"cannot be written ({why.strerror or why}); set SIMULACRA_DATA to a folder with room, or use "
            "a smaller image size"
        ) from why
    files = [BytesIO() for _ in SPLITS]
    rows, bad, _ = _decode_into(files, examples, place, shape)
    x = tuple(
        np.frombuffer(file.getbuffer(), np.uint8, offset=HEADER_BYTES).reshape(len(index), *shape)
        for file, index in zip(files, rows, strict=True)
    )
    return Stacks(x, rows, bad)


def _decode_into(
    files: Sequence[BinaryIO], examples: Examples, place: Place, shape: Shape
) -> tuple[tuple[np.ndarray, ...], dict[str, str], bool]:
    """Append every example to the .npy of its split; also returns whether all files could be read."""
    rows: list[list[int]] = [[] for _ in SPLITS]
    bad: dict[str, str] = {}
    sound = True
    for file in files:
        file.write(_header(0, shape))
    for i, example in enumerate(decode_all(examples, shape)):
        if isinstance(example, BadImage):
            bad[examples.names[i]] = str(example)
            sound = sound and not isinstance(example, Unreadable)
        else:
            split = place(i, example.share)
            rows[split].append(i)
            files[split].write(example.x.tobytes())
    for file, index in zip(files, rows, strict=True):
        file.seek(0)
        file.write(_header(len(index), shape))
    return tuple(np.array(index, dtype=np.int64) for index in rows), bad, sound


def _header(n: int, shape: Shape) -> bytes:
    """The header of a .npy of uint8 `(n, *shape)`, format 1.0, equally long for every n."""
    about = str({"descr": "|u1", "fortran_order": False, "shape": (n, *shape)})
    start = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return start + about.encode().ljust(HEADER_BYTES - 11) + b"\n"
