"""`amplify`: whether a model's predictions are more biased than the data it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit
from simulacra.files import check_unused

if TYPE_CHECKING:
    from simulacra.audit.shared.source import Source


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare the bias of a model's predictions with that of its training data."""

    train: tyro.conf.Positional[Path]
    """CSV the model was trained on, a row for each person and object"""
    preds: tyro.conf.Positional[Path]
    """CSV of its predictions for others, with the same columns"""
    object: str
    """column with an attribute of people (a verb, a job); in the predictions the predicted one"""
    group: str
    """column with people's groups; in the predictions the predicted or the known group"""
    true_object: str | None = None
    """column of the predictions with the true object; the same as --object if it was not predicted"""
    true_group: str | None = None
    """column of the predictions with the true group; the same as --group if it was not predicted"""
    margin: float = 0.05
    """how far a group's share may be from that in training"""
    features: str | None = None
    """columns of numbers of the training data, separated by commas, * for any letters: does a linear
    classifier of them predict an object too often, and do its experts?"""
    rba: Path | None = None
    """where to write the predictions with groups calibrated to within the margin of training"""
    score: str | None = None
    """columns of the predictions with the probability of each group, for --rba: GROUP=COL,GROUP=COL; one may
    be left out"""
    minimum_n: int = 30
    """rows that an object or a group needs in both tables; with fewer, its numbers are withheld"""


def audit(arguments: Arguments) -> Audit:
    """Compare training and predictions.

    Raises:
        ConfigError: an impossible setting.
        DataError: a table cannot be used.
        RunError: the calibrated table cannot be written.
    """
    from simulacra.audit.amplification import (
        bias_amplification,
        corpus_calibration,
        directional_amplification,
        experts,
        over_prediction,
    )
    from simulacra.audit.amplification.tables import read
    from simulacra.audit.shared.source import Source

    _check(arguments)
    if arguments.rba is not None:
        check_unused(arguments.rba, overwrite=arguments.overwrite)
    files: dict[Path, Callable[[Path], None]] = {}
    train, preds = Source(arguments.train), Source(arguments.preds, predictions=True)
    columns = {"object": arguments.object.strip(), "group": arguments.group.strip()}
    named = {"object": arguments.true_object, "group": arguments.true_group}
    true = {key: None if name is None else preds.column(name) for key, name in named.items()}
    features = _features(train, arguments, columns)
    minimum, margin = arguments.minimum_n, arguments.margin
    tables = read(train, preds, columns, true)
    bias = bias_amplification.count(tables, minimum)
    inputs = {f"training {name}": value for name, value in train.about().items()}
    inputs |= {f"predictions {name}": value for name, value in preds.about().items()}
    inputs |= {"object": arguments.object, "group": arguments.group, "margin": margin}
    sections = [
        bias_amplification.training(tables, bias, minimum),
        bias_amplification.amplification(tables, bias, minimum, margin),
        directional_amplification.directions(tables, minimum),
        over_prediction.section(tables, minimum),
    ]
    asked = [
        f"The true {key}: name its column in {preds.title} with --true-{key}; if it was not predicted, name "
        f"the same column as --{key}."
        for key in columns
        if true[key] is None
    ]
    if features:
        name = over_prediction.most_over_predicted(tables)
        sections.append(experts.section(train, features, columns["object"], name, minimum))
        inputs["features"] = f"{len(features):,} columns"
    else:
        asked.append("Whether weak features predict an object too often: name columns with --features.")
    if arguments.rba is not None:
        section, files[arguments.rba] = corpus_calibration.section(
            preds, tables, bias, margin, true["group"], arguments.score, arguments.rba
        )
        sections.append(section)
        inputs["calibrated"] = str(arguments.rba)
    else:
        asked.append("What calibrating the predictions to training would change: name a table with --rba.")
    asked.append("Which actions follow from a prediction, and whom they cost: run 'simulacra audit decide'.")
    return Audit(
        "amplify",
        f"Does the model amplify bias? {columns['object']} by {columns['group']}",
        f"Which {columns['object']} goes with which {columns['group']} in {arguments.train} "
        f"({train.rows - train.left_out:,} rows), and in the predictions, {arguments.preds} ({tables.n:,}).",
        sections,
        inputs,
        asked,
        files,
    )


def _check(arguments: Arguments) -> None:
    from simulacra.errors import ConfigError

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    if not 0 < arguments.margin < 1:
        raise ConfigError(f"margin: a share lies between 0 and 1, not {arguments.margin}")
    if arguments.object.strip() == arguments.group.strip():
        raise ConfigError(f"object, group: both are '{arguments.group}'; name two columns")
    if arguments.rba is None:
        if arguments.score is not None:
            raise ConfigError("score: only calibration uses it; name a table to write with --rba")
        return
    if arguments.rba.is_dir():
        raise ConfigError(f"rba: {arguments.rba} is a folder; name a file")
    if arguments.rba.resolve() in (arguments.train.resolve(), arguments.preds.resolve()):
        raise ConfigError(f"rba: {arguments.rba} is read; name another file to write")
    if arguments.true_group is not None and arguments.true_group.strip() == arguments.group.strip():
        raise ConfigError(
            "rba: it changes predicted groups, and --true-group says that they were not predicted"
        )


def _features(source: Source, arguments: Arguments, columns: dict[str, str]) -> list[str]:
    """The columns of numbers that were asked for, in the order of the table."""
    from simulacra.errors import ConfigError

    if arguments.features is None:
        return []
    patterns = [part.strip() for part in arguments.features.split(",")]
    for pattern in patterns:
        if "*" not in pattern:
            source.column(pattern)
    names = [
        name
        for name in dict.fromkeys(source.names)
        if name not in columns.values() and any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    if not names:
        raise ConfigError(f"features: no column besides object and group is '{arguments.features}'")
    return names
