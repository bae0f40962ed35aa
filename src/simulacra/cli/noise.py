"""`simulacra noise RUN --seeds 1,2 --layers fine --out noise.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from simulacra.cli.usage import Overwrite, parse, seeds


@dataclass(frozen=True)
class Arguments:
    """Vary only the noise of samples: close-ups, the standard deviation of each pixel, and noise left out."""

    run: tyro.conf.Positional[Path]
    """run folder of a model with styles, e.g. a stylegan"""
    out: Path
    """noise.png: a row for each sample"""
    overwrite: Overwrite = False
    seeds: str = "0,1,2"
    """seeds of the samples, e.g. 1,2"""
    layers: str | None = None
    """whose noise varies: coarse, middle, fine, numbers or ranges, e.g. 0-3; all when not given"""
    draws: int = 100
    """draws of noise"""
    truncation: float = 1.0
    """factor on the distance of latents from their mean; below 1: more typical, less varied"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """class of the samples, by name, for class-conditional models"""
    seed: int = 0
    """random seed of the noise"""


def main(argv: list[str]) -> int:
    arguments = parse(Arguments, argv, "simulacra noise")
    numbers = seeds(arguments.seeds)
    from simulacra.run import Run

    run, out = Run(arguments.run), arguments.out
    run.check_trained()
    from simulacra.files import check_unused
    from simulacra.images import check_png, save_png
    from simulacra.tasks.mix import open_styles
    from simulacra.tasks.style_noise import figure

    check_png(out)
    check_unused(out, overwrite=arguments.overwrite)
    model, _ = open_styles(run, [] if arguments.class_ is None else [arguments.class_])
    picture, sigma = figure(
        model, numbers, arguments.layers, arguments.draws, arguments.truncation, arguments.seed
    )
    save_png(picture, out, arguments.overwrite)
    print(out)
    means = ", ".join(f"{value:.2g}" for value in sigma.mean(dim=(1, 2)).tolist())
    print(f"standard deviation over {arguments.draws} draws of noise, mean over pixels in [0, 1]: {means}")
    return 0
