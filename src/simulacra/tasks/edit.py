"""Edit examples: encode them, move their latents along a direction, and decode them again.

Pictures are edited many at a time, each batch in a thread of its own: it reads the files, runs the nets, and
writes the results. Reading and writing then never wait for the nets, and nets of one thread each make more of
a processor's cores than one after the other on all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from itertools import chain
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import PIXELS, tensor, to_bytes
from simulacra.core.capabilities import Decodes, Encodes
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.data.images.decode import BadImage, ImageWithAlpha
from simulacra.data.images.parallel import parallel
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.latent.directions import Direction
from simulacra.latent.project import decode
from simulacra.limits import check_memory
from simulacra.tasks.picture_files import (
    FAST,
    Fitted,
    Job,
    Picture,
    claim,
    exists,
    placed,
    plan,
    read_picture,
    to_image,
    write,
)

STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
# how messages describe what else a folder may hold
OTHERS = "edits of another direction, of other strengths or of other samples"
# strengths of one call
MOST = 1000
# Pictures that one thread edits at a time: nets of one thread are not faster with more.
BATCH = 32


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
    model: Decodes,
    z: Tensor,
    direction: Direction,
    strengths: Sequence[float] | float = STRENGTHS,
    noise: Sequence[Tensor] = (),
) -> Tensor:
    """As `edit`, of latents `(N, *shape of the direction's space)`, for models without an encoder.

    Args:
        model: decodes them.
        z: the latents.
        direction: in their space.
        strengths: each s; one, or several.
        noise: noise maps of each latent `(N, 1, H, W)`, of a model with styles; its own for none.
    """
    direction.check(model)
    values = check_strengths(strengths)
    _check_memory(len(z), len(values), model.spec)
    with torch.no_grad(), eval_mode(model):
        size, parts = _chunk(model.spec, CHUNK), []
        for start in range(0, len(z), size):
            rows = slice(start, start + size)
            part, maps = z[rows].to(model.device, model.dtype), [one[rows] for one in noise]
            parts.append(torch.stack(list(_moved(model, part, direction, values, maps)), dim=1))
        return torch.cat(parts)


def _moved(
    model: Decodes,
    z: Tensor,
    direction: Direction,
    strengths: Sequence[float],
    noise: Sequence[Tensor] = (),
) -> Iterator[Tensor]:
    """The decoded means of a batch at each strength, in the batches of `reconstruct`: of 0 the same bits."""
    for strength in strengths:
        yield decode(model, direction.apply(z, strength), direction.space, noise)


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


def edit_files(
    model: Any, jobs: Sequence[Job], direction: Direction, strengths: Sequence[float], overwrite: bool
) -> Iterator[Fitted]:
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
) -> list[Fitted]:
    # of this thread alone, and of those that are started later
    torch.set_num_threads(1)
    done: list[Fitted] = []
    read: list[tuple[Job, np.ndarray, ImageWithAlpha | None, Fitted]] = []
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
            done.append(Fitted(one.path, str(error)))
            continue
        for edit, file in zip(edits, job.outs, strict=True):
            if overwrite or not exists(file):
                write(placed(to_image(edit[i]), whole.image), whole, file, FAST, overwrite)
        done.append(one)
    return done


def write_edits(
    y: Tensor,
    pictures: Sequence[Picture],
    out: Path,
    suffixes: Sequence[str],
    settings: Mapping[str, Any],
    overwrite: bool = False,
) -> tuple[int, int]:
    """Write what is missing of edits of images `(N, S, C, H, W)`, a file for each.

    Args:
        y: in [0, 1].
        pictures: the N images, whose names and sizes the edits have.
        out: their folder.
        suffixes: one for each of the S.
        settings: what they depend on, for `claim`.
        overwrite: whether to write files that are there already.

    Returns:
        How many of the N were written, and how many were there.
    """
    edits = {picture.path: to_bytes(each) for picture, each in zip(pictures, y, strict=True)}
    jobs, _, there = plan(pictures, out, suffixes, overwrite)
    claim(out, settings, OTHERS, overwrite)
    for job in jobs:
        original = job.source.open()
        for x, file in zip(edits[job.source.path], job.outs, strict=True):
            if overwrite or not exists(file):
                write(placed(to_image(x), original.image), original, file, FAST, overwrite)
    return len(jobs), there
