"""`simulacra train MODEL --data SOURCE`: every setting of data, run, model and training is a flat option."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tyro

from simulacra.cli import usage
from simulacra.config import LENGTHS, ONE_LENGTH, Training, configure
from simulacra.data import SOURCES, Options
from simulacra.errors import ConfigError, nearest
from simulacra.models.registry import MODELS, model_card


@dataclasses.dataclass(frozen=True)
class _Source:
    data: str
    """data source, e.g. digits or folder:holiday.zip; 'simulacra data list' shows them"""


@dataclasses.dataclass(frozen=True)
class DataArguments(Options, _Source):
    """What to train on, and how it is read."""

    @property
    def options(self) -> Options:
        return Options(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Options)})


@dataclasses.dataclass(frozen=True)
class RunArguments:
    """Where the results are saved."""

    out: Path | None = None
    """run folder; runs/SOURCE-MODEL by default"""
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False
    """show the data, the model, its memory and the time to the end, measured on some steps; write nothing"""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The parsed options, a group each; `model` is the Config of the model."""

    data: DataArguments
    run: RunArguments
    model: Any
    training: Training


def parse(argv: list[str], recipe: Mapping[str, Any] | None = None, prog: str = "") -> tuple[str, Arguments]:
    """The model's name and the parsed options. Exits with 2 on bad usage. Imports no torch.

    An option replaces a setting of the recipe, which replaces one of the preset, which replaces a default.

    Args:
        argv: MODEL [--preset NAME] [OPTIONS].
        recipe: settings of data, run, model and training, and maybe a `preset`.
        prog: the command in help and usage errors, `simulacra train MODEL` by default.

    Raises:
        ConfigError: no model is named, or an unknown model, preset or setting.
    """
    if argv and argv[0] in ("-h", "--help"):
        models = "\n".join(f"  {name:16} {card.summary}" for name, card in MODELS.items())
        print(f"usage: simulacra train MODEL --data SOURCE [options]\n\n{models}\n")
        print("  simulacra train MODEL --help    every option of a model")
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        raise ConfigError(f"train: name a model first: {', '.join(MODELS)}")
    name, *words = argv
    if name not in MODELS and name.partition(":")[0] in SOURCES:
        raise ConfigError(f"train: '{name}' is a data source; write train MODEL --data {shlex.quote(name)}")
    card = model_card(name)
    chosen = dict(recipe or {})
    preset, words = _take_preset(words)
    default_preset = chosen.pop("preset", None)
    settings = {**_preset_settings(name, default_preset if preset is None else preset), **chosen}
    given = {word.partition("=")[0].removeprefix("--") for word in words} & set(LENGTHS)
    if len(given) > 1:
        raise ConfigError(f"train: {ONE_LENGTH}")
    if given:
        settings = {key: value for key, value in settings.items() if key not in LENGTHS}
    # of a model that is trained for another one, that one's data by default
    groups = DataArguments("" if card.base else tyro.MISSING), RunArguments(), card.Config(), card.training
    data, run, model, training = configure(groups, settings)
    fields: list[Any] = [
        (key, type(group), dataclasses.field(default=group))
        for key, group in {"data": data, "run": run, "model": model, "training": training}.items()
    ]
    shape = dataclasses.make_dataclass("Arguments", fields, bases=(Arguments,), frozen=True)
    presets = "".join(
        f"\n\n--preset {preset}: " + ", ".join(f"{key} {value}" for key, value in one.items())
        for preset, one in card.presets.items()
    )
    parsed = usage.parse(
        tyro.conf.OmitArgPrefixes[shape],  # type: ignore[valid-type,misc]  # made at run time
        words,
        prog or f"simulacra train {name}",
        f"Train {name}: {card.summary}. Run the same command again to resume.{presets}",
        more=["--preset"],
    )
    return name, parsed


def _take_preset(words: list[str]) -> tuple[str | None, list[str]]:
    """The value of `--preset`, None without it, and the other words."""
    for i, word in enumerate(words):
        if word.startswith("--preset="):
            return word.removeprefix("--preset="), words[:i] + words[i + 1 :]
        if word == "--preset":
            return " ".join(words[i + 1 : i + 2]), words[:i] + words[i + 2 :]
    return None, words


def _preset_settings(model: str, preset: str | None) -> Mapping[str, Any]:
    presets = model_card(model).presets
    if preset is None:
        return {}
    if not presets:
        raise ConfigError(f"--preset: {model} has no presets; leave it out")
    if preset not in presets:
        raise ConfigError(f"--preset: unknown '{preset}', {nearest(preset, presets)}")
    return presets[preset]


def main(argv: list[str]) -> int:
    run(*parse(argv))
    return 0


def run(model: str, arguments: Arguments) -> Path:
    """Train as the options say; returns the run folder."""
    from simulacra.api import data_for, default_run, prepare, start
    from simulacra.engine.distributed import is_first_process

    given = arguments.data
    data, options = data_for(model, arguments.model, given.data or None, given.options)
    out = arguments.run.out or default_run(model, data)
    settings = model, data, out, arguments.model, arguments.training, options
    if arguments.run.dry_run:
        from simulacra.cli.dry_run import print_dry_run

        print_dry_run(*prepare(*settings))
        return out
    start(*settings)
    if is_first_process():
        print(f"trained {model}: {out}", file=sys.stderr)
        commands = (shlex.join(["simulacra", verb, str(out)]) for verb in ("evaluate", "report"))
        print(f"next: {'; '.join(commands)}", file=sys.stderr)
    return out
