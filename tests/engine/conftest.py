"""A small training, as a function of its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest

from simulacra import data as sources
from simulacra.config import Training
from simulacra.core.model import Model
from simulacra.data import Data, Options
from simulacra.engine.loop import train
from simulacra.models.vae.card import VAEConfig
from simulacra.run import Run, RunConfig


class Trains(Protocol):
    def __call__(
        self, name: str, config: dict[str, Any] | None = None, **training: Any
    ) -> tuple[Run, Model]: ...


@pytest.fixture(scope="session")
def digits() -> Data:
    return sources.load("digits")


@pytest.fixture
def trains(tmp_path: Path, digits: Data) -> Trains:
    def run_it(name: str, config: dict[str, Any] | None = None, **training: Any) -> tuple[Run, Model]:
        run = Run(tmp_path / name)
        vae = VAEConfig(**{"latent_dim": 2, "hidden": (32,), **(config or {})})
        settings = Training(**{"batch_size": 64, "steps": 20, "log_every": 5, **training})
        model = train(run, RunConfig("vae", vae, "digits", Options(), digits.spec, settings), digits)
        return run, model

    return run_it
