"""`simulacra convert FILE.pt --out RUN`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.cli.usage import parse


@dataclass(frozen=True)
class Convert:
    """Make a run of StyleGAN2 weights from elsewhere: a checkpoint of rosinality/stylegan2-pytorch.

    Only tensors are read: a pickled network is refused, since reading it would run code from the file.
    """

    file: tyro.conf.Positional[Path]
    """checkpoint (.pt) with g_ema, and latent_avg and d if it has them"""
    out: Path
    """run folder"""
    data: str | None = None
    """data that the weights were trained on, for reports and evaluation"""


def main(argv: list[str]) -> int:
    arguments = parse(Convert, argv, "simulacra convert")
    from simulacra.tasks.convert import convert

    run = convert(arguments.file, arguments.out, arguments.data)
    config = run.config
    print(run)
    print(f"{config.model}, {config.spec.shape[1]} px, {config.config.width} channels at full size")
    return 0
