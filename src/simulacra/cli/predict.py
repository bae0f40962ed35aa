"""`simulacra predict RUN --data SOURCE --out predictions.csv`."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from simulacra.cli.usage import Overwrite, parse


@dataclass(frozen=True)
class Predict:
    """Write what a model predicts for every example: mean, spread, quantiles, or classes.

    Of a model that predicts nothing, but reconstructs or has a likelihood: scores that are larger the less an
    example is like the training data.
    """

    run: tyro.conf.Positional[Path]
    """run folder"""
    inputs: tyro.conf.Positional[tuple[Path, ...]]
    """image files, folders and .zip files of images; or --data"""
    out: Path
    """predictions.csv: a line for every example; predictions.npz: arrays; of images also means.png"""
    overwrite: Overwrite = False
    data: str | None = None
    """data source: every example in its order, whether or not it is known what is to be predicted"""
    split: Literal["all", "train", "validation", "test", "new"] = "all"
    """examples of one of the run's splits; new: those that are in none of them"""
    samples: int = 0
    """draws of every predicted distribution"""
    seed: int = 0
    """of the draws"""


def main(argv: list[str]) -> int:
    arguments = parse(Predict, argv, "simulacra predict")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    import numpy as np

    from simulacra.core.capabilities import Predicts, require
    from simulacra.data.spec import Dataset
    from simulacra.errors import ConfigError, DataError, printable
    from simulacra.files import check_unused
    from simulacra.metrics.anomaly import SCORES, anomaly_scores
    from simulacra.models.registry import short_name
    from simulacra.tasks.inputs import read_files, read_source
    from simulacra.tasks.predict import check_out, predictions, write_csv, write_npz, write_pictures

    if (arguments.data is None) == (not arguments.inputs):
        raise ConfigError("inputs: name image files or folders, or a source with --data")
    if arguments.samples < 0:
        raise ConfigError(f"samples: must be 0 or more, not {arguments.samples}")
    out = arguments.out
    spec = run.config.spec
    check_out(out, spec)
    check_unused(out, overwrite=arguments.overwrite)
    model = run.load()
    if not isinstance(model, Predicts) and isinstance(model, tuple(SCORES.values())):
        if arguments.samples:
            raise ConfigError("samples: this model predicts no distribution to draw from; leave it out")
        predictor = None
    else:
        predictor = require(model, Predicts, run, short_name(run.config.model), run.config.source)
    bad: dict[str, str] = {}
    if arguments.data is not None:
        inputs = read_source(run, arguments.data)
    else:
        inputs, bad = read_files(run, arguments.inputs)
    for note in (*inputs.notes, *(f"{file}: {reason}" for file, reason in bad.items())):
        print(f"simulacra: {printable(note)}", file=sys.stderr)
    if arguments.split != "all":
        inputs = inputs.take(np.flatnonzero(inputs.split == arguments.split))
    if len(inputs) == 0:
        raise DataError(f"{arguments.data or 'inputs'}: no examples; choose another split")
    if predictor is None:
        arrays = anomaly_scores(model, Dataset(spec, inputs.x), seed=arguments.seed)
    else:
        arrays = predictions(predictor, inputs.x, arguments.samples, arguments.seed)
    if out.suffix == ".npz":
        write_npz(inputs, arrays, out, arguments.overwrite)
    elif out.suffix == ".png":
        write_pictures(arrays, out, arguments.overwrite)
    else:
        write_csv(inputs, arrays, spec, out, arguments.overwrite)
    print(out)
    counts = Counter(inputs.split.tolist())
    print(f"{len(inputs):,} predictions: " + ", ".join(f"{n:,} {name}" for name, n in counts.most_common()))
    if bad:
        raise DataError(
            f"{len(bad):,} of {len(bad) + len(inputs):,} files could not be read, as reported above"
        )
    if inputs.left_out and arguments.split == "all":
        total = len(inputs) + inputs.left_out
        raise DataError(f"{inputs.left_out:,} of {total:,} rows have empty cells, as reported above")
    return 0
