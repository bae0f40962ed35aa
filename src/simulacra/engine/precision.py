"""The arithmetic of a training, where it is left open."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from simulacra.engine.distributed import find_device
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig


def settled(run: Run, config: RunConfig) -> RunConfig:
    """The config with what `--precision auto` is on this device for this model.

    A training that goes on keeps what it began with, on whatever device.

    Raises:
        ConfigError: the device asked for is not there.
    """
    from simulacra.accelerate.processor import gains_bf16

    training = config.training
    if training.precision != "auto":
        return config
    precision: Literal["auto", "32", "bf16"]
    if run.started:
        precision = run.config.training.precision
    else:
        gains = model_card(config.model).gains_bf16(config.config, config.spec)
        precision = "bf16" if gains and gains_bf16(find_device(training)) else "32"
    return replace(config, training=replace(training, precision=precision))
