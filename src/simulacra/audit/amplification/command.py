"""`amplify`: whether a model's predictions lean further than the data it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

if TYPE_CHECKING:
    from simulacra.audit.amplification.measures import Key
    from simulacra.audit.shared.source import Source


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Hold what a model says of groups against what its training data say."""

    train: tyro.conf.Positional[Path]
    """CSV the model was trained on, a row for each person and object"""
    preds: tyro.conf.Positional[Path]
    """CSV of what it says of others, with the same columns"""
    object: str
    """column with what is said of somebody; in the predictions what the model says"""
    group: str
    """column with people's groups; in the predictions what the model says, or what is known"""
    true_object: str | None = None
    """column of the predictions with what is so; --object's own if it was not predicted"""
    true_group: str | None = None
    """column of the predictions with people's real groups; --group's own if it was not predicted"""
    margin: float = 0.05
    """how far a group's share may be from that in training"""
    features: str | None = None
    """columns of numbers of the training data, with commas between them, * for any letters: would a linear
    classifier of them say an object too often, and would its experts?"""
    rba: Path | None = None
    """where to write the predictions with groups calibrated to within the margin of training"""
    score: str | None = None
    """columns of the predictions with the probability of each group, for --rba: GROUP=COL,GROUP=COL; one may
    be left out"""
    minimum_n: int = 30
    """rows that a number of an object or a group needs in both tables; below, it is withheld"""


def audit(arguments: Arguments) -> Audit:
    """Compare training and predictions.

    Raises:
        ConfigError: an impossible setting.
        DataError: a table cannot be used.
        RunError: the calibrated table cannot be written.
    """
    from simulacra.audit.amplification import corpus_calibration, directions, experts
    from simulacra.audit.amplification.measures import leanings, priors, read, widest
    from simulacra.audit.amplification.sections import amplification, training
    from simulacra.audit.shared.source import Source

    _check(arguments)
    train, preds = Source(arguments.train), Source(arguments.preds)
    columns: dict[Key, str] = {"object": arguments.object.strip(), "group": arguments.group.strip()}
    true: dict[Key, str | None] = {
        "object": _named(preds, arguments.true_object),
        "group": _named(preds, arguments.true_group),
    }
    features = _features(train, arguments, columns)
    tables = read(train, preds, columns, true)
    found, small = leanings(tables, arguments.minimum_n)
    inputs = {f"training {name}": value for name, value in train.about().items()}
    inputs |= {f"predictions {name}": value for name, value in preds.about().items()}
    inputs |= {"object": arguments.object, "group": arguments.group, "margin": arguments.margin}
    sections = [
        training(tables, found, small, arguments.minimum_n),
        amplification(tables, found, small, arguments.minimum_n, arguments.margin),
        directions.directions(tables, arguments.minimum_n),
        directions.over_prediction(tables, arguments.minimum_n),
    ]
    asked = [
        f"What the {key} really was: give its column in {preds.title} with --true-{key}, or --{key}'s own if "
        f"it was not predicted."
        for key in columns
        if true[key] is None
    ]
    if features:
        name, _, _ = widest(priors(tables))
        sections.append(experts.section(train, features, columns["object"], name, arguments.minimum_n))
        inputs["features"] = f"{len(features):,} columns"
    else:
        asked.append("Whether weak features would say an object too often: name columns with --features.")
    if arguments.rba is not None:
        sections.append(
            corpus_calibration.section(
                preds, tables, found, arguments.margin, true["group"], arguments.score, arguments.rba
            )
        )
        inputs["calibrated"] = str(arguments.rba)
    else:
        asked.append("What calibrating the predictions to training would do: name a table with --rba.")
    asked.append("What is done about a prediction, and whom that costs: run 'simulacra audit decide'.")
    return Audit(
        "amplify",
        f"Does the model amplify what it saw? {columns['object']} by {columns['group']}",
        f"What goes with whom in {arguments.train} ({train.rows - train.left_out:,} rows), and in the "
        f"predictions {arguments.preds} ({tables.n:,} rows).",
        sections,
        inputs,
        asked,
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
            raise ConfigError("score: only calibrating uses it; name a table to write with --rba")
        return
    if arguments.rba.is_dir():
        raise ConfigError(f"rba: {arguments.rba} is a folder; name a file")
    if arguments.rba.resolve() in (arguments.train.resolve(), arguments.preds.resolve()):
        raise ConfigError(f"rba: {arguments.rba} is read; name another file to write")
    if arguments.true_group is not None and arguments.true_group.strip() == arguments.group.strip():
        raise ConfigError(
            "rba: it changes predicted groups, and --true-group says that they were not predicted"
        )


def _named(source: Source, column: str | None) -> str | None:
    return None if column is None else source.column(column)


def _features(source: Source, arguments: Arguments, columns: dict[Key, str]) -> list[str]:
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
