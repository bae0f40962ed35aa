"""`simulacra density RUN --kind gmm`: fit a density to the latents of a run, which becomes a prior of it."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import tyro

from simulacra.cli import usage
from simulacra.cli.usage import Overwrite
from simulacra.config import configure
from simulacra.models.registry import density_model, model_card


@dataclasses.dataclass(frozen=True)
class Density:
    """Fit a density to the latents of a run: `sample --prior` draws from it."""

    run: tyro.conf.Positional[Path]
    """run folder of a model that encodes and decodes, e.g. an autoencoder"""
    kind: str
    """mvn: multivariate normal; gmm: mixture of normals; flow: normalising flow; flow-matching;
    conditional-flow-matching: given the class; or a model that samples, by its name"""
    name: str | None = None
    """of the prior; the kind when not given"""
    overwrite: Overwrite = False


def main(argv: list[str]) -> int:
    kind = _kind(argv)
    if not kind:
        text = f"{Density.__doc__} With --kind KIND before --help: the options of that kind too."
        usage.parse(Density, argv, "simulacra density", text)
    model, fixed = density_model(kind)
    card = model_card(model)
    config, training = configure((card.Config(), card.training), fixed)
    groups = {"model": config, "training": training}
    fields: list[Any] = [(key, type(one), dataclasses.field(default=one)) for key, one in groups.items()]
    shape = dataclasses.make_dataclass("Arguments", [("density", Density), *fields], frozen=True)
    parsed: Any = usage.parse(
        tyro.conf.OmitArgPrefixes[shape],  # type: ignore[valid-type,misc]  # made at run time
        argv,
        "simulacra density",
        f"{Density.__doc__} Kind {kind}, the model {model}: {card.summary}.",
    )
    return _fit(parsed.density, model, parsed.model, parsed.training)


def _kind(argv: list[str]) -> str:
    """The value of `--kind`; empty without it."""
    for word, value in zip(argv, [*argv[1:], ""], strict=True):
        if word == "--kind":
            return value
        if word.startswith("--kind="):
            return word.removeprefix("--kind=")
    return ""


def _fit(arguments: Density, model: str, config: Any, training: Any) -> int:
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    from simulacra.engine.distributed import is_first_process
    from simulacra.files import replacing
    from simulacra.report import figures
    from simulacra.report.priors import prior_figure
    from simulacra.tasks import density as task

    name = arguments.name or arguments.kind
    generator, latents = task.start(run, model, name, config, training, arguments.overwrite)
    if not is_first_process():
        return 0
    held = latents.test if len(latents.test) else latents.train
    picture = task.folder_of(run, name) / "density.png"
    with replacing(picture) as file:
        file.write_bytes(figures.png(prior_figure(generator, held.x, training.seed), ground="white"))
    print(picture)
    log_p = task.held_out_log_likelihood(generator.prior, latents)
    if log_p is not None:
        size = generator.latent.size
        print(f"ln p(z) of held-out latents of {size} numbers: {log_p:.2f} nats on average")
    print(f"next: simulacra sample {run} --prior {name} --out samples.png", file=sys.stderr)
    return 0
