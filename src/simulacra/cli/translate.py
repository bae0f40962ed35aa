"""`simulacra translate RUN INPUT... --out DIR`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.cli.picture_files import count_images, refuse_unread, report_plan
from simulacra.cli.usage import Overwrite, parse

# ratio of both sides to those of the training images, beyond which objects have an unfamiliar size
LARGE, SMALL = 2, 2 / 3


@dataclass(frozen=True)
class Translate:
    """Translate images from one domain to another, at their own size."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """image files, .zip files of images, and folders of images with all their sub-folders"""
    out: Path
    """folder for the translations, under the names of the inputs; existing files are kept"""
    overwrite: Overwrite = False
    to: str | None = None
    """target domain of a cyclegan: its name, A or B; B by default"""
    variants: int = 1
    """number of different translations of every image: name-1.png, name-2.png, ..."""
    seed: int = 0
    """random seed; the same noise is used for all images"""


def main(argv: list[str]) -> int:
    arguments = parse(Translate, argv, "simulacra translate")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    from simulacra.core.capabilities import Translates
    from simulacra.core.noise import derive_seed
    from simulacra.data.images.decode import BadImage
    from simulacra.data.images.parallel import progress
    from simulacra.errors import ConfigError, RunError
    from simulacra.tasks.picture_files import display, exists, open_pictures, plan, write
    from simulacra.tasks.translate import translated_image, varies

    out, variants = arguments.out, arguments.variants
    if not arguments.inputs:
        raise ConfigError("inputs: name images or folders to translate")
    if variants < 1:
        raise ConfigError(f"variants: must be at least 1, not {variants}")
    model = run.load_with(Translates)
    to = model.domain(arguments.to)
    if variants > 1 and not varies(model, to):
        raise RunError(
            f"{run}: this {run.config.model} has one translation for each image; leave --variants out"
        )
    suffixes = [f"-{k + 1}" for k in range(variants)] if variants > 1 else [""]
    with open_pictures(arguments.inputs, out) as pictures:
        jobs, bad, there = plan(pictures, out, suffixes, arguments.overwrite)
        report_plan(arguments.inputs, out, bad, there, "translations", "translates")
        done, unread, unlike = 0, len(bad), 0
        height, width = model.spec.shape[1:]
        try:
            for job in progress(jobs, len(jobs), "translating"):
                try:
                    original = job.source.open()
                except BadImage as error:
                    unread += 1
                    print(f"simulacra: {display(job.source.path)}: {error}", file=sys.stderr)
                    continue
                scales = original.image.width / width, original.image.height / height
                unlike += min(scales) > LARGE or max(scales) < SMALL
                for variant, file in enumerate(job.outs):
                    if exists(file) and not arguments.overwrite:
                        continue
                    image = translated_image(model, original.image, derive_seed(arguments.seed, variant), to)
                    write(image, original, file, overwrite=arguments.overwrite)
                done += 1
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted: {done} of {len(jobs)} images are translated, in {out}; run the same command"
                " to resume"
            ) from None
    if done or (there and not jobs):
        print(out)
    if done:
        print(f"{count_images(done)} translated{f' to {to}' if to else ''}")
    if unlike:
        print(
            f"simulacra: the model was trained on {width}x{height} pixels; {unlike:,} of the images"
            f" {'is' if unlike == 1 else 'are'} far larger or smaller, resized copies may translate"
            " better",
            file=sys.stderr,
        )
    refuse_unread(unread, done)
    return 0
