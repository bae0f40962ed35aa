"""Picture files as inputs, and the files of what is made of them: names and sizes kept, no input overwritten.

A plan says which files are to be written; what is there already is left out, so that the same call again
goes on.
"""

from __future__ import annotations

import json
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
from simulacra.data.images.resize import centre_square
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, DataError, LimitError, RunError, printable
from simulacra.files import clear_leftovers, replacing
from simulacra.limits import CONFIG_BYTES, read_bytes

# ending -> PIL's name of the format, whether it keeps transparency, and how it is written
WRITTEN: dict[str, tuple[str, bool, dict[str, Any]]] = {
    ".png": ("PNG", True, {}),
    ".webp": ("WEBP", True, {"quality": 95}),
    ".jpg": ("JPEG", False, {"quality": 95}),
    ".jpeg": ("JPEG", False, {"quality": 95}),
    ".bmp": ("BMP", False, {}),
}
# PNGs are written fast: of 64 px the files are a tenth larger than by default, in half the time
FAST = {"compress_level": 1}
# in a folder of results, the settings that they were made with
RECORD = ".settings.json"


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


@dataclass(frozen=True)
class Example(Picture):
    """An example of a source of images, in the place of a file.

    Attributes:
        x: uint8 `(C, H, W)`.
    """

    x: np.ndarray = field(kw_only=True, compare=False, repr=False)

    def open(self) -> ImageWithAlpha:
        return ImageWithAlpha(to_image(self.x), None, None)

    def header(self) -> Header:
        channels, height, width = self.x.shape
        return Header(width, height, channels == 1)

    def same(self, other: Picture) -> bool:
        return self is other


def examples(source: str, x: np.ndarray, names: Sequence[str]) -> Iterator[Example]:
    """The examples of a source of images `(N, C, H, W)`, uint8, with the names of their files."""
    for one, name in zip(x, names, strict=True):
        yield Example(Path(source) / name, PurePosixPath(name), x=one)


class Fitted(NamedTuple):
    """In which way a picture differs from what a model takes, or why it cannot be used.

    Attributes:
        path: of the picture.
        problem: why it could not be read; empty otherwise.
        resized: whether it has another size than the model takes.
        cropped: whether the model takes only its middle square.
        converted: whether the model takes it in colour and it is grey, or the reverse.
    """

    path: Path
    problem: str = ""
    resized: bool = False
    cropped: bool = False
    converted: bool = False


def read_picture(spec: DataSpec, picture: Picture) -> tuple[np.ndarray | None, ImageWithAlpha | None, Fitted]:
    """A picture as a model takes it, uint8 `(C, H, W)`, whole, and in which way they differ.

    Both are None if it cannot be used.
    """
    try:
        original = picture.open()
        x = fit_to_model(original.image, spec)
    except BadImage as error:
        return None, None, Fitted(picture.path, str(error))
    channels, height, width = spec.shape
    image = original.image
    resized = image.size != (width, height)
    cropped = resized and image.width != image.height
    return x, original, Fitted(picture.path, "", resized, cropped, (image.mode == "L") != (channels == 1))


def to_image(x: np.ndarray) -> Image.Image:
    """uint8 `(C, H, W)` as an image of mode L or RGB."""
    return Image.fromarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0))


def placed(image: Image.Image, original: Image.Image) -> Image.Image:
    """An image at the size of the one that it was made of: resized to the middle square, and put into it.

    >>> whole = placed(Image.new("L", (8, 8), 255), Image.new("RGB", (20, 10)))
    >>> whole.size, whole.getpixel((4, 5)), whole.getpixel((5, 5))
    ((20, 10), 0, 255)
    """
    if image.size == original.size:
        return image
    box = centre_square(*original.size)
    side = box[2] - box[0]
    square = image.resize((side, side), Image.Resampling.BICUBIC)
    if square.size == original.size:
        return square
    whole = original.convert(image.mode)
    # of its own mode an image converts to itself
    whole = whole.copy() if whole is original else whole
    whole.paste(square, box[:2])
    return whole


def claim(out: Path, settings: Mapping[str, Any], what: str, overwrite: bool = False) -> None:
    """Record in a folder which settings its files were made with, so that no others are taken for them.

    Args:
        out: the folder.
        settings: what the files depend on, plain values.
        what: how a message describes files of other settings, e.g. `edits of another direction`.
        overwrite: whether to write into a folder that holds something else.

    Raises:
        RunError: it does; or the record cannot be written.
    """
    record = out / RECORD
    if not overwrite and out.is_dir():
        clear_leftovers(out)
        if record.is_file():
            try:
                there = json.loads(read_bytes(record, CONFIG_BYTES))
            except (ValueError, LimitError, OSError):
                there = None
            if there == settings:
                return
            raise RunError(f"{out}: holds {what}; choose another --out, or replace them with --overwrite")
        if next(out.iterdir(), None) is not None:
            raise RunError(f"{out}: is not empty; choose another --out, or write into it with --overwrite")
    with replacing(record) as file:
        file.write_text(json.dumps(settings) + "\n", encoding="utf-8")
