"""`simulacra reconstruct RUN --data SOURCE --out pairs.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from simulacra.cli.decoding import SEARCH, Search, set_decoding
from simulacra.cli.usage import Overwrite, parse


@dataclass(frozen=True)
class Reconstruct:
    """Show examples beside what the model makes of them: original, reconstruction, original, ..."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    out: Path | None = None
    """pairs.png: one picture; folder/: a PNG each; pairs.npz: an array; of sentences pairs.txt, and
    without it they are printed"""
    overwrite: Overwrite = False
    data: str | None = None
    """data source, e.g. digits@test; the run's own test split when not given"""
    n: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None
    """number of examples of the data; 32 when not given"""
    texts: tuple[str, ...] = ()
    """sentences in place of those of the data"""
    decoding: tyro.conf.OmitArgPrefixes[Search] = SEARCH


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
    from simulacra.tasks.interpolate import read_examples

    n, out, spec = 32 if arguments.n is None else arguments.n, arguments.out, run.config.spec
    if n < 1:
        raise ConfigError(f"n: must be at least 1, not {n}")
    if arguments.texts and (arguments.data is not None or arguments.n is not None):
        raise ConfigError("texts: cannot be combined with --data and -n; leave one of them out")
    check_output(out, spec)
    if out is not None:
        check_unused(out, overwrite=arguments.overwrite)
    split = split_of(arguments.data)
    model = run.load_with(Reconstructs)
    set_decoding(model, arguments.decoding, run)
    if arguments.texts:
        x = tensor(read_examples(spec, texts=arguments.texts))
    else:
        dataset = run.data(arguments.data).split(split).take(slice(0, n))
        if len(dataset) == 0:
            raise DataError(
                f"{arguments.data or run.config.source}@{split}: no examples; choose another split"
            )
        x = tensor(dataset.x)
    both = torch.stack([x, model.reconstruct(x)], dim=1).flatten(0, 1)
    write_examples(both, spec, out, columns=2 if spec.kind == "text" else 8, overwrite=arguments.overwrite)
    if out is not None:
        print(out)
    return 0
