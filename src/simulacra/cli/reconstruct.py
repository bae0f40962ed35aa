"""`simulacra reconstruct RUN --data SOURCE --out pairs.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from simulacra.cli.usage import Overwrite, parse


@dataclass(frozen=True)
class Reconstruct:
    """Show examples beside what the model makes of them: original, reconstruction, original, ..."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path
    """pairs.png: one picture; folder/: a PNG each; pairs.npz: an array"""
    overwrite: Overwrite = False
    data: str | None = None
    """data source, e.g. digits@test; the run's own test split when not given"""
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 32
    """number of examples"""


def main(argv: list[str]) -> int:
    arguments = parse(Reconstruct, argv, "simulacra reconstruct")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import torch

    from simulacra.core.batch import tensor
    from simulacra.core.capabilities import Reconstructs
    from simulacra.data import split_of
    from simulacra.errors import ConfigError, DataError
    from simulacra.files import check_unused
    from simulacra.tasks.export_examples import check_output, write_examples

    if arguments.n < 1:
        raise ConfigError(f"n: must be at least 1, not {arguments.n}")
    check_output(arguments.out, run.config.spec)
    check_unused(arguments.out, overwrite=arguments.overwrite)
    split = split_of(arguments.data)
    model = run.load_with(Reconstructs)
    dataset = run.data(arguments.data).split(split).take(slice(0, arguments.n))
    if len(dataset) == 0:
        raise DataError(f"{arguments.data or run.config.source}@{split}: no examples; choose another split")
    x = tensor(dataset.x)
    y = model.reconstruct(x)
    both = torch.stack([x, y], dim=1).flatten(0, 1)
    columns = 2 if run.config.spec.kind == "text" else 8
    write_examples(both, run.config.spec, arguments.out, columns=columns, overwrite=arguments.overwrite)
    print(arguments.out)
    return 0
