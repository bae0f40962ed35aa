"""Project images: their latents in a folder, with what a model decodes them to.

A folder of projections has `latents.safetensors`, which is written after each batch, so that the same command
goes on after a kill; `tuning.safetensors`, where weights were tuned; a picture for each image; and
`pairs.png`, the originals beside their projections.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra import tensors
from simulacra.core.batch import tensor, to_bytes
from simulacra.core.calls import check_examples
from simulacra.core.capabilities import Conditional, Decodes, Encodes, Styles, require
from simulacra.core.inference import CHUNK, eval_mode
from simulacra.core.model import Model
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.images import grid, save_png
from simulacra.latent.directions import Direction
from simulacra.latent.layers import at_layers
from simulacra.latent.project import STEPS, Projection, decode
from simulacra.latent.project import project as optimise
from simulacra.latent.tuning import apply, tune
from simulacra.metrics.reconstruction import psnr
from simulacra.models.registry import short_name
from simulacra.nets.perceptual import perceptual_distance
from simulacra.run import Run
from simulacra.tasks.picture_files import FAST, Job, display, exists, placed, to_image, write

LATENTS, TUNING, PAIRS = "latents.safetensors", "tuning.safetensors", "pairs.png"
# images at a time, at most, and pixels of all of them
BATCH, PIXELS = 16, 2**19
# originals in the picture of pairs
SHOWN = 32


def project(
    model: Any,
    x: Any,
    space: str | None = None,
    *,
    steps: int = STEPS,
    seed: int = 0,
    start: Tensor | None = None,
    learn_noise: bool = False,
) -> Projection:
    """The latents whose decoded images resemble images most: see `simulacra.latent.project`.

    Args:
        model: a trained model of images that decodes.
        x: images, as a model that encodes takes them.
        space: name of the latent space; the default one for None.
        steps: of the optimisation.
        seed: of its start.
        start: latents `(N, *shape)` to start from, e.g. encodings.
        learn_noise: whether to learn noise maps, too, of a model that has some.

    Raises:
        SimulacraError: the subclass says what is at fault: the model, the images, or a setting.

    >>> import simulacra as sim
    >>> model = sim.GAN(sim.DataSpec("image", (1, 8, 8)), sim.MODELS["gan"].Config(latent_dim=4))
    >>> project(model, model.sample(2, seed=1), steps=3).latents.shape
    torch.Size([2, 4])
    """
    if not isinstance(model, Decodes):
        raise RunError(f"this {type(model).__name__} {Decodes.missing}")
    check_images(model)
    if steps < 1:
        raise ConfigError(f"steps: must be at least 1, not {steps}")
    x = check_examples(model, "project: x", x)
    of = model.space(space)
    if start is not None and start.shape != (len(x), *of.shape):
        raise ConfigError(
            f"start: has shape {tuple(start.shape)}, but latents of {len(x)} images in '{of.name}' have"
            f" {(len(x), *of.shape)}"
        )
    parts = []
    for rows in batches(len(x), model):
        first = None if start is None else start[rows]
        parts.append(
            optimise(model, x[rows], space, steps=steps, seed=seed, start=first, learn_noise=learn_noise)
        )
    return joined(parts)


def check_images(model: Model) -> None:
    """Raises DataError for a model that is not one of images."""
    if model.spec.kind != "image":
        raise DataError(f"project: this {type(model).__name__} was trained on vectors, not on images")


def batches(n: int, model: Model) -> list[slice]:
    """Images that are projected at a time, since activations of all layers are kept."""
    size = max(1, min(BATCH, PIXELS // prod(model.spec.shape[1:])))
    return [slice(start, start + size) for start in range(0, n, size)]


def joined(parts: Sequence[Projection]) -> Projection:
    """The projections of several batches as one, on the CPU."""
    noise = zip(*(part.noise for part in parts), strict=True)
    return Projection(
        torch.cat([part.latents.cpu() for part in parts]),
        parts[0].space,
        tuple(torch.cat([maps.cpu() for maps in layer]) for layer in noise),
    )


@dataclass(frozen=True, eq=False)
class ProjectedImages:
    """What a folder of projections holds.

    Attributes:
        names: of the images, in order.
        projection: of all of them.
        settings: that they were made with.
    """

    names: tuple[str, ...]
    projection: Projection
    settings: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.names)

    def save(self, out: Path) -> None:
        """Write the latents, whole or not at all."""
        found = {f"noise.{i}": maps for i, maps in enumerate(self.projection.noise)}
        notes = {"names": self.names, "space": self.projection.space, "settings": self.settings}
        tensors.write(
            out / LATENTS, {"latents": self.projection.latents, **found}, {"projection": json.dumps(notes)}
        )

    def with_more(self, other: ProjectedImages) -> ProjectedImages:
        """These images, and then others that were made with the same settings."""
        both = joined([self.projection, other.projection])
        return ProjectedImages((*self.names, *other.names), both, self.settings)

    def take(self, names: Sequence[str]) -> ProjectedImages:
        """Some of the images, in the order of their names."""
        index = {name: i for i, name in enumerate(self.names)}
        rows = [index[name] for name in names]
        p = self.projection
        part = Projection(p.latents[rows], p.space, tuple(maps[rows] for maps in p.noise))
        return replace(self, names=tuple(names), projection=part)


def read(out: Path) -> ProjectedImages | None:
    """The latents of a folder, whatever they were made with; None without any.

    Raises:
        RunError: the file is damaged.
    """
    path = out / LATENTS
    if not path.is_file():
        return None
    found, notes = tensors.read(path)
    try:
        document = json.loads(notes["projection"])
        names, space, settings = (document[key] for key in ("names", "space", "settings"))
        noise = tuple(found[f"noise.{i}"] for i in range(len(found) - 1))
        if not all(isinstance(name, str) for name in names) or not isinstance(settings, dict):
            raise TypeError
        if any(len(t) != len(names) for t in found.values()):
            raise ValueError
        return ProjectedImages(tuple(names), Projection(found["latents"], space, noise), settings)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise tensors.damaged(path, "it holds no projections") from error


def load(out: Path, run: Run) -> tuple[Decodes, ProjectedImages]:
    """The projections of a folder, and the model that decodes them: with tuned weights where there are some.

    Raises:
        RunError: there are none, or they do not belong to the weights that the run has now.
    """
    images = read(out)
    if images is None:
        raise RunError(f"{out}: has no projections; make some: simulacra project {run} IMAGE... --out {out}")
    if images.settings.get("weights") != tensors.checksum(run.weights):
        raise RunError(f"{out}: holds projections by other weights than those of {run}; project again")
    model, p = load_decoder(run, images.settings.get("class")), images.projection
    if p.latents.shape[1:] != model.space(p.space).shape:
        raise tensors.damaged(out / LATENTS, "its latents have another shape than those of the run")
    if not images.settings.get("tune"):
        return model, images
    delta = read_delta(out)
    if delta is None:
        raise RunError(
            f"{out}: the weights are not tuned yet; run the same 'simulacra project' again to resume"
        )
    return apply(model, delta), images


def load_decoder(run: Run, class_: str | None = None) -> Decodes:
    """The model of a run, which has to decode; of a conditional one the model of a class.

    Raises:
        RunError: it does not decode, or is not conditional.
        ConfigError: there is no such class, or a conditional model is given none.
    """
    model, config = run.load(), run.config
    name = short_name(config.model)
    if class_ is not None or isinstance(model, Conditional):
        conditional = require(model, Conditional, run, name, config.source)
        if class_ is None:
            raise ConfigError(f"class: choose one with --class: {', '.join(config.spec.classes)}")
        model = conditional.for_class(class_)
    return require(model, Decodes, run, name, config.source)


def project_files(
    model: Decodes,
    x: np.ndarray,
    names: Sequence[str],
    out: Path,
    settings: Mapping[str, Any],
    encoder: Any = None,
    overwrite: bool = False,
) -> Iterator[int]:
    """Project the images that a folder does not have, and save after each batch.

    Args:
        model: decodes latents.
        x: uint8 `(N, C, H, W)`.
        names: of the images.
        out: the folder.
        settings: `space`, `steps`, `seed` and `noise`, and what else results depend on, plain values.
        encoder: encodes images to latents to start from; None without.
        overwrite: whether to begin anew.

    Yields:
        How many images each batch has.
    """
    done = None if overwrite else read(out)
    missing = [i for i, name in enumerate(names) if done is None or name not in done.names]
    for rows in batches(len(missing), model):
        index = missing[rows]
        images, start = tensor(x[index], model.device), None
        if encoder is not None:
            with torch.no_grad(), eval_mode(encoder):
                start = encoder.encode(images.to(encoder.device), settings["space"]).mean
        new = optimise(
            model,
            images,
            settings["space"],
            steps=settings["steps"],
            seed=settings["seed"],
            start=start,
            learn_noise=settings["noise"],
        )
        added = ProjectedImages(tuple(names[i] for i in index), new, settings)
        done = added if done is None else done.with_more(added)
        done.save(out)
        yield len(index)


def tune_files(model: Decodes, x: np.ndarray, out: Path, images: ProjectedImages) -> None:
    """Tune the weights around the latents of a folder, unless that is done.

    Args:
        model: decodes latents; it stays as it is.
        x: the images, uint8 `(N, C, H, W)`, in the order of the latents.
        out: the folder.
        images: what it holds.
    """
    if read_delta(out) is None:
        p = images.projection
        delta = tune(model, p.latents, tensor(x, model.device), p.space, seed=images.settings["seed"])
        tensors.write(out / TUNING, delta, {"latents": tensors.checksum(out / LATENTS)})


def read_delta(out: Path) -> dict[str, Tensor] | None:
    """What tuning around the latents of a folder added to the weights; None where that is not done.

    Raises:
        RunError: the file is damaged.
    """
    if not (out / TUNING).is_file():
        return None
    delta, notes = tensors.read(out / TUNING)
    return delta if notes.get("latents") == tensors.checksum(out / LATENTS) else None


@torch.no_grad()
def decoded(model: Decodes, p: Projection, noise: bool = True) -> Tensor:
    """The images of latents in [0, 1] `(N, C, H, W)`, with or without the noise maps that were learned."""
    parts = []
    with eval_mode(model):
        for start in range(0, len(p.latents), CHUNK):
            rows = slice(start, start + CHUNK)
            maps = [m[rows] for m in p.noise] if noise else []
            parts.append(decode(model, p.latents[rows], p.space, maps).float().clamp(0, 1).cpu())
    return torch.cat(parts)


def write_pictures(y: Tensor, x: np.ndarray, jobs: Sequence[Job], out: Path, overwrite: bool = False) -> int:
    """Write what is missing of the pictures of projections, and the pairs.

    Args:
        y: the decoded images `(N, C, H, W)` in [0, 1].
        x: the originals as the model takes them, uint8.
        jobs: the N pictures, each with a file.
        out: the folder.
        overwrite: whether to write those that are there already.

    Returns:
        How many were written.
    """
    written, images = 0, to_bytes(y)
    for image, job in zip(images, jobs, strict=True):
        (file,) = job.outs
        if overwrite or not exists(file):
            original = job.source.open()
            write(placed(to_image(image), original.image), original, file, FAST, overwrite)
            written += 1
    if written or not exists(out / PAIRS):
        pairs = np.stack([x[:SHOWN], images[:SHOWN]], axis=1)
        save_png(grid(pairs.reshape(-1, *x.shape[1:]), columns=8), out / PAIRS)
    return written


@torch.no_grad()
def scores(x: np.ndarray, y: Tensor) -> dict[str, float]:
    """Medians over images of PSNR in dB and of the perceptual distance."""
    distances = []
    for start in range(0, len(x), BATCH):
        part = slice(start, start + BATCH)
        original = tensor(x[part])
        distances.append((psnr(original, y[part]), perceptual_distance(original, y[part])))
    names = ("psnr", "perceptual")
    return {
        name: median(torch.cat(values).tolist())
        for name, values in zip(names, zip(*distances, strict=True), strict=True)
    }


def check_encoder(encoder: Any, run: Run, model: Decodes, space: str) -> None:
    """Check that a model encodes into a latent space of another.

    Raises:
        RunError: it does not encode.
        ConfigError: its images or its latents have another shape.
    """
    if not isinstance(encoder, Encodes):
        raise RunError(f"{run}: this {type(encoder).__name__} {Encodes.missing}")
    shapes = {one.name: one.shape for one in encoder.spaces}
    if shapes.get(space) != model.space(space).shape:
        there = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ConfigError(
            f"encoder: {run} encodes into {there}, not into {space} {model.space(space).shape}; choose"
            " another --space or encoder"
        )
    if encoder.spec.shape != model.spec.shape:
        raise ConfigError(
            f"encoder: {run} takes images of shape {encoder.spec.shape}, the model makes {model.spec.shape}"
        )


def names_in(out: Path, jobs: Sequence[Job]) -> list[str]:
    """The names of the files of projections below their folder.

    Raises:
        DataError: one is that of the picture of pairs.
    """
    for job in jobs:
        if out / PAIRS in job.outs:
            raise DataError(
                f"{display(job.source.path)}: is called {PAIRS}, as the picture of all pairs is; rename it"
            )
    return [job.outs[0].relative_to(out).as_posix() for job in jobs]


def in_one_space(model: Decodes, p: Projection, direction: Direction) -> tuple[Tensor, Direction]:
    """Projected latents `(N, ...)` and a direction in one space: of styles `w+`, where they differ.

    Raises:
        ConfigError: they belong to different spaces that cannot be brought together.
    """
    direction.check(model)
    if direction.space == p.space:
        return p.latents, direction
    if not isinstance(model, Styles) or direction.space not in ("w", "w+") or p.space == "s":
        raise ConfigError(
            f"direction '{direction.name}' belongs to the latent space '{direction.space}', and these"
            f" projections to '{p.space}'; project with --space {direction.space}"
        )
    with torch.no_grad(), eval_mode(model):
        z = model.styles(p.latents.to(model.device, model.dtype), p.space)
    every = f"0-{len(model.resolutions) - 1}"
    return z, direction if direction.space == "w+" else at_layers(model, direction, every)
