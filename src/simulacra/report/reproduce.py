"""The command that repeats the training of a run, and what it was made with."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from simulacra.data.spec import is_arrays
from simulacra.limits import CONFIG_BYTES, load_yaml, read_bytes
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig


def command(config: RunConfig, out: str | Path | None = None) -> str:
    """The `simulacra train` command with every setting that is not at its default, quoted for a shell.

    Args:
        config: of the run.
        out: the run folder; left out for None.

    >>> from simulacra.config import Training
    >>> from simulacra.data import DataSpec, Options
    >>> from simulacra.models.vae.card import VAEConfig
    >>> spec, training = DataSpec("image", (1, 32, 32)), Training(epochs=3.0)
    >>> model = VAEConfig(hidden=(64, 32), binarise=True)
    >>> command(RunConfig("vae", model, "folder:my pictures", Options(image_size=32), spec, training))
    "simulacra train vae --data 'folder:my pictures' --hidden 64 32 --binarise --image-size 32 --epochs 3.0"
    """
    # arrays are not stored
    source = "SOURCE" if is_arrays(config.source) else config.source
    words = ["simulacra", "train", config.model, "--data", source]
    words += [] if out is None else ["--out", str(out)]
    words += _words(changed(config.config)) + _words(changed(config.options))
    return shlex.join(words + _words(retrained(config)))


def retrained(config: RunConfig) -> dict[str, Any]:
    """The settings of the training that are not at the defaults of the model."""
    card = model_card(config.model)
    settings = changed(config.training, card.training)
    if settings.get("precision") == "32" and not card.gains_bf16(config.config, config.spec):
        # what it is by itself, on every machine
        del settings["precision"]
    if "steps" in settings:
        # how many fitted the minutes on that machine
        settings.pop("minutes", None)
    return settings


def changed(part: Any, default: Any = None) -> dict[str, Any]:
    """The fields of a dataclass that are not at their defaults, those of `default` where it is given."""
    default = type(part)() if default is None else default
    return {
        field.name: value
        for field in dataclasses.fields(part)
        if (value := getattr(part, field.name)) != getattr(default, field.name)
    }


def versions(run: Run) -> dict[str, str]:
    """The versions that config.yaml names."""
    document, _ = load_yaml(read_bytes(run.path / "config.yaml", CONFIG_BYTES).decode())
    found = document.get("versions")
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _words(settings: dict[str, Any]) -> list[str]:
    words = []
    for name, value in settings.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{option}", *map(str, values)]
    return words
