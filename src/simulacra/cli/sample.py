"""`simulacra sample RUN --out grid.png | folder/ | x.npz`; of vectors `new.csv | new.parquet | chart.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from simulacra.cli.usage import Overwrite, parse

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Sample:
    """Draw new examples from a trained model."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path
    """grid.png: one picture, of vectors a chart; folder/ or a name without ending: a PNG each; new.csv or
    new.parquet: a table with the columns of the data; samples.npz: an array"""
    overwrite: Overwrite = False
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """number of samples"""
    seed: int = 0
    """random seed"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """class to sample, by name, for conditional models; by default all, in the proportions of the data"""
    truncation: float = 1.0
    """factor on the distance of latents from their mean; below 1: more typical, less varied"""
    draw: tyro.conf.FlagCreatePairsOff[bool] = False
    """draw images from p(x | z) instead of taking its mean; vectors are always drawn"""


# points up to which each is drawn; more are counted in bins
SCATTERED = 5000
# columns whose mean and standard deviation are printed
PRINTED = 8


def main(argv: list[str]) -> int:
    arguments = parse(Sample, argv, "simulacra sample")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    from simulacra.core.capabilities import Conditional, Samples
    from simulacra.errors import ConfigError
    from simulacra.files import check_unused
    from simulacra.models.registry import short_name
    from simulacra.tasks.export_examples import check_output, write_examples

    if arguments.n < 1:
        raise ConfigError(f"n: must be at least 1, not {arguments.n}")
    if not arguments.truncation >= 0:
        raise ConfigError(f"truncation: must be 0 or more, not {arguments.truncation}")
    out = arguments.out
    check_unused(out, overwrite=arguments.overwrite)
    spec, model = run.config.spec, run.load_with(Samples)
    check_output(out, spec, charts=True)
    if arguments.class_ is not None:
        model = run.load_with(Conditional).for_class(arguments.class_)
    if arguments.draw and not model.has_likelihood:
        name = short_name(run.config.model)
        raise ConfigError(f"draw: this {name} has a deterministic decoder; omit --draw")
    draw = arguments.draw or None
    x, y = model.sample_labelled(arguments.n, arguments.seed, truncation=arguments.truncation, draw=draw)
    target = run.config.options.target or "class"
    labels = {} if y is None else {target: [spec.classes[k] for k in y.tolist()]}
    if spec.kind == "vector" and out.suffix == ".png":
        _draw(x.cpu().numpy(), spec.columns, out, arguments.overwrite)
    else:
        write_examples(x, spec, out, labels=labels, overwrite=arguments.overwrite)
    print(out)
    if spec.schema is not None and not spec.schema.continuous:
        columns = len(spec.schema.columns) + len(labels)
        print(f"{len(x):,} rows of {columns} column{'' if columns == 1 else 's'}")
    elif spec.kind == "vector":
        from simulacra.report.numbers import moments

        means = moments(x.cpu().numpy(), spec.columns, PRINTED)
        print(f"{len(x):,} points, mean (standard deviation): {means}")
    return 0


def _draw(x: np.ndarray, names: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """A chart of vectors `(N, D)`, whole or not at all."""
    from simulacra.files import replacing
    from simulacra.report import clouds, figures

    figure = clouds.density(x, names) if len(x) > SCATTERED else clouds.scatter(None, x, names)
    with replacing(out, overwrite) as file:
        file.write_bytes(figures.png(figure, ground="white"))
