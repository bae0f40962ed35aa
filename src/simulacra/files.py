"""Files that are whole or absent."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryFile

from simulacra.errors import RunError

# errors of a file system without hard links, or without another one for this file
NO_LINKS = (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


@contextmanager
def replacing(path: Path, overwrite: bool = True, one_of_many: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    The block makes a file there, or a folder where `path` is nothing yet. Whatever happens, `path` holds its
    old content or the new one, never a part.

    Args:
        path: the file or folder.
        overwrite: whether a file that is there is replaced. If not, this holds also for one that appeared
            while the block ran; only on a file system without hard links could one that appears in the very
            last moment be lost.
        one_of_many: of thousands of files in a folder. What takes long for each is left out: to wait until it
            is on the disk, for a power failure, and to look for what killed processes left.

    Raises:
        RunError: it could not be written (disk full, no permission), or is there and stays; `path` is as it
            was.
    """
    with replacing_all({path: overwrite}, one_of_many) as (temporary,):
        yield temporary


@contextmanager
def replacing_all(paths: Mapping[Path, bool], one_of_many: bool = False) -> Iterator[list[Path]]:
    """As `replacing`, for files that belong together: if one cannot be written, no new one stays.

    Args:
        paths: each with whether a file that is there is replaced.
        one_of_many: as for `replacing`.
    """
    temporaries = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in paths]
    folders = {path.parent: path.name if len(paths) == 1 else "*" for path in paths}
    # what is deleted if a later step fails, and what is not: the old file is gone
    new, replaced = list(temporaries), set()
    path = next(iter(paths))
    try:
        for folder, name in folders.items():
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise RunError(f"{folder}: the folder cannot be made ({error.strerror})") from error
            if not one_of_many:
                clear_leftovers(folder, name)
        yield temporaries
        for temporary in () if one_of_many else temporaries:
            _synchronise(temporary)
        for path, temporary in zip(paths, temporaries, strict=True):
            if paths[path]:
                temporary.replace(path)
                replaced.add(path)
            else:
                _put(temporary, path)
                new.append(path)
        for folder in () if one_of_many else folders:
            _synchronise(folder)
    # torch.save and safetensors report a full disk as RuntimeError and SafetensorError
    except BaseException as error:
        for each in new:
            with suppress(OSError):
                _delete(each)
        if isinstance(error, FileExistsError) and not paths[path]:
            raise _exists(path) from error
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
        elif isinstance(error, RuntimeError) or type(error).__name__ == "SafetensorError":
            reason = str(error).splitlines()[0]
        else:
            raise
        if path in replaced:
            raise RunError(f"{path}: was written, but may be lost without power ({reason})") from error
        raise RunError(f"{path}: could not be written ({reason}); what was there before is intact") from error


def _put(temporary: Path, path: Path) -> None:
    """Give a file or folder its name, unless there is something of that name.

    Raises:
        FileExistsError: there is.
    """
    # on Windows names are never replaced by a rename, elsewhere only empty folders by folders
    if temporary.is_dir() or os.name == "nt":
        try:
            temporary.rename(path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        return
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.replace(path)
    else:
        temporary.unlink()


def check_unused(*outs: Path, overwrite: bool = False) -> None:
    """Refuse outputs that cannot be written, or would replace something, before any work is done.

    Args:
        outs: files, and folders for files.
        overwrite: whether the user wants to replace what is there.

    Raises:
        RunError: a file exists, a folder is not empty, or one cannot be made.
    """
    for out in outs:
        check_writable(out if out.is_dir() else out.parent)
        if overwrite:
            continue
        if out.is_dir():
            clear_leftovers(out)
            if next(out.iterdir(), None) is not None:
                raise RunError(f"{out}: is not empty; choose another name, or write into it with --overwrite")
        elif os.path.lexists(out):
            raise _exists(out)


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, or written into.

    Raises:
        RunError: nothing can be made in it, or in the nearest folder above it that exists.
    """
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise RunError(f"{there}: is a file; choose another --out")
    # permissions do not say it: root has all of them, also where nobody can write
    try:
        # a file without a name, so that a kill leaves nothing
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise RunError(f"{there}: cannot be written ({error.strerror}); choose another --out") from error


def _exists(path: Path) -> RunError:
    return RunError(f"{path}: exists; choose another name, or replace it with --overwrite")


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


def write_text(path: Path, text: str, overwrite: bool = True) -> None:
    """Write a text file whole or not at all; raises as `replacing`."""
    with replacing(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
