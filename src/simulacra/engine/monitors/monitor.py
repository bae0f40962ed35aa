"""The interface of monitors, and the state of a training that they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from simulacra.core.model import Model
from simulacra.data.spec import Data
from simulacra.engine.events import Events
from simulacra.run import Run, RunConfig


@dataclass
class State:
    """A training between two steps.

    Attributes:
        run: its folder.
        config: model, data and training.
        data: the splits.
        model: the model in training.
        average: the model with the weights that will be published: the moving average where there is one.
        events: the log.
        steps: length of the training.
        step: steps played so far.
    """

    run: Run
    config: RunConfig
    data: Data
    model: Model
    average: Model
    events: Events
    steps: int
    step: int = 0

    @property
    def last(self) -> bool:
        """Whether the training is complete."""
        return self.step == self.steps

    @property
    def seed(self) -> int:
        """Random seed of the training."""
        return self.config.training.seed


class Monitor(Protocol):
    """Something that happens now and then in a training, in the first process only."""

    def due(self, state: State) -> bool:
        """Whether it happens after this step: a function of the step alone."""
        ...

    def run(self, state: State) -> None:
        """Let it happen."""
        ...


def every(n: int, state: State) -> bool:
    """Whether a step is a multiple of n, or the last one."""
    return state.last or state.step % n == 0
