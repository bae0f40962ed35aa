"""`simulacra project RUN IMAGE... --out DIR`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from simulacra.cli.picture_files import (
    count_images,
    describe_differences,
    examples_of,
    refuse_unread,
    report_plan,
)
from simulacra.cli.usage import Overwrite, parse
from simulacra.errors import ConfigError, RunError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from simulacra.core.capabilities import Decodes
    from simulacra.run import Run
    from simulacra.tasks.picture_files import Job


@dataclass(frozen=True)
class Project:
    """Find the latents whose images resemble given images most: for models without an encoder, e.g. GANs."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """image files, .zip files and folders of images; or --data"""
    out: Path
    """folder: latents.safetensors, pairs.png, and for each image its projection, under its name and at its
    size; the same command resumes"""
    overwrite: Overwrite = False
    space: str | None = None
    """latent space; the model's default one when not given"""
    steps: int = 500
    """steps of the optimisation of each image"""
    tune: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """then tune the generator's weights around the latents (pivotal tuning): closer to the images, kept in
    tuning.safetensors"""
    noise: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """learn the noise maps of a stylegan, too, which can hide pixels that its latents do not explain"""
    encoder: Path | None = None
    """run of a gan_encoder: start from its encodings, e.g. with --steps 50"""
    seed: int = 0
    """random seed"""
    data: str | None = None
    """data source in place of images, e.g. faces@test; its test split when no split is given"""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """number of examples of --data; all by default"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """class of the images, by name, for conditional models"""


def main(argv: list[str]) -> int:
    arguments = parse(Project, argv, "simulacra project")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    if bool(arguments.inputs) == (arguments.data is not None):
        raise ConfigError("inputs: name images or folders, or a source with --data")
    if arguments.n is not None and (arguments.data is None or arguments.n < 1):
        raise ConfigError("n: the number of examples of --data, at least 1")
    if arguments.steps < 1:
        raise ConfigError(f"steps: must be at least 1, not {arguments.steps}")
    if arguments.seed < 0:
        raise ConfigError(f"seed: must be 0 or more, not {arguments.seed}")
    if arguments.tune and arguments.noise:
        raise ConfigError(
            "noise: weights are tuned with the model's own noise maps; leave --noise or --tune out"
        )
    from simulacra.core.capabilities import Styles
    from simulacra.tasks.picture_files import check_folder
    from simulacra.tasks.project import check_encoder, check_images, load_decoder

    check_folder(arguments.out)
    model = load_decoder(run, arguments.class_)
    check_images(model)
    space = model.space(arguments.space)
    if arguments.noise and not isinstance(model, Styles):
        raise RunError(f"{run}: this model {Styles.missing}, so that it has no noise maps; leave --noise out")
    encoder = None
    if arguments.encoder is not None:
        encoder = Run(arguments.encoder).load()
        check_encoder(encoder, Run(arguments.encoder), model, space.name)
    return _project(arguments, run, model, space.name, encoder)


def _project(arguments: Project, run: Run, model: Decodes, space: str, encoder: Any) -> int:
    from simulacra import tensors
    from simulacra.data.images.parallel import progress
    from simulacra.run import Run
    from simulacra.tasks import project as task
    from simulacra.tasks.picture_files import claim, examples, open_pictures, plan

    out, inputs, overwrite = arguments.out, arguments.inputs, arguments.overwrite
    with open_pictures(inputs, out) as pictures:
        if arguments.data is not None:
            pictures = list(examples(arguments.data, *examples_of(run, arguments.data, arguments.n)))
        # all of them: what is there already is found by its latents
        jobs, bad, _ = plan(pictures, out, overwrite=True)
        report_plan(inputs, out, bad, 0, "projections", "projects")
        task.names_in(out, jobs)
        x, jobs, unread = _read(model, jobs)
        unread += len(bad)
        if not jobs:
            refuse_unread(unread, 0)
        names = task.names_in(out, jobs)
        settings = {
            "weights": tensors.checksum(run.weights),
            "space": space,
            "steps": arguments.steps,
            "seed": arguments.seed,
            "noise": arguments.noise,
            "encoder": arguments.encoder and tensors.checksum(Run(arguments.encoder).weights),
            "data": arguments.data,
            "class": arguments.class_,
            # the tuned weights are those of all images
            "tune": names if arguments.tune else None,
        }
        claim(out, settings, "projections by other weights or settings", overwrite)
        before = None if overwrite else task.read(out)
        there = len(set(names) & set(before.names)) if before is not None else 0
        done, n = there, len(names)
        try:
            batches = task.project_files(model, x, names, out, settings, encoder, overwrite)
            for added in progress(batches, -(-(n - there) // task.BATCH), "projecting"):
                done += added
            found = task.read(out)
            assert found is not None, "there are images"
            images = found.take(names)
            if arguments.tune:
                task.tune_files(model, x, out, images)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: {done} of {count_images(n)} are projected, in {out}; run the same command to"
                " resume"
            ) from None
        sentences = [f"{count_images(n)} projected into {space}"]
        y = task.decoded(model, images.projection)
        sentences.append(_scores(x, y))
        if arguments.noise:
            fixed = task.decoded(model, images.projection, noise=False)
            sentences.append(f"with the model's own noise maps {_scores(x, fixed)}")
        if arguments.tune:
            y = task.decoded(task.load(out, run)[0], images.projection)
            sentences.append(f"with tuned weights {_scores(x, y)}")
        task.write_pictures(y, x, jobs, out, overwrite)
    print(out)
    print("; ".join(sentences))
    refuse_unread(unread, n)
    return 0


def _read(model: Decodes, jobs: Sequence[Job]) -> tuple[np.ndarray, list[Job], int]:
    """Images as the model makes them, their jobs, and how many cannot be read."""
    from functools import partial

    import numpy as np

    from simulacra.data.images.parallel import parallel, progress
    from simulacra.tasks.picture_files import display, read_picture

    images, read, fitted, unread = [], [], [], 0
    results = parallel(partial(read_picture, model.spec), [job.source for job in jobs])
    for job, (image, _, one) in zip(jobs, progress(results, len(jobs), "reading"), strict=True):
        if image is None:
            unread += 1
            print(f"simulacra: {display(one.path)}: {one.problem}", file=sys.stderr)
        else:
            images.append(image)
            read.append(job)
            fitted.append(one)
    describe_differences(model.spec, fitted, "projected")
    return np.stack(images) if images else np.empty((0, *model.spec.shape), np.uint8), read, unread


def _scores(x: np.ndarray, y: Tensor) -> str:
    from simulacra.tasks.project import scores

    found = scores(x, y)
    return f"PSNR {found['psnr']:.1f} dB, perceptual distance {found['perceptual']:.3f} (medians)"
