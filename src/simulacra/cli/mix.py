"""`simulacra mix RUN --sources 1,2,3 --destinations 4,5,6 --layers coarse --out grid.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.cli.usage import Overwrite, listed, parse, seeds


@dataclass(frozen=True)
class Mix:
    """Mix styles: each destination with the styles of each source at some layers, as one picture."""

    run: tyro.conf.Positional[Path]
    """run folder of a model with styles, e.g. a stylegan"""
    sources: str
    """seeds of the first row, e.g. 1,2,3: they give the styles of the layers"""
    destinations: str
    """seeds of the first column, e.g. 4,5,6: they give all other styles"""
    out: Path
    """grid.png"""
    overwrite: Overwrite = False
    layers: tuple[str, ...] = ()
    """coarse, middle, fine, numbers or ranges, e.g. 0-3 or coarse,5; of several, each has rows of its own, by
    default coarse, middle and fine"""
    truncation: float = 1.0
    """factor on the distance of latents from their mean; below 1: more typical, less varied"""
    classes: str | None = None
    """of a class-conditional model: a class for all, or that of the sources and that of the destinations"""


def main(argv: list[str]) -> int:
    arguments = parse(Mix, argv, "simulacra mix")
    sources = seeds(arguments.sources, "sources")
    destinations = seeds(arguments.destinations, "destinations")
    from simulacra.run import Run

    run, out = Run(arguments.run), arguments.out
    run.check_trained()
    from simulacra.files import check_unused
    from simulacra.images import check_png, save_png
    from simulacra.tasks.mix import figure, open_styles, seed_styles

    check_png(out)
    check_unused(out, overwrite=arguments.overwrite)
    a, b = open_styles(run, listed(arguments.classes))
    top = seed_styles(a, sources, arguments.truncation)
    left = seed_styles(b, destinations, arguments.truncation)
    save_png(figure(b, top, left, arguments.layers), out, arguments.overwrite)
    print(out)
    return 0
