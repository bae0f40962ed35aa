"""The commands that make a run, and work with it, once more."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import yaml

from simulacra.run import Run, RunConfig


def command(config: RunConfig, out: str | Path | None = None) -> str:
    """The `simulacra train` command with every setting that is not at its default, quoted for a shell.

    Args:
        config: of the run.
        out: the run folder, where it is to be named.

    >>> from simulacra.config import Training
    >>> from simulacra.data import DataSpec, Options
    >>> from simulacra.models.configs import VAEConfig
    >>> spec, training = DataSpec("image", (1, 32, 32)), Training(epochs=3.0)
    >>> model = VAEConfig(hidden=(64, 32), binarise=True)
    >>> command(RunConfig("vae", model, "folder:my pictures", Options(image_size=32), spec, training))
    "simulacra train vae --data 'folder:my pictures' --hidden 64 32 --binarise --image-size 32 --epochs 3.0"
    """
    words = ["simulacra", "train", config.model, "--data", config.source]
    words += [] if out is None else ["--out", str(out)]
    for part in (config.config, config.options, config.training):
        words += _words(part)
    return shlex.join(words)


def changed(part: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not at their defaults."""
    default = type(part)()
    return {
        field.name: value
        for field in dataclasses.fields(part)
        if (value := getattr(part, field.name)) != getattr(default, field.name)
    }


def versions(run: Run) -> dict[str, str]:
    """The versions that config.yaml names."""
    document = yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8"))
    return dict(document.get("versions") or {})


def _words(part: Any) -> list[str]:
    words = []
    for name, value in changed(part).items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            values = value if isinstance(value, tuple) else (value,)
            words += [f"--{option}", *map(str, values)]
    return words
