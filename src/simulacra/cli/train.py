"""`simulacra train MODEL --data SOURCE`: every setting of model and training is a flat option."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import tyro

from simulacra.cli.recipe import options
from simulacra.config import Training
from simulacra.data import Options
from simulacra.errors import ConfigError, nearest
from simulacra.models.registry import MODELS, model_card


@dataclasses.dataclass(frozen=True)
class Where:
    """From where to where."""

    data: str
    """data source, e.g. digits or folder:holiday.zip; 'simulacra data list' shows them"""
    out: Path | None = None
    """run folder; runs/SOURCE-MODEL when not given"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the command line says."""

    where: Where
    options: Options
    training: Training
    config: Any


def parse(argv: list[str]) -> tuple[str, Arguments]:
    """The model's name and the parsed options. Exits with 2 on bad usage. Imports no torch.

    Raises:
        ConfigError: no model is named, or an unknown one.
    """
    models = "\n".join(f"  {name:12} {one.summary}" for name, one in MODELS.items())
    if argv and argv[0] in ("-h", "--help"):
        print(f"usage: simulacra train MODEL --data SOURCE [options]\n\n{models}\n")
        print("  simulacra train MODEL --help    every option of a model")
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        raise ConfigError(f"train: name a model first: {', '.join(MODELS)}")
    name, *rest = argv
    one = model_card(name)
    presets = "".join(
        f"\n\n--preset {preset}: {' '.join(options(settings))}" for preset, settings in one.presets.items()
    )
    # the model's own settings, and its defaults for those of the training
    fields: list[Any] = [
        ("config", one.Config),
        ("training", Training, dataclasses.field(default=one.training)),
    ]
    shape = dataclasses.make_dataclass("Arguments", fields, bases=(Arguments,), frozen=True, kw_only=True)
    parsed = tyro.cli(
        tyro.conf.OmitArgPrefixes[shape],  # type: ignore[valid-type,misc]  # made at run time
        args=_expanded(name, rest),
        prog=f"simulacra train {name}",
        description=f"Train: {one.summary}. The same command again resumes.{presets}",
    )
    return name, parsed


def _expanded(model: str, words: list[str]) -> list[str]:
    """The options, with those of a preset before them, which they replace.

    Raises:
        ConfigError: the model has no such preset.
    """
    spelled = [part for word in words for part in (word.split("=", 1) if "--preset=" in word else [word])]
    if "--preset" not in spelled:
        return words
    at = spelled.index("--preset")
    name, presets = " ".join(spelled[at + 1 : at + 2]), model_card(model).presets
    if not presets:
        raise ConfigError(f"--preset: {model} has none")
    if name not in presets:
        raise ConfigError(f"--preset: unknown '{name}', {nearest(name, presets)}")
    return [*options(presets[name]), *spelled[:at], *spelled[at + 2 :]]


def main(argv: list[str]) -> int:
    run(argv)
    return 0


def run(argv: list[str]) -> Path:
    """Train as the command line says; returns the run folder."""
    name, arguments = parse(argv)
    from simulacra.api import default_run, start
    from simulacra.engine.distributed import is_first_process

    out = arguments.where.out or default_run(name, arguments.where.data)
    start(name, arguments.where.data, out, arguments.config, arguments.training, arguments.options)
    if is_first_process():
        print(f"trained {name}: {out}", file=sys.stderr)
        print(f"next: simulacra evaluate {out}; simulacra report {out}", file=sys.stderr)
    return out
