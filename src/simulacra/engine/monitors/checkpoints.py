"""Checkpoints: saved every so many seconds, when a training is interrupted, and at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch
from torch import Tensor

from simulacra.core.batch import at_most, in_order
from simulacra.data.spec import Dataset
from simulacra.engine import checkpoint
from simulacra.engine.monitors.monitor import State
from simulacra.engine.session import Session
from simulacra.models.registry import build
from simulacra.run import RunConfig

# held-out examples for `Model.finish`
EXAMPLES = 5000


class Checkpoints:
    """Saves everything that a training needs to go on, and the weights that it publishes.

    Args:
        seconds: between checkpoints.
        session: the training.
        best: the weights with the lowest validation loss, where they are kept.
    """

    def __init__(self, seconds: float, session: Session, best: checkpoint.Best | None) -> None:
        self.seconds, self.session, self.best = seconds, session, best
        self.saved = time.monotonic()

    @property
    def overdue(self) -> bool:
        """Whether the last checkpoint is too old."""
        return time.monotonic() - self.saved >= self.seconds

    def save(self, state: State, record: Mapping[str, Tensor], pending: bool = False) -> None:
        """Publish the weights, then write a checkpoint.

        A run that dies in between goes on from the checkpoint before, and writes both again.

        Args:
            state: of the training.
            record: terms that are not logged yet.
            pending: whether the events of this step are still to happen.
        """
        self.publish(state)
        checkpoint.save(state.run, self.session, state.step, record, self.best, pending)
        self.saved = time.monotonic()

    def publish(self, state: State) -> None:
        """Write model.safetensors."""
        best = {} if self.best is None else self.best.weights
        weights = best or state.average.state_dict()
        if state.last and len(state.data.validation):
            weights = finished(state.config, weights, state.data.validation, state.model.device)
        checkpoint.save_weights(state.run, weights, state.model)


def finished(
    config: RunConfig, weights: dict[str, Tensor], held_out: Dataset, device: torch.device
) -> dict[str, Tensor]:
    """The weights after `Model.finish`, which calibrates them on held-out examples."""
    model = build(config.model, config.spec, config.config).to(device).eval()
    model.load_state_dict(weights)
    seed = config.training.seed
    model.finish(in_order(at_most(EXAMPLES, held_out, seed), 256, device, seed))
    return model.state_dict()
