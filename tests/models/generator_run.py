"""The run of a generator, for models that are trained for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from simulacra import tensors
from simulacra.config import Training
from simulacra.core.model import Model
from simulacra.data.spec import DataSpec, Options
from simulacra.models.registry import build, model_card
from simulacra.run import Run, RunConfig


def generator_run(
    folder: Path, spec: DataSpec, name: str = "gan", source: str = "digits", **settings: Any
) -> Model:
    """Write the run of an untrained model, as a training leaves it; returns the model."""
    config = model_card(name).Config(**settings)
    torch.manual_seed(1)
    model = build(name, spec, config)
    folder.mkdir(parents=True)
    run = Run(folder)
    run.save(RunConfig(name, config, source, Options(), spec, Training()))
    tensors.write(run.weights, model.state_dict())
    return model.eval()
