"""Limits of what is read, checked before a file is read whole; docs/limits.md lists them."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from simulacra.errors import LimitError

if TYPE_CHECKING:
    import yaml

# an image file, also unpacked from a .zip: a BMP with the most pixels takes as much
IMAGE_BYTES = 2**29
# pixels of an image: beyond any camera, and 400 MB once decoded
IMAGE_PIXELS = 2**27
# labels.csv
LABELS_BYTES = 2**28
# a .csv or .parquet, an .idx, an .npz
TABLE_BYTES = 2**33
ARRAY_BYTES = 2**38
# columns of a table
TABLE_COLUMNS = 20_000
# a line of a table that is read in parts
TABLE_LINE = 2**26
# a line of text; what is beyond is not read
TEXT_LINE = 2**20
# words that are counted for a vocabulary; the rarest are forgotten when there are more
WORDS = 2**20
# letters of a word of a vocabulary, and sentences that byte pairs are made of
WORD_LETTERS = 100
PAIRED_SENTENCES = 2_000_000
# dimensions of an .idx
IDX_DIMENSIONS = 4
# entries of a .zip of images, and arrays of an .npz
ZIP_ENTRIES = 2_000_000
NPZ_ARRAYS = 1000
# an entry of a .zip that unpacks to more than this many bytes, and this many times its packed size
ZIP_LARGE = 2**24
ZIP_RATIO = 200
# config.yaml, a YAML file that people write, how deep they nest, and their aliases
CONFIG_BYTES = 2**24
YAML_BYTES = 2**20
YAML_DEPTH = 20
YAML_ALIASES = 0
# metrics.jsonl, and one of its lines
METRICS_BYTES = 2**28
METRICS_LINE = 2**20
# a JSON file of an audit
JSON_BYTES = 2**26
# weights of a model, each a tensor
WEIGHTS = 10_000
# steps of a training, draws of z for one example
STEPS = 10**12
IMPORTANCE_SAMPLES = 1_000_000

# bytes read at a time
_PART = 2**20
# bytes of memory for each byte of a table: its text three times, of which once with four bytes a character
TEXT_MEMORY = 6
# bytes for each parameter in training: float32 weight, gradient and two moments
TRAINED_PARAMETER = 16

# files of a control group: its limit, what it uses, and what of that caches files
_V2 = ("memory.max", "memory.current", "file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")


def open_regular(path: Path, most: int) -> BinaryIO:
    """Open a regular file, or a link to one, for reading.

    Raises:
        LimitError: it is a pipe, a device or a socket, or larger than `most` bytes; without its name.
        OSError: it cannot be opened.
    """
    # a pipe without a writer would be opened for ever
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise LimitError("is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise LimitError("is a pipe, a device or a socket, not a file")
    check_bytes(status.st_size, most)
    return path.open("rb")


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of a regular file; raises as `open_regular`."""
    with open_regular(path, most) as file:
        # one that grows, or does not say how large it is, is not read to its end either
        raw = read_part(file, most + 1)
    check_bytes(len(raw), most)
    return raw


def read_part(file: IO[bytes], most: int) -> bytes:
    """At most so many bytes of a file; memory is taken for those that there are."""
    parts, left = [], most
    while left > 0 and (part := file.read(min(left, _PART))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def check_bytes(size: int, most: int) -> None:
    """Raises LimitError for more than `most` bytes; without a name."""
    if size > most:
        raise LimitError(f"is larger than {amount(most)}, the limit (see docs/limits.md)")


def check_zip(path: Path, entries: int) -> None:
    """Check that a .zip is a regular file with at most so many entries, before its directory is read.

    Raises:
        LimitError: it is not, or has more; without its name.
        OSError: it cannot be opened.
    """
    with open_regular(path, ARRAY_BYTES) as file:
        size = file.seek(0, os.SEEK_END)
        # the end record: 22 bytes and a comment; before it that of large archives, and where it is
        file.seek(max(0, size - 2**16 - 22 - 20 - 56))
        end = file.read()
    place = end.rfind(b"PK\5\6")
    if place < 0 or len(end) < place + 22:
        # zipfile finds words for it
        return
    directory: int = struct.unpack_from("<I", end, place + 12)[0]
    large = end.rfind(b"PK\6\6", 0, place)
    if directory == 2**32 - 1 and 0 <= large <= len(end) - 56:
        directory = struct.unpack_from("<Q", end, large + 40)[0]
    # an entry takes 46 bytes and its name
    if directory > min(size, entries * 256):
        raise LimitError(f"the .zip has more than {entries:,} entries, the limit, or is damaged")


def check_entry(info: zipfile.ZipInfo, most: int) -> None:
    """Raises LimitError for an entry of a .zip that is too large, or unpacks to far more than it is."""
    check_bytes(info.file_size, most)
    if info.file_size > max(ZIP_LARGE, ZIP_RATIO * info.compress_size):
        raise LimitError(
            f"unpacks to {info.file_size // max(1, info.compress_size):,} times its size "
            f"({amount(info.file_size)}), as no image or table does"
        )


def read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """The bytes of an entry, no more of them than its directory says.

    Raises:
        LimitError: as `check_entry`.
    """
    check_entry(info, most)
    with archive.open(info) as file:
        return file.read(info.file_size)


def load_yaml(text: str, loader: Any = None) -> tuple[Any, Any]:
    """The document of a YAML file as plain values, None of an empty one, and its root node.

    Args:
        text: of the file.
        loader: of PyYAML; by default a safe one.

    Raises:
        yaml.YAMLError: it is not YAML.
        LimitError: it is nested too deeply, or has aliases: a few of them make a document of any size.
        ValueError: a value is not of the type that it claims to have.
    """
    import yaml

    depth, aliases = 0, 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > YAML_ALIASES:
            raise LimitError(f"{_line(event)}aliases (*name) are not read; repeat the text")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > YAML_DEPTH:
            raise LimitError(f"{_line(event)}nested more than {YAML_DEPTH} deep, the limit")
    made = (loader or getattr(yaml, "CSafeLoader", yaml.SafeLoader))(text)
    try:
        root = made.get_single_node()
        return (None if root is None else made.construct_document(root)), root
    # tags such as !!bool on other values meet errors of many types
    except (LookupError, AttributeError, TypeError, OverflowError) as error:
        raise ValueError(f"a value is not of the type that it is tagged with ({error})") from error
    finally:
        made.dispose()


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}: " if event.start_mark is not None else ""


def check_memory(needed: float, what: str, remedy: str) -> None:
    """Check that something fits in the memory that is free, before it is asked for.

    Args:
        needed: bytes.
        what: needs them; the start of a sentence.
        remedy: what to do about it; the end of the sentence.

    Raises:
        LimitError: it does not.
    """
    free = available_memory()
    if needed > free:
        raise LimitError(f"{what} need {amount(needed)} of memory, but {amount(free)} are free; {remedy}")


def available_memory() -> int:
    """Bytes that can be used without swapping: of the machine, a container, or a limited process."""
    available = 2**32
    with suppress(OSError, ValueError, AttributeError):
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    with suppress(OSError, ValueError, IndexError):
        meminfo = Path("/proc/meminfo").read_text()
        available = int(meminfo.split("MemAvailable:")[1].split()[0]) * 1024
    available = min(available, *_of_cgroups(), *_of_process())
    return max(0, available)


def _of_cgroups() -> list[int]:
    """What the limits of the control groups of this process leave, of both versions."""
    root = Path("/sys/fs/cgroup")
    folders = {root: _V2, root / "memory": _V1}
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                folders[root / "memory" / path.strip("/")] = _V1
            elif not controllers:
                # groups above it have limits, too
                own = root / path.strip("/")
                folders |= {each: _V2 for each in (own, *own.parents) if each.is_relative_to(root)}
    left = []
    for folder, (limit, used, cache) in folders.items():
        # "max" without one
        with suppress(OSError, ValueError, KeyError):
            most, now = int((folder / limit).read_text()), int((folder / used).read_text())
            lines = (folder / "memory.stat").read_text().splitlines()
            # files that are cached make room
            left.append(most - max(0, now - int(dict(line.split() for line in lines)[cache])))
    return left


def _of_process() -> list[int]:
    """What `ulimit -v` leaves of the address space."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[0]
        if most != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            return [most - used]
    return []


def amount(size: float) -> str:
    """Bytes for a sentence.

    >>> amount(3e10), amount(2**20), amount(12)
    ('30 GB', '1 MB', '12 bytes')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {name}".replace(".0 ", " ") if value < 1e6 else f"{value:.2g} {name}"
    return f"{size:.0f} bytes"


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice: Python's, NumPy's or torch's."""
    messages = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | OSError) and any(text in str(error) for text in messages)
    )
