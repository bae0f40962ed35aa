"""`simulacra recipe [NAME] [options]`: trainings, an evaluation, other commands and a report by name."""

from __future__ import annotations

import shlex
from dataclasses import replace
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from simulacra.cli import train
from simulacra.errors import ConfigError, nearest

HELP = """usage: simulacra recipe [NAME] [train options]

Without a name: list the recipes. With one: train, evaluate, run the recipe's other commands and write
the report; the same command again resumes. Options of 'simulacra train' after the name override the recipe.
"""


def recipes() -> dict[str, dict[str, Any]]:
    """Every recipe by name, as written in its file."""
    import yaml

    folder = files("simulacra") / "recipes"
    found = {f.name.removesuffix(".yaml"): f for f in folder.iterdir() if f.name.endswith(".yaml")}
    return {name: yaml.safe_load(found[name].read_text(encoding="utf-8")) for name in sorted(found)}


def main(argv: list[str]) -> int:
    if argv and argv[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    known = recipes()
    if not argv:
        for name, recipe in known.items():
            print(f"{name:24} {recipe['summary']}")
        return 0
    name, *words = argv
    if name not in known:
        raise ConfigError(f"unknown recipe '{name}', {nearest(name, known)}")
    from simulacra.cli import evaluate, report

    recipe = known[name]
    first, *others = trainings(name, recipe, words)
    out = train.run(*first)
    for one in others:
        train.run(*one)
    from simulacra.engine.distributed import is_first_process

    if first[1].run.dry_run or not is_first_process():
        return 0
    evaluate.run(evaluate.Evaluate(out, **recipe.get("evaluate", {})))
    for verb, *rest in commands(recipe, out):
        import_module(f"simulacra.cli.{verb}").main(rest)
    return report.main([str(out)])


def trainings(name: str, recipe: dict[str, Any], words: list[str]) -> list[tuple[str, train.Arguments]]:
    """The model and the options of each training: of RUN, and of RUN-VARIANT for each of `variants`.

    A variant has the settings under `train`, but for its own; options of the command line replace both.
    """
    parsed: list[tuple[str, train.Arguments]] = []
    for variant, changes in {"": {}, **recipe.get("variants", {})}.items():
        settings = {"model": recipe["model"], "out": Path("runs") / name, **recipe["train"], **changes}
        model, arguments = train.parse([settings.pop("model"), *words], settings, f"simulacra recipe {name}")
        if variant:
            folder = Path(f"{arguments.run.out}-{variant}")
            arguments = replace(arguments, run=replace(arguments.run, out=folder))
        parsed.append((model, arguments))
    return parsed


def commands(recipe: dict[str, Any], out: Path) -> list[list[str]]:
    """The words of the commands under `then`, in which RUN is the run folder.

    >>> commands({"then": ["sample RUN --out RUN/grid.png"]}, Path("my runs/vae"))
    [['sample', 'my runs/vae', '--out', 'my runs/vae/grid.png']]
    """
    return [[word.replace("RUN", str(out)) for word in shlex.split(text)] for text in recipe.get("then", [])]
