"""Checkpoints: saved every so many seconds, when a training is interrupted, and at its end."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from simulacra.core.batch import at_most, in_order
from simulacra.data.spec import Dataset
from simulacra.engine import checkpoint
from simulacra.engine.monitors.monitor import State
from simulacra.models.registry import build
from simulacra.run import RunConfig

# held-out examples for `Model.finish`
EXAMPLES = 5000


class Checkpoints:
    """Saves everything that a training needs to go on, and the weights that it publishes.

    Args:
        seconds: between checkpoints.
        optimizers: of the players.
        ema: the moving average of the weights, where there is one.
        best: the weights with the lowest validation loss, where they are kept.
    """

    def __init__(
        self, seconds: float, optimizers: dict[str, Any], ema: nn.Module | None, best: checkpoint.Best | None
    ) -> None:
        self.seconds, self.optimizers, self.ema, self.best = seconds, optimizers, ema, best
        self.saved = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Whether the last checkpoint is too old."""
        return time.monotonic() - self.saved >= self.seconds

    def due(self, state: State) -> bool:
        return state.stop or state.last or self.overdue

    def run(self, state: State) -> None:
        best = {} if self.best is None else self.best.weights
        weights = best or state.average.state_dict()
        if state.last and len(state.data.validation):
            weights = finished(state.config, weights, state.data.validation, state.model.device)
        checkpoint.save(state.run, state.step, state.model, self.optimizers, self.ema, self.best, weights)
        self.saved = time.monotonic()


def finished(
    config: RunConfig, weights: dict[str, Tensor], held_out: Dataset, device: torch.device
) -> dict[str, Tensor]:
    """The weights after `Model.finish`, which calibrates them on held-out examples."""
    model = build(config.model, config.spec, config.config).to(device).eval()
    model.load_state_dict(weights)
    seed = config.training.seed
    model.finish(in_order(at_most(EXAMPLES, held_out, seed), 256, device, seed))
    return model.state_dict()
