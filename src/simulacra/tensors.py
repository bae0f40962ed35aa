"""Files of tensors with a checksum: safetensors, of which no damaged byte goes unnoticed.

The checksum (XXH3, 128 bits) is an entry of the file's own metadata, so that the file stands alone. It is
computed over the whole file, with zeros in its own place.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulacra import limits
from simulacra.errors import LimitError, RunError
from simulacra.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

# how the entry is written, and what stands for the checksum while it is computed
ENTRY = b'"checksum":"'
ZEROS = b"0" * 32
# of torch -> of safetensors
TYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "complex64": "C64",
    "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
# bytes of a header at most, as in safetensors
LONGEST_HEADER = 100_000_000
# bytes read or written at a time
PART = 2**24


def write(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> None:
    """Write tensors and notes, whole or not at all.

    Args:
        path: the file.
        tensors: by their names; they may share memory, and be on any device.
        notes: kept in the metadata.

    Raises:
        RunError: the file could not be written.
    """
    # the largest numbers first, so that all begin at a multiple of their size
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    # notes of a file that was read have its checksum
    entries: dict[str, Any] = {"__metadata__": {**(notes or {}), "checksum": ZEROS.decode()}}
    end = 0
    for name in order:
        start, end = end, end + tensors[name].nbytes
        shape = list(tensors[name].shape)
        entries[name] = {"dtype": _type(tensors[name]), "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        _write(file, struct.pack("<Q", len(text)) + text, [tensors[name] for name in order])


def _write(file: Path, header: bytes, tensors: Sequence[Tensor]) -> None:
    """Write header and tensors, then the checksum in its place; only one tensor is copied at a time."""
    import torch
    import xxhash

    state, waiting = xxhash.xxh3_128(header), 0
    with file.open("wb") as stream:
        stream.write(header)
        for tensor in tensors:
            plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            data = plain.numpy().data
            for start in range(0, len(data), PART):
                part = data[start : start + PART]
                state.update(part)
                stream.write(part)
                waiting += len(part)
                # the disk begins at once, so that there is little left to wait for in the end
                if waiting >= PART and hasattr(os, "posix_fadvise"):
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                    waiting = 0
        stream.seek(header.index(ENTRY) + len(ENTRY))
        stream.write(state.hexdigest().encode())


def _type(tensor: Tensor) -> str:
    """The name of a tensor's type in safetensors."""
    return TYPES[str(tensor.dtype).removeprefix("torch.")]


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, on the CPU, and the notes of a file that `write` wrote.

    Raises:
        RunError: it is missing or damaged; the message names the file, and says how.
    """
    from safetensors import SafetensorError, safe_open

    check(path)
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dict
            return tensors, file.metadata()
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise damaged(path, str(error).splitlines()[0]) from error


def check(path: Path) -> None:
    """Raises RunError where the file is missing, is not one that `write` wrote, or has changed since."""
    expected = checksum(path)
    try:
        if _digest(path, _place(path)) != expected.encode():
            raise damaged(path, "its bytes are not those that were written")
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error


def checksum(path: Path) -> str:
    """The checksum that is written in the file, which tells files apart; `check` compares it with the bytes.

    Raises:
        RunError: the file is missing, or is not one that `write` wrote.
    """
    try:
        place = _place(path)
        with path.open("rb") as file:
            file.seek(place)
            return file.read(len(ZEROS)).decode("ascii", "replace")
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file") from None
    except LimitError as error:
        raise RunError(f"{path}: cannot be read ({error})") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from error


def damaged(path: Path, how: str) -> RunError:
    """An error about a damaged file."""
    return RunError(f"{path}: damaged ({how})")


def _place(path: Path) -> int:
    """Where the checksum is in the file."""
    with limits.open_regular(path, limits.ARRAY_BYTES) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= min(size - 8, LONGEST_HEADER):
            raise damaged(path, "it is cut off, or not a file of tensors")
        header = file.read(length)
    found = header.find(ENTRY)
    if found < 0 or found + len(ENTRY) + len(ZEROS) > length:
        raise damaged(path, "it has no checksum")
    return 8 + found + len(ENTRY)


def _digest(path: Path, place: int) -> bytes:
    """The checksum, as hexadecimal digits, with zeros in its place."""
    import xxhash

    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        state.update(file.read(place))
        state.update(ZEROS)
        file.seek(len(ZEROS), os.SEEK_CUR)
        while part := file.read(PART):
            state.update(part)
    return state.hexdigest().encode()
