"""Files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from simulacra.errors import RunError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    Whatever happens, `path` holds its old content or the new one, never a part.

    Raises:
        RunError: it could not be written (disk full, no permission); `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(path.parent, path.name)
        yield temporary
        _synchronise(temporary)
        temporary.replace(path)
        _synchronise(path.parent)
    # torch.save and safetensors report a full disk as RuntimeError and SafetensorError
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError":
            reason = str(error).splitlines()[0]
        else:
            raise
        raise RunError(f"{path}: could not be written ({reason}); what was there before is intact") from error


def clear_leftovers(folder: Path, name: str = "*") -> None:
    """Delete the temporary files that killed processes left for `name` in a folder."""
    for file in folder.glob(f".{name if name == '*' else escape(name)}.*.tmp"):
        process = file.name.split(".")[-2]
        if process.isdecimal() and not _alive(int(process)):
            with suppress(OSError):
                file.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _synchronise(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    # folders cannot be opened on Windows
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
