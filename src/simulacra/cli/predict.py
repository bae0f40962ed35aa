"""`simulacra predict RUN --data SOURCE --out predictions.csv`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.cli.usage import parse


@dataclass(frozen=True)
class Predict:
    """Write what a model predicts for every example: mean, spread, quantiles, or classes."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    data: str
    """data source; of csv:PATH every row in the order of the file, whether its target is known or not; of
    others one split, the test split when none is named"""
    out: Path
    """predictions.csv: a line for every example; predictions.npz: arrays; of images also means.png"""
    samples: int = 0
    """draws of every predicted distribution"""
    seed: int = 0
    """of the draws"""


def main(argv: list[str]) -> int:
    arguments = parse(Predict, argv, "simulacra predict")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    from simulacra.core.capabilities import Predicts
    from simulacra.errors import ConfigError, DataError
    from simulacra.tasks.predict import check_out, predictions, write_csv, write_npz, write_pictures

    if arguments.samples < 0:
        raise ConfigError(f"samples: must be 0 or more, not {arguments.samples}")
    out = arguments.out
    spec = run.config.spec
    check_out(out, spec)
    model = run.load_with(Predicts)
    x, notes = run.inputs(arguments.data)
    for note in notes:
        print(f"simulacra: {note}", file=sys.stderr)
    if len(x) == 0:
        raise DataError(f"{arguments.data}: no examples; choose another split")
    arrays = predictions(model, x, arguments.samples, arguments.seed)
    if out.suffix == ".npz":
        write_npz(arrays, out)
    elif out.suffix == ".png":
        write_pictures(arrays, out)
    else:
        write_csv(arrays, spec, out)
    print(out)
    return 0
