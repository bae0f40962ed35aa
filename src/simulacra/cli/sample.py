"""`simulacra sample RUN --out grid.png | folder/ | x.npz`; of vectors `new.csv | new.parquet | chart.png`."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from simulacra.cli.decoding import DRAWS, Draws, set_decoding
from simulacra.cli.usage import Overwrite, listed, parse
from simulacra.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from simulacra.run import Run


@dataclass(frozen=True)
class Sample:
    """Draw new examples from a trained model."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path | None = None
    """grid.png: one picture, of vectors a chart; folder/ or a name without ending: a PNG each; new.csv or
    new.parquet: a table with the columns of the data; samples.npz: an array; of sentences new.txt, and
    without it they are printed"""
    overwrite: Overwrite = False
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """number of samples; 64, and with several truncations 8, when not given"""
    seed: int = 0
    """random seed"""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """class to sample, by name, for conditional models; by default all, in the proportions of the data"""
    guidance: float | None = None
    """strength of the class, for models with guidance; 1: as in the data, above 1: more typical of the class,
    less varied. The model's own when not given"""
    prior: str | None = None
    """name of a density that was fitted to latents ('simulacra density'); when not given, the model's own
    prior, or else the density that was fitted last"""
    truncation: str = "1"
    """factor on the distance of latents from their mean; below 1: more typical, less varied. Of several, e.g.
    1,0.7,0.5,0,-1, a column each in grid.png"""
    draw: tyro.conf.FlagCreatePairsOff[bool] = False
    """draw images and sentences from p(x | z) instead of taking its mean; vectors are always drawn"""
    decoding: tyro.conf.OmitArgPrefixes[Draws] = DRAWS


# samples when not given: of one truncation, of several
N, SWEPT = 64, 8
# points up to which each is drawn; more are counted in bins
SCATTERED = 5000
# columns whose mean and standard deviation are printed
PRINTED = 8


def main(argv: list[str]) -> int:
    arguments = parse(Sample, argv, "simulacra sample")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import torch

    from simulacra.core.batch import to_bytes
    from simulacra.core.capabilities import Conditional, Guided, Samples, require
    from simulacra.files import check_unused
    from simulacra.images import save_png, strip
    from simulacra.models.registry import short_name
    from simulacra.tasks.export_examples import check_output, write_examples

    out, factors = arguments.out, _factors(arguments.truncation)
    n = arguments.n if arguments.n is not None else N if len(factors) == 1 else SWEPT
    if n < 1:
        raise ConfigError(f"n: must be at least 1, not {n}")
    if out is not None:
        check_unused(out, overwrite=arguments.overwrite)
    if arguments.guidance is not None and not 0 <= arguments.guidance < inf:
        raise ConfigError(f"guidance: must be 0 or more, e.g. 2, not {arguments.guidance:g}")
    spec, model = run.config.spec, run.load_with(Samples, arguments.prior)
    check_output(out, spec, charts=True)
    if len(factors) > 1 and (spec.kind != "image" or out is None or out.suffix != ".png"):
        raise ConfigError(
            f"truncation: several are drawn as one .png of images; give one, not {arguments.truncation}"
        )
    of = short_name(run.config.model), run.config.source
    if arguments.guidance is not None:
        require(model, Guided, run, *of).guidance = arguments.guidance
    if arguments.class_ is not None:
        model = require(model, Conditional, run, *of).for_class(arguments.class_)
    if arguments.draw and not model.has_likelihood:
        raise ConfigError(f"draw: this {of[0]} has a deterministic decoder; omit --draw")
    draw = _decoded(arguments, model, run, min(factors.values())) or None
    if len(factors) > 1:
        assert out is not None, "a .png"
        each = [model.sample(n, arguments.seed, truncation=psi, draw=draw) for psi in factors.values()]
        x = torch.stack(each, dim=1)
        images = to_bytes(x.flatten(0, 1)).reshape(x.shape)
        save_png(strip(images, list(factors)), out, arguments.overwrite)
        print(out)
        return 0
    (psi,) = factors.values()
    x, y = model.sample_labelled(n, arguments.seed, truncation=psi, draw=draw)
    target = run.config.options.target or "class"
    labels = {} if y is None else {target: [spec.classes[k] for k in y.tolist()]}
    if spec.kind == "vector" and out is not None and out.suffix == ".png":
        _draw(x.cpu().numpy(), spec.columns, out, arguments.overwrite)
    else:
        write_examples(x, spec, out, labels=labels, overwrite=arguments.overwrite)
    if out is None:
        return 0
    print(out)
    if spec.vocabulary is not None:
        print(*spec.vocabulary.decode(x[:PRINTED].cpu().numpy()), sep="\n")
    if spec.schema is not None and not spec.schema.continuous:
        columns = len(spec.schema.columns) + len(labels)
        print(f"{len(x):,} rows of {columns} column{'' if columns == 1 else 's'}")
    elif spec.kind == "vector":
        from simulacra.report.numbers import moments

        means = moments(x.cpu().numpy(), spec.columns, PRINTED)
        print(f"{len(x):,} points, mean (standard deviation): {means}")
    return 0


def _decoded(arguments: Sample, model: Any, run: Run, truncation: float) -> bool:
    """Whether to draw from p(x | z), which the model does as the options say.

    Raises:
        ConfigError: some of them are for draws, and others are not.
    """
    from simulacra.core.capabilities import Decodes

    options = arguments.decoding
    draw = arguments.draw or options.temperature is not None or options.top_p is not None
    if set_decoding(model, options, run) and options.beam is not None:
        if draw:
            raise ConfigError(
                "beam: is for the most probable sentence; leave it out, or --temperature, --top-p and --draw"
            )
        if not isinstance(model, Decodes) and truncation > 0:
            raise ConfigError(
                "beam: this model has no latents and draws its sentences; add --truncation 0 for the most"
                " probable one, or leave --beam out"
            )
    return draw


def _factors(text: str) -> dict[str, float]:
    """The factors of a truncation, by their names.

    >>> _factors("1,0.7,-1")
    {'1': 1.0, '0.7': 0.7, '-1': -1.0}
    """
    factors = {}
    for word in listed(text):
        try:
            factors[word] = float(word)
        except ValueError:
            factors[word] = nan
        if not isfinite(factors[word]):
            raise ConfigError(f"--truncation takes numbers with commas between, e.g. 1,0.7,0, not '{word}'")
    if not factors:
        raise ConfigError("--truncation needs a value: --truncation 0.7")
    return factors


def _draw(x: np.ndarray, names: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """A chart of vectors `(N, D)`, whole or not at all."""
    from simulacra.files import replacing
    from simulacra.report import clouds, figures

    figure = clouds.density(x, names) if len(x) > SCATTERED else clouds.scatter(None, x, names)
    with replacing(out, overwrite) as file:
        file.write_bytes(figures.png(figure, ground="white"))
