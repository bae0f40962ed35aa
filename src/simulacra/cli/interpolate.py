"""`simulacra interpolate RUN --seeds 1,2 | --images a.png b.png | --classes 3,5 --out strip.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from simulacra.cli.decoding import SEARCH, Search, set_decoding
from simulacra.cli.usage import Overwrite, listed, parse, seeds
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from simulacra.data.spec import DataSpec


@dataclass(frozen=True)
class Interpolate:
    """Decode what lies between seeds, images, sentences or classes: a path, or a lattice between four."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path | None = None
    """strip.png: a row from each point to the next, or the lattice; walk.gif, walk.webp: there and back for
    ever; folder/ or a name without ending: a PNG each; x.npz: an array; of vectors new.csv or new.parquet;
    of sentences walk.txt, and without it they are printed"""
    overwrite: Overwrite = False
    seeds: str | None = None
    """two or more seeds, e.g. 1,2: of each the latent of its first sample"""
    images: tuple[Path, ...] = ()
    """two or more image files, which are encoded; of others than square pixels the middle square is taken"""
    texts: tuple[str, ...] = ()
    """two or more sentences, which are encoded"""
    projected: Path | None = None
    """folder of 'simulacra project': a path through its images, in order, for models without an encoder"""
    classes: str | None = None
    """classes, by name: those that a conditional model is given, one for each seed or one for all, at seed 0
    by default; otherwise the mean latents of two or more classes of the training data"""
    steps: int = 9
    """examples from one point to the next, both included"""
    path: Literal["slerp", "linear"] | None = None
    """along arcs, which keep the norm, or straight lines; slerp by default where the prior is N(0, I)"""
    space: str | None = None
    """latent space; the model's default one when not given"""
    prior: str | None = None
    """seeds: name of a density that was fitted to latents ('simulacra density')"""
    truncation: float = 1.0
    """of seeds: factor on the distance of latents from their mean; below 1: more typical, less varied"""
    lattice: tyro.conf.FlagCreatePairsOff[bool] = False
    """a lattice of steps x steps between four: top left, top right, bottom left, bottom right"""
    decoding: tyro.conf.OmitArgPrefixes[Search] = SEARCH


def main(argv: list[str]) -> int:
    arguments = parse(Interpolate, argv, "simulacra interpolate")
    others = (arguments.seeds, arguments.images, arguments.texts, arguments.classes, arguments.space)
    if arguments.projected is not None and any(others):
        raise ConfigError(
            "--projected cannot be combined with --seeds, --images, --texts, --classes or --space"
        )
    numbers, classes = _points(arguments) if arguments.projected is None else ([], [])
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import torch

    from simulacra.core.batch import tensor
    from simulacra.core.capabilities import Conditional, Decodes, Encodes, require
    from simulacra.data.spec import NOUNS
    from simulacra.errors import RunError
    from simulacra.files import check_unused
    from simulacra.latent.paths import default_path
    from simulacra.models.registry import short_name
    from simulacra.tasks import interpolate as task
    from simulacra.tasks.export_examples import check_output
    from simulacra.tasks.project import load

    config, out, space = run.config, arguments.out, arguments.space
    name = short_name(config.model)
    check_output(out, config.spec, animations=not arguments.lattice)
    if out is not None:
        check_unused(out, overwrite=arguments.overwrite)
    model, projected = run.load(arguments.prior), None
    if arguments.projected is not None:
        model, images = load(arguments.projected, run)
        projected = task.Points(images.projection.latents.to(model.device), None, images.projection.space)
        space = projected.space
    elif not isinstance(model, Conditional):
        model = require(model, Decodes, run, name, config.source)
    set_decoding(model, arguments.decoding, run)
    curve = arguments.path or default_path(model.space(space))
    if projected is not None:
        points = projected
    elif arguments.images or arguments.texts:
        encoder = require(model, Encodes, run, name, config.source)
        x = tensor(task.read_examples(config.spec, arguments.images, arguments.texts))
        points = task.with_classes(model, task.from_examples(encoder, x, space), classes, space)
    elif numbers or isinstance(model, Conditional):
        points = task.seeds_with_classes(model, numbers or [0], classes, space, arguments.truncation)
    elif isinstance(model, Encodes):
        z = task.class_means(model, run.data().train, classes, space)
        points = task.Points(z, None, space)
    else:
        raise RunError(
            f"{run}: this {name} is not conditioned on classes and has no encoder to find them with; give"
            " --seeds, or train a conditional_gan or a vae"
        )
    parts = task.walk(model, points, arguments.steps, curve, arguments.lattice)
    x = torch.cat([part.cpu() for part in parts])
    _write(x, config.spec, arguments)
    if out is None:
        return 0
    print(out)
    kind = NOUNS[config.spec.kind]
    fixed = points.weights is not None and bool((points.z == points.z[0]).all())
    print(f"{len(x):,} {kind}, {'between classes' if fixed else f'{curve} in {model.space(space).name}'}")
    return 0


def _points(arguments: Interpolate) -> tuple[list[int], list[str]]:
    """The seeds and the classes.

    Raises:
        ConfigError: there are none, too few, or some that cannot be combined.
    """
    classes, numbers = listed(arguments.classes), seeds(arguments.seeds)
    if not (numbers or classes or arguments.images or arguments.texts):
        raise ConfigError(
            "name what to interpolate between: --seeds 1,2, --images A B, --texts A B, --classes A,B or"
            " --projected DIR"
        )
    if sum(bool(one) for one in (numbers, arguments.images, arguments.texts)) > 1:
        raise ConfigError("--seeds, --images and --texts cannot be combined; leave all but one out")
    n = max(len(numbers), len(classes), len(arguments.images), len(arguments.texts))
    if arguments.lattice and n != 4:
        raise ConfigError(f"--lattice needs 4 seeds, images, texts or classes, not {n}")
    if n < 2:
        raise ConfigError("a path needs at least 2 seeds, images, texts or classes, e.g. --seeds 1,2")
    if arguments.steps < 2:
        raise ConfigError(f"steps: must be at least 2, not {arguments.steps}")
    return numbers, classes


def _write(x: Tensor, spec: DataSpec, arguments: Interpolate) -> None:
    """The file or the folder; a row of a picture has both of its ends."""
    import torch

    from simulacra.core.batch import to_bytes
    from simulacra.images import ANIMATIONS, save_animation
    from simulacra.tasks.export_examples import write_examples

    out, steps = arguments.out, arguments.steps
    if out is not None and out.suffix in ANIMATIONS:
        save_animation(to_bytes(x), out, arguments.overwrite)
        return
    if (out is None or out.suffix in (".png", ".txt")) and not arguments.lattice:
        x = torch.cat([x[start : start + steps] for start in range(0, len(x) - 1, steps - 1)])
    write_examples(x, spec, out, columns=steps, overwrite=arguments.overwrite)
