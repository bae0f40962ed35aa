"""`simulacra sample RUN --out grid.png | folder/ | samples.npz`; vectors: `points.png | samples.npz`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    import numpy as np

    from simulacra.core.model import Model
    from simulacra.run import Run


@dataclass(frozen=True)
class Sample:
    """Draw new examples from a trained model."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path
    """grid.png: one picture, of vectors a chart; folder/ or a name without ending: a PNG each; samples.npz:
    an array"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """how many"""
    seed: int = 0
    """of the latents"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """name of the class to draw, of a model that is told classes; without, as frequent as in the data"""
    truncation: float = 1.0
    """how far from their mean latents are drawn: below 1 more typical, less varied"""


# points up to which each is drawn; more are counted in bins
SCATTERED = 5000
# columns whose mean and standard deviation are printed
TOLD = 8


def main(argv: list[str]) -> int:
    arguments = tyro.cli(Sample, args=argv, prog="simulacra sample")
    from simulacra.core.capabilities import Predicts, Samples, Translates
    from simulacra.errors import ConfigError, RunError
    from simulacra.output import check_output, write_examples
    from simulacra.run import Run

    if arguments.n < 1:
        raise ConfigError(f"n: must be at least 1, not {arguments.n}")
    if not arguments.truncation >= 0:
        raise ConfigError(f"truncation: must be 0 or more, not {arguments.truncation}")
    run, out = Run(arguments.run), arguments.out
    spec, model = run.config.spec, run.load()
    if not isinstance(model, Samples):
        name = run.config.model
        if isinstance(model, Predicts):
            from simulacra.report.reproduce import prediction

            words = shlex.join(prediction(run.config, run))
            raise RunError(f"{run}: this {name} predicts what belongs to inputs, and needs some: {words}")
        use = "translate" if isinstance(model, Translates) else "reconstruct"
        raise RunError(f"{run}: a {name} does not sample; train a vae, or use {use}")
    check_output(out, spec, charts=True)
    if arguments.class_ is not None:
        model = of_class(model, run, arguments.class_)
    x = model.sample(arguments.n, arguments.seed, truncation=arguments.truncation)
    if spec.kind == "vector" and out.suffix == ".png":
        _draw(x.cpu().numpy(), spec.columns, out)
    else:
        write_examples(x, out)
    print(out)
    if spec.kind == "vector":
        from simulacra.report.numbers import moments

        told = moments(x.cpu().numpy(), spec.columns, TOLD)
        print(f"{len(x):,} points, mean (standard deviation): {told}")
    return 0


def of_class(model: Model, run: Run, name: str) -> Any:
    """The model of one class, called by its name.

    Raises:
        ConfigError: there is no such class.
        RunError: the model is told no classes.
    """
    from simulacra.core.capabilities import Conditional
    from simulacra.errors import ConfigError, RunError, nearest

    if not isinstance(model, Conditional):
        raise RunError(
            f"{run}: a {run.config.model} is told no classes; train a conditional_gan, or leave --class out"
        )
    classes = model.spec.classes
    if name not in classes:
        raise ConfigError(f"class: unknown '{name}', {nearest(name, classes)}")
    return model.for_class(classes.index(name))


def _draw(x: np.ndarray, names: tuple[str, ...], out: Path) -> None:
    """A chart of vectors `(N, D)`, whole or not at all."""
    from simulacra.files import replacing
    from simulacra.report import clouds, figures

    figure = clouds.density(x, names) if len(x) > SCATTERED else clouds.scatter(None, x, names)
    with replacing(out) as file:
        file.write_bytes(figures.png(figure, ground="white"))
