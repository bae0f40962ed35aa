"""Files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from shutil import rmtree

from simulacra.errors import RunError


@contextmanager
def replacing(path: Path, one_of_many: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    The block makes a file there, or a folder where `path` is nothing yet. Whatever happens, `path` holds its
    old content or the new one, never a part.

    Args:
        path: of the file.
        one_of_many: of thousands of files in a folder. What takes long for each is left out: to wait until it
            is on the disk, for a power failure, and to look for what killed processes left.

    Raises:
        RunError: it could not be written (disk full, no permission); `path` is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not one_of_many:
            clear_leftovers(path.parent, path.name)
        yield temporary
        if not one_of_many:
            _synchronise(temporary)
        temporary.replace(path)
        if not one_of_many:
            _synchronise(path.parent)
    # torch.save and safetensors report a full disk as RuntimeError and SafetensorError
    except BaseException as error:
        _delete(temporary)
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError":
            reason = str(error).splitlines()[0]
        else:
            raise
        raise RunError(f"{path}: could not be written ({reason}); what was there before is intact") from error


def check_unused(*outs: Path, overwrite: bool = False) -> None:
    """Refuse outputs that would replace something, before any work is done.

    Args:
        outs: files, and folders for files.
        overwrite: whether the user wants to replace what is there.

    Raises:
        RunError: a file exists, or a folder is not empty.
    """
    for out in () if overwrite else outs:
        if out.is_dir():
            if next(out.iterdir(), None) is not None:
                raise RunError(f"{out}: is not empty; choose another name, or write into it with --overwrite")
        elif os.path.lexists(out):
            raise RunError(f"{out}: exists; choose another name, or replace it with --overwrite")


def clear_leftovers(folder: Path, name: str = "*") -> None:
    """Delete the temporary files that killed processes left for `name` in a folder."""
    for file in folder.glob(f".{name if name == '*' else escape(name)}.*.tmp"):
        process = file.name.split(".")[-2]
        if process.isdecimal() and not _alive(int(process)):
            with suppress(OSError):
                _delete(file)


def _delete(path: Path) -> None:
    """Delete a file, or a folder with its files, where there is one."""
    if path.is_dir() and not path.is_symlink():
        rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
