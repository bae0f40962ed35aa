"""The image files of a folder or a .zip: their names, their bytes, and a fingerprint of each."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol, TypeVar

from simulacra import limits
from simulacra.data.images.decode import BadImage, Unreadable
from simulacra.data.paths import find
from simulacra.errors import DataError, LimitError, printable

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

A = TypeVar("A")
B = TypeVar("B")


class ImageFiles(Protocol):
    """The image files of one source.

    Attributes:
        names: relative paths with `/`, sorted.
        others: likewise, of the other files that are not hidden.
    """

    names: list[str]
    others: list[str]

    def read(self, name: str) -> bytes:
        """All bytes of a file.

        Raises:
            BadImage: it is a pipe or a device, or too large.
            Unreadable: they could not be had.
        """

    def fingerprint(self, name: str) -> bytes:
        """Changes when the file's content does; empty when the file cannot be read."""

    def text(self, name: str, most: int) -> bytes | None:
        """The bytes of another file, None when there is none of that name.

        Raises:
            BadImage: there are more than `most`.
            Unreadable: they could not be had.
        """


@contextmanager
def open_image_files(title: str, path: str) -> Iterator[ImageFiles]:
    """The images of a folder or a .zip; errors begin with `title`, the source as the user wrote it.

    Hidden files and `__MACOSX` are left out. Nothing is ever extracted to disk.

    Raises:
        DataError: the path is missing, neither a folder nor a .zip, damaged, unsafe, or holds no images.
    """
    if not path:
        raise DataError(f"{title}: no path is given; write {title}PATH with a folder or a .zip of images")
    place = find(path)
    with ExitStack() as stack:
        try:
            files = _open(title, path, place, stack)
        except LimitError as error:
            raise DataError(f"{title}: '{path}': {error}") from error
        # a damaged or hostile directory gives errors of many types
        except (
            zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, LookupError, struct.error,
        ) as error:  # fmt: skip
            raise DataError(
                f"{title}: '{path}' is not a complete .zip ({error}); download or pack it again"
            ) from error
        except OSError as error:
            where = printable(str(error.filename or path))
            raise DataError(f"{title}: '{where}' cannot be read ({error.strerror or error})") from error
        if not files.names:
            raise DataError(f"{title}: no images found; add {', '.join(SUFFIXES)} files")
        yield files


def is_image_file(name: str) -> bool:
    """Whether a relative path has an image's suffix and is not hidden.

    >>> is_image_file("cats/1.JPG"), is_image_file("__MACOSX/._1.jpg"), is_image_file("notes.txt")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not _hidden(path)


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _sorted_out(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """ImageFiles, and other files."""
    images: list[str] = []
    others: list[str] = []
    for name in sorted(names):
        if is_image_file(name):
            images.append(name)
        elif not _hidden(PurePosixPath(name)):
            others.append(name)
    return images, others


def _open(title: str, path: str, place: Path, stack: ExitStack) -> ImageFiles:
    if place.is_dir():
        return _Folder(place)
    if not place.exists():
        raise DataError(f"{title}: there is no '{path}'; check the path")
    if place.suffix.lower() != ".zip":
        raise DataError(f"{title}: '{path}' is neither a folder nor a .zip of images")
    limits.check_zip(place, limits.ZIP_ENTRIES)
    return _Zip(title, stack.enter_context(zipfile.ZipFile(place)))


class _Folder:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._seen: dict[str, bytes] = {}
        self.names, self.others = _sorted_out(self._walk())

    def _walk(self) -> Iterator[str]:
        def fail(error: OSError) -> None:
            raise error

        for walked, subfolders, files in os.walk(self.root, onerror=fail, followlinks=True):
            folder = Path(walked)
            here = folder.resolve()
            # a link to a folder that holds it would go round for ever
            subfolders[:] = [
                sub
                for sub in subfolders
                if not sub.startswith(".") and not here.is_relative_to((folder / sub).resolve())
            ]
            relative = folder.relative_to(self.root)
            yield from ((relative / file).as_posix() for file in files)

    def read(self, name: str) -> bytes:
        return self._read(name, limits.IMAGE_BYTES)

    def _read(self, name: str, most: int) -> bytes:
        try:
            raw = limits.read_bytes(self.root / name, most)
        except LimitError as error:
            raise BadImage(str(error)) from error
        except OSError as error:
            raise Unreadable(f"cannot be read ({error.strerror or error})") from error
        if name in self._seen and blake2b(raw, digest_size=16).digest() != self._seen[name]:
            raise Unreadable("changed while it was being read")
        return raw

    def fingerprint(self, name: str) -> bytes:
        # Of the bytes, not of size and time: copying and unpacking keep the time of another file, and two
        # changes within one tick of the clock have the same one. It costs about a second a gigabyte.
        try:
            with limits.open_regular(self.root / name, limits.IMAGE_BYTES) as file:
                digest = blake2b(digest_size=16)
                while block := file.read(2**20):
                    digest.update(block)
        except (OSError, LimitError):
            return b""
        self._seen[name] = digest.digest()
        return self._seen[name]

    def text(self, name: str, most: int) -> bytes | None:
        return self._read(name, most) if (self.root / name).exists() else None


class _Zip:
    def __init__(self, title: str, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        named = [info for info in archive.infolist() if info.filename]
        self._members = {info.filename: info for info in named if not info.is_dir()}
        for info in archive.infolist():
            path = PureWindowsPath(info.filename)  # knows both separators and drive letters
            if ".." in path.parts or path.root or path.drive:
                raise DataError(
                    f"{title}: the .zip holds an unsafe entry '{printable(info.filename)}' that points "
                    "outside it, so nothing is read; pack the images again"
                )
        self.names, self.others = _sorted_out(self._members)

    def read(self, name: str) -> bytes:
        return self._read(name, limits.IMAGE_BYTES)

    def _read(self, name: str, most: int) -> bytes:
        info = self._members[name]
        if info.flag_bits & 1:
            raise BadImage("encrypted")
        try:
            return limits.read_entry(self._archive, info, most)
        except LimitError as error:
            raise BadImage(str(error)) from error
        except NotImplementedError as error:
            raise BadImage("compressed with an unsupported method") from error
        except MemoryError:
            raise
        # zipfile meets damage with errors of almost every type
        except Exception as error:
            raise Unreadable("damaged in the .zip") from error

    def fingerprint(self, name: str) -> bytes:
        # The directory's checksum and size: reading verifies the checksum, so that images that were read
        # are those it names. What fails to verify is Unreadable and never cached.
        info = self._members[name]
        return b"%08x %d" % (info.CRC, info.file_size)

    def text(self, name: str, most: int) -> bytes | None:
        return self._read(name, most) if name in self._members else None
