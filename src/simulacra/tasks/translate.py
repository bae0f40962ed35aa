"""Translate image files of any size, and write the results.

A large image is translated in overlapping tiles: `MARGIN` border pixels of each are discarded, and the rest
is blended linearly, so that nets with a smaller receptive field give the same image as in one piece. Instance
norm uses the statistics of the whole image shrunk to one tile, so that tiles have consistent colours. Only
one row of tiles is held in floating point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Translates
from simulacra.core.noise import Noise
from simulacra.data.images.decode import BadImage, ImageWithAlpha, header
from simulacra.data.images.files import is_image_file, open_image_files
from simulacra.errors import ConfigError, DataError, RunError, printable
from simulacra.files import replacing
from simulacra.tasks.tiling import normalised_alike

# Pixels. A tile of 512 takes nine residual blocks of 256 channels 300 MB. Tiles begin at multiples of ALIGN,
# where nets that halve a picture up to 7 times halve the whole picture, too.
TILE, OVERLAP, MARGIN, ALIGN = 512, 128, 32, 128

# ending -> PIL's name of the format, whether it keeps transparency, and how it is written
WRITTEN: dict[str, tuple[str, bool, dict[str, Any]]] = {
    ".png": ("PNG", True, {}),
    ".webp": ("WEBP", True, {"quality": 95}),
    ".jpg": ("JPEG", False, {"quality": 95}),
    ".jpeg": ("JPEG", False, {"quality": 95}),
    ".bmp": ("BMP", False, {}),
}


@dataclass(frozen=True)
class Job:
    """A picture file, and the files of its translations, one for every variant."""

    source: Path
    outs: tuple[Path, ...]


class Strip(NamedTuple):
    """Rows or columns `start` to `stop` of a picture, and the weight of each, `(stop - start,)`."""

    start: int
    stop: int
    weights: Tensor


def strips(length: int, tile: int) -> list[Strip]:
    """Overlapping strips of at most `tile` pixels, a multiple of `ALIGN`; everywhere weights add up to 1.

    >>> [(strip.start, strip.stop) for strip in strips(1000, tile=512)]
    [(0, 512), (256, 768), (512, 1000)]
    """
    if length <= tile:
        return [Strip(0, length, torch.ones(length))]
    last = ceil((length - tile) / ALIGN)
    steps = ceil(last * ALIGN / (tile - OVERLAP))
    starts = [i * last // steps * ALIGN for i in range(steps + 1)]
    stops = [*(start + tile for start in starts[:-1]), length]
    y = torch.arange(length) + 0.5
    # r_i(y), from 0 to 1 inside of what strips i - 1 and i share; the weights r_i - r_i+1 add up to 1
    rises = [torch.ones(length)]
    for start, stop in zip(starts[1:], stops, strict=False):
        a, b = start + MARGIN, stop - MARGIN
        rises.append(((y - a) / (b - a)).clamp(0, 1))
    rises.append(torch.zeros(length))
    return [
        Strip(start, stop, (rises[i] - rises[i + 1])[start:stop])
        for i, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]


@torch.no_grad()
def translated(model: Translates, x: np.ndarray, seed: int = 0, to: str | None = None) -> np.ndarray:
    """The translation of one image of any size, uint8 `(C, H, W)` to uint8 `(C', H, W)`.

    Sides shorter than those the model was trained on are mirrored up to them.

    Args:
        model: one that translates.
        x: the image, of as many channels as the model takes.
        seed: of the noise; every tile has the same, so that the picture is of one style.
        to: the domain, where there is a choice.

    >>> from simulacra.models.cyclegan.model import CycleGAN
    >>> from simulacra.models.cyclegan.card import CycleGANConfig
    >>> from simulacra.data.spec import DataSpec
    >>> spec = DataSpec("image", (3, 32, 32), classes=("horse", "zebra"))
    >>> model = CycleGAN(spec, CycleGANConfig(width=8, blocks=1)).eval()
    >>> translated(model, np.zeros((3, 20, 50), np.uint8)).shape
    (3, 20, 50)
    """
    _, h, w = x.shape
    known = model.spec.shape[1:]
    x = _mirrored(x, known)
    tile = max(TILE, ceil(max(known) / ALIGN) * ALIGN)
    rows, columns = strips(x.shape[1], tile), strips(x.shape[2], tile)

    def translate(x: np.ndarray) -> Tensor:
        return model.translate(tensor(x[None], model.device), Noise(seed), to)[0].cpu()

    with ExitStack() as stack:
        if len(rows) + len(columns) > 2 and isinstance(model, nn.Module):
            stack.enter_context(normalised_alike(model, lambda: translate(_thumbnail(x, tile, known))))
        finished, begun = [], torch.zeros(())
        for i, row in enumerate(rows):
            band = torch.zeros(())
            for column in columns:
                y = translate(x[:, row.start : row.stop, column.start : column.stop])
                if band.ndim == 0:
                    band = torch.zeros(len(y), row.stop - row.start, x.shape[2])
                band[:, :, column.start : column.stop] += y * row.weights[:, None] * column.weights
            if i > 0:
                band[:, : begun.shape[1]] += begun
            done = rows[i + 1].start - row.start if i + 1 < len(rows) else len(row.weights)
            finished.append(to_bytes(band[:, :done]))
            begun = band[:, done:]
    return np.concatenate(finished, axis=1)[:, :h, :w]


def _thumbnail(x: np.ndarray, most: int, known: Sequence[int]) -> np.ndarray:
    """An image `(C, H, W)` with means of k by k pixels for pixels, so that no side is longer than `most`."""
    _, h, w = x.shape
    k = ceil(max(h, w) / most)
    # a row at a time: a picture is held as bytes alone
    rows = np.stack([x[:, i : i + k].sum(axis=1, dtype=np.int64) for i in range(0, h, k)], axis=1)
    sums = np.add.reduceat(rows, range(0, w, k), axis=2)
    # fewer pixels at the lower and right edge
    counts = np.multiply.outer(*(np.minimum(k, side - np.arange(0, side, k)) for side in (h, w)))
    return _mirrored((sums / counts).round().astype(np.uint8), known)


def _mirrored(x: np.ndarray, known: Sequence[int]) -> np.ndarray:
    """Continued at the lower and right edge to the height and width known to a model."""
    below, right = (max(0, side - own) for side, own in zip(known, x.shape[1:], strict=True))
    return np.pad(x, ((0, 0), (0, below), (0, right)), mode="reflect")


def translated_image(
    model: Translates, image: Image.Image, seed: int = 0, to: str | None = None
) -> Image.Image:
    """As `translated`, of an image of mode L or RGB, grey or in colour as the model gives it."""
    x = np.asarray(image.convert("L" if model.spec.shape[0] == 1 else "RGB"))
    y = translated(model, x[None] if x.ndim == 2 else x.transpose(2, 0, 1), seed, to)
    return Image.fromarray(y[0] if len(y) == 1 else y.transpose(1, 2, 0))


@torch.no_grad()
def varies(model: Translates, to: str | None = None) -> bool:
    """Whether noise changes a translation, tried on noise."""
    x = Noise(0).uniform(1, *model.spec.shape).to(model.device)
    one, other = (model.translate(x, Noise(seed), to) for seed in (0, 1))
    return not torch.equal(one, other)


def write(image: Image.Image, original: ImageWithAlpha, file: Path, overwrite: bool = True) -> None:
    """Write a translation whole or not at all, in the format of the file's ending.

    It has the original's transparency where the format keeps any, and its colour profile where it fits.

    Raises:
        RunError: it could not be written, or is there and stays without `overwrite`.
    """
    kind, keeps_alpha, options = WRITTEN[file.suffix.lower()]
    if original.profile and original.profile[16:20] == {"L": b"GRAY", "RGB": b"RGB "}[image.mode]:
        options = {**options, "icc_profile": original.profile}
    if original.alpha is not None and keeps_alpha:
        image = image.copy()
        image.putalpha(original.alpha)
    with replacing(file, overwrite) as temporary:
        image.save(temporary, kind, **options)


class Plan(NamedTuple):
    """What to translate.

    Attributes:
        jobs: those of which a translation is missing.
        bad: of each file that cannot be used the reason.
        there: how many other pictures are translated already.
    """

    jobs: list[Job]
    bad: dict[Path, str]
    there: int


def plan(inputs: Sequence[Path], out: Path, variants: int, overwrite: bool = False) -> Plan:
    """What to translate, and where each translation goes below the folder `out`.

    A file keeps its name, a file of a folder its path below it. With several variants they are numbered,
    `name-1.png` and so on. A format that keeps no transparency, or that is not written, becomes PNG. What is
    there stays as it is, so that the same call again goes on; with `overwrite` it is made again.

    Raises:
        ConfigError: `out` is a file.
        DataError: two inputs have one name, or a folder holds no pictures.
        RunError: an input would be overwritten.
    """
    if out.is_file() or (is_image_file(out.name) and not out.is_dir()):
        raise ConfigError(f"out: {out} is a file; give a folder")
    jobs: list[Job] = []
    bad: dict[Path, str] = {}
    planned: dict[Path, Path] = {}
    numbers = [f"-{k + 1}" for k in range(variants)] if variants > 1 else [""]
    for source, name in _found(inputs, out):
        try:
            name = _written(name, header(source).alpha)
        except BadImage as error:
            bad[source] = str(error)
            continue
        outs = tuple(out / name.with_name(f"{name.stem}{number}{name.suffix}") for number in numbers)
        if (other := next((planned[file] for file in outs if file in planned), None)) is None:
            planned |= dict.fromkeys(outs, source)
            jobs.append(Job(source, outs))
        elif not other.samefile(source):
            raise DataError(
                f"{display(other)} and {display(source)} would both become {display(outs[0])};"
                " give them in two calls, each with its own --out"
            )
    missing = [job for job in jobs if overwrite or not all(map(exists, job.outs))]
    _refuse_overwriting(planned)
    return Plan(missing, bad, len(jobs) - len(missing))


def display(path: Path) -> str:
    """A path in a message, with control characters escaped."""
    return printable(str(path))


def skipped_files(inputs: Sequence[Path], out: Path) -> dict[Path, Counter[str]]:
    """Of each folder that holds files which `plan` passes over, how many of which ending they are."""
    given = {path.resolve() for path in inputs}
    found: dict[Path, Counter[str]] = {}
    for folder in filter(Path.is_dir, inputs):
        _, others = _inside(folder, out)
        names = [name for name in others if (folder / name).resolve() not in given]
        if names:
            found[folder] = Counter(name.suffix.lower() for name in names)
    return found


def _found(inputs: Sequence[Path], out: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Every input file, and its path below the folder it was found in."""
    for path in inputs:
        if path.is_dir():
            yield from ((path / name, name) for name in _inside(path, out)[0])
        else:
            yield path, PurePosixPath(path.name)


def _inside(folder: Path, out: Path) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """The pictures of a folder, and its other files, by their paths below it."""
    with open_image_files(display(folder), str(folder)) as pictures:
        names, others = ([PurePosixPath(n) for n in found] for found in (pictures.names, pictures.others))
    # what a call before has written is no input: photos --out photos/translated
    around, written = folder.resolve(), out.resolve()
    if around in written.parents:
        own = written.relative_to(around).as_posix()
        names, others = ([n for n in found if not n.is_relative_to(own)] for found in (names, others))
    return names, others


def _written(name: PurePosixPath, alpha: bool) -> PurePosixPath:
    """The name with an ending whose format is written, and keeps transparency where there is any."""
    _, keeps_alpha, _ = WRITTEN.get(name.suffix.lower(), ("", False, {}))
    known = name.suffix.lower() in WRITTEN
    return name if known and (keeps_alpha or not alpha) else name.with_suffix(".png")


def _refuse_overwriting(planned: Mapping[Path, Path]) -> None:
    existing = [file for file in planned if exists(file)]
    sources = {source.resolve() for source in planned.values()}
    if inputs := [file for file in existing if file.resolve() in sources]:
        raise RunError(
            f"{display(inputs[0])}: is one of the inputs, which are never overwritten; choose another --out"
        )


def exists(file: Path) -> bool:
    """Whether writing a file would replace one."""
    return file.exists() or file.is_symlink()
