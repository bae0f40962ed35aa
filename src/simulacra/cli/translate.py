"""`simulacra translate RUN INPUT... --out DIR`."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import tyro

# both sides in units of those the model was trained on, from which things are not of the size it knows
LARGE, SMALL = 2, 2 / 3

# of files that are left out, the endings that are named
ENDINGS = 5


@dataclass(frozen=True)
class Translate:
    """Turn pictures of one kind into pictures of another, at the size they have."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """pictures, and folders of pictures with all their sub-folders"""
    out: Path
    """folder for the translations, under the names of the inputs; files that are there stay as they are"""
    to: str | None = None
    """where there is a choice, the domain to translate to, by its name or A or B; the second one, B, when not
    given"""
    variants: int = 1
    """different translations of every picture: name-1.png, name-2.png, ..."""
    seed: int = 0
    """of what variants differ in; it is the same for all pictures"""


def main(argv: list[str]) -> int:
    arguments = tyro.cli(Translate, args=argv, prog="simulacra translate")
    from simulacra.core.capabilities import Translates
    from simulacra.core.noise import derive_seed
    from simulacra.data.images.decode import BadImage, open_with_alpha
    from simulacra.data.images.parallel import progress
    from simulacra.errors import ConfigError, DataError, RunError
    from simulacra.run import Run
    from simulacra.tasks.translate import is_there, left_out, plan, shown, translated_image, varies, write

    out, variants = arguments.out, arguments.variants
    if not arguments.inputs:
        raise ConfigError("inputs: name pictures or folders to translate")
    if variants < 1:
        raise ConfigError(f"variants: must be at least 1, not {variants}")
    run = Run(arguments.run)
    model = run.load_with(Translates)
    to = model.domain(arguments.to)
    if variants > 1 and not varies(model, to):
        raise RunError(
            f"{run}: this {run.config.model} has one translation for each picture; leave --variants out"
        )
    jobs, bad, there = plan(arguments.inputs, out, variants)
    for source, reason in bad.items():
        print(f"simulacra: {shown(source)}: {reason}", file=sys.stderr)
    for folder, endings in left_out(arguments.inputs, out).items():
        print(f"simulacra: {shown(folder)}: {no_pictures(endings)}", file=sys.stderr)
    if there:
        print(
            f"simulacra: {shown(out)}: has translations of {there:,} of the pictures, which stay as they are;"
            " choose another --out to translate all of them anew",
            file=sys.stderr,
        )
    done, unread, unlike = 0, len(bad), 0
    height, width = model.spec.shape[1:]
    try:
        for job in progress(jobs, len(jobs), "translating"):
            try:
                original = open_with_alpha(job.source)
            except BadImage as error:
                unread += 1
                print(f"simulacra: {shown(job.source)}: {error}", file=sys.stderr)
                continue
            scales = original.image.width / width, original.image.height / height
            unlike += min(scales) > LARGE or max(scales) < SMALL
            for variant, file in enumerate(job.outs):
                if is_there(file):
                    continue
                image = translated_image(model, original.image, derive_seed(arguments.seed, variant), to)
                write(image, original, file)
            done += 1
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted: {done} of {len(jobs)} pictures are done, in {out}; the same command goes on"
        ) from None
    if done:
        print(out)
        print(f"{done:,} {'picture' if done == 1 else 'pictures'} translated{f' to {to}' if to else ''}")
    if unlike:
        print(
            f"simulacra: the model was trained on {width}x{height} pixels; {unlike:,} of the pictures"
            f" {'is' if unlike == 1 else 'are'} far larger or smaller, copies of about that size may come out"
            " better",
            file=sys.stderr,
        )
    if unread:
        raise DataError(f"{unread:,} of {done + unread:,} inputs could not be read, as said above")
    return 0


def no_pictures(endings: Counter[str]) -> str:
    """What is said of files of a folder that are left out, the most frequent endings first.

    >>> no_pictures(Counter([".txt", ".heic", ".heic", ""])).split(";")[0]
    '4 files are no pictures by their ending (.heic, .txt, none) and are left out'
    """
    from simulacra.data.images.files import SUFFIXES
    from simulacra.errors import printable

    named = [printable(ending) or "none" for ending, _ in endings.most_common(ENDINGS)]
    listed = ", ".join(named + ["..."] * (len(endings) > ENDINGS))
    if (n := endings.total()) == 1:
        what = f"1 file is no picture by its ending ({listed}) and is left out"
    else:
        what = f"{n:,} files are no pictures by their ending ({listed}) and are left out"
    return f"{what}; {', '.join(SUFFIXES)} are read"
