"""Picture files as inputs, and the files of what is made of them: names and sizes kept, no input overwritten.

A plan says which files are to be written; what is there already is left out, so that the same call again
goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from simulacra.data.images.decode import BadImage, Header, ImageWithAlpha, fit, header, open_with_alpha
from simulacra.data.images.files import ImageFiles, is_image_file, open_image_files
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, DataError, RunError, printable
from simulacra.files import clear_leftovers, replacing

# ending -> PIL's name of the format, whether it keeps transparency, and how it is written
WRITTEN: dict[str, tuple[str, bool, dict[str, Any]]] = {
    ".png": ("PNG", True, {}),
    ".webp": ("WEBP", True, {"quality": 95}),
    ".jpg": ("JPEG", False, {"quality": 95}),
    ".jpeg": ("JPEG", False, {"quality": 95}),
    ".bmp": ("BMP", False, {}),
}


@dataclass(frozen=True)
class Picture:
    """A picture file, or one in a .zip.

    Attributes:
        path: where it is, as messages say it.
        name: its path below the folder or the .zip that it was found in; of a file that was given its name.
        archive: the .zip.
    """

    path: Path
    name: PurePosixPath
    archive: ImageFiles | None = field(default=None, compare=False, repr=False)

    def open(self) -> ImageWithAlpha:
        """The picture, decoded.

        Raises:
            BadImage: it is not an image, damaged, too small or too large.
        """
        return open_with_alpha(self._raw())

    def header(self) -> Header:
        """Its size and colour; raises as `open`."""
        return header(self._raw())

    def same(self, other: Picture) -> bool:
        """Whether both are one file."""
        if self.archive is not None or other.archive is not None:
            return self.path == other.path
        return self.path.samefile(other.path)

    def _raw(self) -> bytes | Path:
        return self.path if self.archive is None else self.archive.read(self.name.as_posix())


@dataclass(frozen=True)
class Job:
    """A picture, and the files of what is made of it."""

    source: Picture
    outs: tuple[Path, ...]


class Plan(NamedTuple):
    """What to make.

    Attributes:
        jobs: those of which a file is missing.
        bad: of each file that cannot be used the reason.
        there: how many other pictures are done already.
    """

    jobs: list[Job]
    bad: dict[Path, str]
    there: int


@contextmanager
def open_pictures(inputs: Sequence[Path], out: Path | None = None) -> Iterator[list[Picture]]:
    """The pictures among image files, and in folders and .zip files, which stay open inside.

    Args:
        inputs: files, folders and .zip files.
        out: a folder of which the pictures are no inputs.

    Raises:
        DataError: a folder or a .zip holds no pictures.
        RunError: `out` is one of the inputs.
    """
    with ExitStack() as stack:
        yield list(_found(inputs, out, stack))


def plan(
    pictures: Iterable[Picture], out: Path, suffixes: Sequence[str] = ("",), overwrite: bool = False
) -> Plan:
    """What to make of pictures, and where each result goes below the folder `out`.

    A file keeps its name, a file of a folder or a .zip its path below it, and each suffix follows its stem:
    `name-1.png`. A format that keeps no transparency, or that is not written, becomes PNG. What is there
    stays as it is, so that the same call again goes on; with `overwrite` it is made again.

    Raises:
        ConfigError: `out` is a file.
        DataError: two pictures have one name.
        RunError: a picture would be overwritten.
    """
    check_folder(out)
    jobs, bad = _jobs(pictures, out, suffixes)
    _refuse_overwriting(jobs)
    missing = [job for job in jobs if overwrite or not all(map(exists, job.outs))]
    _clear_leftovers(missing)
    return Plan(missing, bad, len(jobs) - len(missing))


def check_folder(out: Path) -> None:
    """Raises ConfigError where `out` is, or is named like, a file."""
    if out.is_file():
        raise ConfigError(f"out: {out} is a file; give a folder")
    if is_image_file(out.name) and not out.is_dir():
        raise ConfigError(f"out: {out} ends in '{out.suffix}', as a file; give a folder")


def _jobs(
    pictures: Iterable[Picture], out: Path, suffixes: Sequence[str]
) -> tuple[list[Job], dict[Path, str]]:
    """All jobs, and of each picture that cannot be used the reason."""
    jobs: list[Job] = []
    bad: dict[Path, str] = {}
    planned: dict[Path, Picture] = {}
    for picture in pictures:
        try:
            name = _written(picture.name, picture.header().alpha)
        except BadImage as error:
            bad[picture.path] = str(error)
            continue
        outs = tuple(out / name.with_name(f"{name.stem}{suffix}{name.suffix}") for suffix in suffixes)
        if (other := next((planned[file] for file in outs if file in planned), None)) is None:
            planned |= dict.fromkeys(outs, picture)
            jobs.append(Job(picture, outs))
        elif not other.same(picture):
            raise DataError(
                f"{display(other.path)} and {display(picture.path)} would both become {display(outs[0])};"
                " give them in two calls, each with its own --out"
            )
    return jobs, bad


def fit_to_model(image: Image.Image, spec: DataSpec) -> np.ndarray:
    """A decoded image as a model of images takes it, uint8 `(C, H, W)`.

    A model of square images gets the middle square, resized; another one its own size alone.

    Raises:
        BadImage: the model takes another size.
    """
    channels, height, width = spec.shape
    if image.size == (width, height):
        x = np.asarray(image.convert("L" if channels == 1 else "RGB"))
        return np.ascontiguousarray(x.reshape(height, width, channels).transpose(2, 0, 1))
    if height != width:
        raise BadImage(f"{image.width}x{image.height} pixels, but this model takes {width}x{height}")
    return fit(image, height, channels)


def write(
    image: Image.Image,
    original: ImageWithAlpha,
    file: Path,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> None:
    """Write what was made of a picture, whole or not at all, in the format of the file's ending.

    It has the original's transparency where the format keeps any, and its colour profile where it fits.

    Args:
        image: of mode L or RGB, of the original's size.
        original: the picture.
        file: where it is written.
        options: of PIL, besides those of the format.
        overwrite: whether a file that is there is replaced.

    Raises:
        RunError: it could not be written, or is there and stays.
    """
    kind, keeps_alpha, chosen = WRITTEN[file.suffix.lower()]
    chosen = {**chosen, **(options or {})}
    if original.profile and original.profile[16:20] == {"L": b"GRAY", "RGB": b"RGB "}[image.mode]:
        chosen["icc_profile"] = original.profile
    if original.alpha is not None and keeps_alpha:
        image = image.copy()
        image.putalpha(original.alpha)
    with replacing(file, overwrite, one_of_many=True) as temporary:
        image.save(temporary, kind, **chosen)


def display(path: Path) -> str:
    """A path in a message, with control characters escaped."""
    return printable(str(path))


def skipped_files(inputs: Sequence[Path], out: Path) -> dict[Path, Counter[str]]:
    """Of each folder or .zip that holds files which `plan` passes over, how many of which ending they are."""
    given = {path.resolve() for path in inputs}
    found: dict[Path, Counter[str]] = {}
    for place in filter(_holds_pictures, inputs):
        with open_image_files(display(place), str(place)) as pictures:
            _, others = _inside(pictures, place, out)
        names = [name for name in others if (place / name).resolve() not in given]
        if names:
            found[place] = Counter(name.suffix.lower() for name in names)
    return found


def _holds_pictures(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".zip"


def _found(inputs: Sequence[Path], out: Path | None, stack: ExitStack) -> Iterator[Picture]:
    """Every input picture."""
    for path in inputs:
        if out is not None and path.is_dir() and path.resolve() == out.resolve():
            raise RunError(
                f"{display(out)}: is one of the inputs, which would have the results among them; choose"
                " another --out"
            )
        if _holds_pictures(path):
            files = stack.enter_context(open_image_files(display(path), str(path)))
            archive = None if path.is_dir() else files
            yield from (Picture(path / name, name, archive) for name in _inside(files, path, out)[0])
        else:
            yield Picture(path, PurePosixPath(path.name))


def _inside(
    files: ImageFiles, place: Path, out: Path | None
) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """The pictures of a folder or a .zip, and its other files, by their paths below it."""
    names, others = ([PurePosixPath(n) for n in found] for found in (files.names, files.others))
    # what a call before has written is no input: photos --out photos/translated
    around, written = place.resolve(), None if out is None else out.resolve()
    if written is not None and around in written.parents:
        own = written.relative_to(around).as_posix()
        names, others = ([n for n in found if not n.is_relative_to(own)] for found in (names, others))
    return names, others


def _written(name: PurePosixPath, alpha: bool) -> PurePosixPath:
    """The name with an ending whose format is written, and keeps transparency where there is any."""
    _, keeps_alpha, _ = WRITTEN.get(name.suffix.lower(), ("", False, {}))
    known = name.suffix.lower() in WRITTEN
    return name if known and (keeps_alpha or not alpha) else name.with_suffix(".png")


def _refuse_overwriting(jobs: Sequence[Job]) -> None:
    existing = [file for job in jobs for file in job.outs if exists(file)]
    if not existing:
        return
    sources = {job.source.path.resolve() for job in jobs}
    if inputs := [file for file in existing if file.resolve() in sources]:
        raise RunError(
            f"{display(inputs[0])}: is one of the inputs, which are never overwritten; choose another --out"
        )


def _clear_leftovers(jobs: Sequence[Job]) -> None:
    """Delete what killed processes left of the files of jobs."""
    names: dict[Path, set[str]] = {}
    for job in jobs:
        for file in job.outs:
            names.setdefault(file.parent, set()).add(file.name)
    for folder, ours in names.items():
        left = {file.name[1:].rsplit(".", 2)[0] for file in folder.glob(".*.tmp")}
        for name in left & ours:
            clear_leftovers(folder, name)


def exists(file: Path) -> bool:
    """Whether writing a file would replace one."""
    return file.exists() or file.is_symlink()
