"""`simulacra sample RUN --out grid.png | folder/ | samples.npz`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Sample:
    """Draw new examples from a trained model."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path
    """grid.png: one picture; folder/ or a name without ending: a PNG each; samples.npz: an array"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    """how many"""
    seed: int = 0
    """of the latents"""
    truncation: float = 1.0
    """how far from their mean latents are drawn: below 1 more typical, less varied"""


def main(argv: list[str]) -> int:
    arguments = tyro.cli(Sample, args=argv, prog="simulacra sample")
    from simulacra.errors import ConfigError, RunError
    from simulacra.game import Noise, Samples
    from simulacra.output import check_output, write_examples
    from simulacra.run import Run

    if arguments.n < 1:
        raise ConfigError(f"n: must be at least 1, not {arguments.n}")
    if not arguments.truncation >= 0:
        raise ConfigError(f"truncation: must be 0 or more, not {arguments.truncation}")
    run = Run(arguments.run)
    check_output(arguments.out, run.config.spec)
    model = run.load()
    if not isinstance(model, Samples):
        raise RunError(f"{run}: a {run.config.model} does not sample; train a vae, or use reconstruct")
    x = model.sample(arguments.n, Noise(arguments.seed), arguments.truncation)
    write_examples(x, arguments.out)
    print(arguments.out)
    return 0
