"""`simulacra recipe [NAME] [options]`: a training, its evaluation and its report by name."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from simulacra.errors import ConfigError, nearest

HELP = """usage: simulacra recipe [NAME] [train options]

Without a name: list the recipes. With one: train, evaluate and write the report; the same command
again resumes. Options of 'simulacra train' after the name replace the recipe's own.
"""


def recipes() -> dict[str, dict[str, Any]]:
    """Every recipe by name, as written in its file."""
    import yaml

    folder = files("simulacra") / "recipes"
    found = {f.name.removesuffix(".yaml"): f for f in folder.iterdir() if f.name.endswith(".yaml")}
    return {name: yaml.safe_load(found[name].read_text(encoding="utf-8")) for name in sorted(found)}


def options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as command-line options.

    >>> options({"latent_dim": 2, "hidden": [512, 256], "binarise": True, "schedule": "cosine"})
    ['--latent-dim', '2', '--hidden', '512', '256', '--binarise', '--schedule', 'cosine']
    """
    words = []
    for key, value in settings.items():
        flag = "--" + key.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, *(str(v) for v in (value if isinstance(value, list) else [value]))]
    return words


def main(argv: list[str]) -> int:
    if argv and argv[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    known = recipes()
    if not argv:
        for name, recipe in known.items():
            print(f"{name:20} {recipe['summary']}")
        return 0
    name, *rest = argv
    if name not in known:
        raise ConfigError(f"unknown recipe '{name}', {nearest(name, known)}")
    from simulacra.cli import evaluate, report, train

    recipe = known[name]
    out = str(train.run([recipe["model"], *options({"out": f"runs/{name}", **recipe["train"]}), *rest]))
    from simulacra.engine.distributed import is_first_process

    if not is_first_process():
        return 0
    evaluate.main([out, *options(recipe.get("evaluate", {}))])
    return report.main([out])
