"""Edit examples: encode them, move their latents along a direction, and decode them again.

Pictures are edited many at a time, each batch in a thread of its own: it reads the files, runs the nets, and
writes the results. Reading and writing then never wait for the nets, and nets of one thread each make more of
a processor's cores than one after the other on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import chain
from math import isfinite, prod
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from simulacra.core.batch import PIXELS, tensor, to_bytes
from simulacra.core.capabilities import Decodes, Encodes
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.data.images.decode import BadImage, Header, ImageWithAlpha
from simulacra.data.images.parallel import parallel
from simulacra.data.images.resize import centre_square
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, LimitError, RunError
from simulacra.files import clear_leftovers, replacing
from simulacra.latent.directions import Direction
from simulacra.limits import CONFIG_BYTES, check_memory, read_bytes
from simulacra.tasks.picture_files import Job, Picture, exists, fit_to_model, plan, write

STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
# strengths of one call
MOST = 1000
# Pictures that one thread edits at a time: nets of one thread are not faster with more.
BATCH = 32
# in a folder of edits, what they are of
RECORD = ".edits.json"
# PNGs are written fast: of 64 px the files are a tenth larger than by default, in half the time
FAST = {"compress_level": 1}


def edit(model: Any, x: Any, direction: Direction, strengths: Sequence[float] | float = STRENGTHS) -> Tensor:
    """Examples with their latents moved along a direction: the means of p(x | z + s v), z of q(z | x).

    At strength 0 they are the reconstructions.

    Args:
        model: a trained model that encodes and decodes.
        x: examples, as `model.encode` takes them.
        direction: v, in one of the model's latent spaces.
        strengths: each s; one, or several.

    Returns:
        `(N, S, C, H, W)` in [0, 1] or `(N, S, D)`: of each example an edit for each strength.

    Raises:
        SimulacraError: the subclass says what is at fault: the model, the examples, the direction, or a
            strength.

    >>> import tempfile, simulacra as sim
    >>> data = sim.load_data("digits")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = sim.train("pca", data, f"{folder}/run", latent_dim=4)
    >>> direction = Direction("first", "z", torch.tensor([1.0, 0.0, 0.0, 0.0]), "pca")
    >>> y = edit(model, data.test.x[:3], direction, [-1, 0, 1])
    >>> y.shape, torch.equal(y[:, 1], model.reconstruct(data.test.x[:3]))
    (torch.Size([3, 3, 1, 8, 8]), True)
    """
    if not isinstance(direction, Direction):
        raise ConfigError(
            f"direction: must be a Direction, not {direction!r}; sim.direction finds one,"
            " simulacra.latent.directions.load reads one of a run"
        )
    if not (isinstance(model, Encodes) and isinstance(model, Decodes)):
        missing = Decodes.missing if isinstance(model, Encodes) else Encodes.missing
        raise RunError(f"this {type(model).__name__} {missing}")
    direction.check(model)
    values = check_strengths(strengths)
    _check_memory(len(x), len(values), model.spec)
    size = _chunk(model.spec, CHUNK)
    with torch.no_grad(), eval_mode(model):
        parts = []
        # an empty x is refused by `encode`
        for start in range(0, max(1, len(x)), size):
            z = model.encode(x[start : start + size], direction.space).mean
            parts.append(torch.stack(list(_moved(model, z, direction, values)), dim=1))
        return torch.cat(parts)


def edit_latents(
    model: Decodes, z: Tensor, direction: Direction, strengths: Sequence[float] | float = STRENGTHS
) -> Tensor:
    """As `edit`, of latents `(N, *shape of the direction's space)`, for models without an encoder."""
    direction.check(model)
    values = check_strengths(strengths)
    _check_memory(len(z), len(values), model.spec)
    with torch.no_grad(), eval_mode(model):
        parts = [
            torch.stack(list(_moved(model, part, direction, values)), dim=1)
            for part in z.to(model.device, model.dtype).split(_chunk(model.spec, CHUNK))
        ]
        return torch.cat(parts)


def _moved(model: Decodes, z: Tensor, direction: Direction, strengths: Sequence[float]) -> Iterator[Tensor]:
    """The decoded means of a batch at each strength, in the batches of `reconstruct`: of 0 the same bits."""
    for strength in strengths:
        yield model.decode(direction.apply(z, strength), direction.space).mean


def _chunk(spec: DataSpec, most: int) -> int:
    """Examples at a time."""
    return max(1, min(most, PIXELS // prod(spec.shape[1:])))


def _check_memory(n: int, strengths: int, spec: DataSpec) -> None:
    needed = 2 * 4 * n * strengths * prod(spec.shape)
    check_memory(needed, f"{n:,} examples at {strengths} strengths", "edit fewer at a time")


def check_strengths(strengths: Sequence[float] | float) -> tuple[float, ...]:
    """Strengths as floats.

    Raises:
        ConfigError: there is none, or one is not a finite number.
    """
    try:
        # -0 is 0
        values = tuple(float(s) + 0.0 for s in np.atleast_1d(np.asarray(strengths, dtype=np.float64)))
    except (TypeError, ValueError):
        raise ConfigError(f"strengths: must be numbers, e.g. [-1, 0, 1], not {strengths!r}") from None
    if not values or not all(map(isfinite, values)):
        raise ConfigError(f"strengths: must be finite numbers, at least one, not {strengths!r}")
    return values


def parse_strengths(text: str, steps: int) -> tuple[float, ...]:
    """The strengths that a person writes: a range, a list or one. A range has at most 4 digits each.

    >>> parse_strengths("-2..2", 5), parse_strengths("-1,0.5", 5), parse_strengths("0..1", 4)
    ((-2.0, -1.0, 0.0, 1.0, 2.0), (-1.0, 0.5), (0.0, 0.3333, 0.6667, 1.0))

    Raises:
        ConfigError: it cannot be read, or two strengths are the same.
    """
    ends = text.split("..")
    if len(ends) > 2:
        raise ConfigError(f"strength: cannot read '{text}'; a range has two ends, e.g. -2..2")
    if len(ends) == 2 and not 2 <= steps <= MOST:
        raise ConfigError(f"steps: must be from 2 to {MOST}, not {steps}")
    try:
        # decimals, so that 0 in the middle is 0
        numbers = [Decimal(part.strip()) for part in (ends if len(ends) == 2 else text.split(","))]
        if len(ends) == 2:
            low, high = numbers
            numbers = [low + (high - low) * k / (steps - 1) for k in range(steps)]
            numbers = [Decimal(f"{number:.4g}") for number in numbers]
        values = check_strengths([float(number) for number in numbers])
    except (ArithmeticError, ValueError):
        raise ConfigError(f"strength: cannot read '{text}'; write e.g. -2..2, or -1,0,1, or 1.5") from None
    if len(set(map(strength_name, values))) < len(values):
        raise ConfigError(f"strength: '{text}' has a strength twice; leave one out, or take fewer --steps")
    return values


def strength_name(strength: float) -> str:
    """How a strength is written, e.g. `+1.5`; 0 has no sign.

    >>> strength_name(1.5), strength_name(-2), strength_name(-0.0)
    ('+1.5', '-2', '0')
    """
    return f"{strength:+g}" if strength else "0"


@dataclass(frozen=True)
class Example(Picture):
    """An example of a source of images, in the place of a file.

    Attributes:
        x: uint8 `(C, H, W)`.
    """

    x: np.ndarray = field(kw_only=True, compare=False, repr=False)

    def open(self) -> ImageWithAlpha:
        return ImageWithAlpha(_image(self.x), None, None)

    def header(self) -> Header:
        channels, height, width = self.x.shape
        return Header(width, height, channels == 1)

    def same(self, other: Picture) -> bool:
        return self is other


def examples(source: str, x: np.ndarray, names: Sequence[str]) -> Iterator[Example]:
    """The examples of a source of images `(N, C, H, W)`, uint8, with the names of their files."""
    for one, name in zip(x, names, strict=True):
        yield Example(Path(source) / name, PurePosixPath(name), x=one)


class Edited(NamedTuple):
    """What became of a picture.

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


def read_picture(spec: DataSpec, picture: Picture) -> tuple[np.ndarray | None, ImageWithAlpha | None, Edited]:
    """A picture as a model takes it, uint8 `(C, H, W)`, whole, and in which way they differ.

    Both are None if it cannot be used.
    """
    try:
        original = picture.open()
        x = fit_to_model(original.image, spec)
    except BadImage as error:
        return None, None, Edited(picture.path, str(error))
    channels, height, width = spec.shape
    image = original.image
    resized = image.size != (width, height)
    cropped = resized and image.width != image.height
    return x, original, Edited(picture.path, "", resized, cropped, (image.mode == "L") != (channels == 1))


def _image(x: np.ndarray) -> Image.Image:
    """uint8 `(C, H, W)` as an image of mode L or RGB."""
    return Image.fromarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0))


def placed(edited: Image.Image, original: Image.Image) -> Image.Image:
    """An edit at the size of its original: resized to the middle square, and put into it.

    >>> whole = placed(Image.new("L", (8, 8), 255), Image.new("RGB", (20, 10)))
    >>> whole.size, whole.getpixel((4, 5)), whole.getpixel((5, 5))
    ((20, 10), 0, 255)
    """
    if edited.size == original.size:
        return edited
    box = centre_square(*original.size)
    side = box[2] - box[0]
    square = edited.resize((side, side), Image.Resampling.BICUBIC)
    if square.size == original.size:
        return square
    whole = original.convert(edited.mode)
    # of its own mode an image converts to itself
    whole = whole.copy() if whole is original else whole
    whole.paste(square, box[:2])
    return whole


def edit_files(
    model: Any, jobs: Sequence[Job], direction: Direction, strengths: Sequence[float], overwrite: bool
) -> Iterator[Edited]:
    """Edit pictures and write what is missing of their files, one for each strength.

    An edit has the size of its original, its transparency and its colour profile. When it is left early, the
    batches that were begun are finished.

    Args:
        model: encodes and decodes, in several threads at once.
        jobs: the pictures, each with as many files as there are strengths.
        direction: in one of its latent spaces.
        strengths: of the edits.
        overwrite: whether to write files that are there already.

    Yields:
        What became of each picture.

    Raises:
        RunError: a file could not be written.
    """
    direction.check(model)
    size = _chunk(model.spec, BATCH)
    batches = [jobs[start : start + size] for start in range(0, len(jobs), size)]
    threads = torch.get_num_threads()
    work = partial(_edit_batch, model, direction, strengths, overwrite)
    try:
        with eval_mode(model):
            yield from chain.from_iterable(parallel(work, batches))
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _edit_batch(
    model: Any,
    direction: Direction,
    strengths: Sequence[float],
    overwrite: bool,
    jobs: Sequence[Job],
) -> list[Edited]:
    # of this thread alone, and of those that are started later
    torch.set_num_threads(1)
    done: list[Edited] = []
    read: list[tuple[Job, np.ndarray, ImageWithAlpha | None, Edited]] = []
    for job in jobs:
        image, original, one = read_picture(model.spec, job.source)
        if image is None:
            done.append(one)
        else:
            # large ones are read again rather than kept
            read.append((job, image, None if one.resized else original, one))
    if not read:
        return done
    x = tensor(np.stack([image for _, image, _, _ in read]), model.device)
    z = model.encode(x, direction.space).mean
    edits = [to_bytes(decoded) for decoded in _moved(model, z, direction, strengths)]
    for i, (job, _, original, one) in enumerate(read):
        try:
            whole = original or job.source.open()
        except BadImage as error:
            done.append(Edited(one.path, str(error)))
            continue
        for edit, file in zip(edits, job.outs, strict=True):
            if overwrite or not exists(file):
                write(placed(_image(edit[i]), whole.image), whole, file, FAST, overwrite)
        done.append(one)
    return done


def claim(out: Path, made: Mapping[str, Any], overwrite: bool = False) -> None:
    """Record in a folder which edits it holds, so that no other files are taken for them.

    Args:
        out: the folder.
        made: what the edits depend on, plain values.
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
            if there == made:
                return
            raise RunError(
                f"{out}: holds edits of another direction, of other strengths or of other samples; choose"
                " another --out, or replace them with --overwrite"
            )
        if next(out.iterdir(), None) is not None:
            raise RunError(f"{out}: is not empty; choose another --out, or write into it with --overwrite")
    with replacing(record) as file:
        file.write_text(json.dumps(made) + "\n", encoding="utf-8")


def write_edits(
    y: Tensor,
    names: Sequence[str],
    out: Path,
    suffixes: Sequence[str],
    made: Mapping[str, Any],
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write what is missing of edits of images `(N, S, C, H, W)`, a file for each.

    Args:
        y: in [0, 1].
        names: of files, one for each of the N.
        out: their folder.
        suffixes: one for each of the S.
        made: what they depend on, for `claim`.
        overwrite: whether to write files that are there already.

    Returns:
        How many of the N were written, and how many were there.
    """
    images = {name: to_bytes(each) for name, each in zip(names, y, strict=True)}
    firsts = np.stack([each[0] for each in images.values()])
    jobs, _, there = plan(examples("", firsts, names), out, suffixes, overwrite)
    claim(out, made, overwrite)
    for job in jobs:
        original = job.source.open()
        for x, file in zip(images[job.source.name.as_posix()], job.outs, strict=True):
            if overwrite or not exists(file):
                write(_image(x), original, file, FAST, overwrite)
    return len(jobs), there
