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
        stop: whether it stops after this step.
    """

    run: Run
    config: RunConfig
    data: Data
    model: Model
    average: Model
    events: Events
    steps: int
    step: int = 0
    stop: bool = False

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
        """Whether it happens now; asked whenever the training logs."""
        ...

    def run(self, state: State) -> None:
        """Let it happen."""
        ...


class Every:
    """True at the first log after each multiple of n steps, and at the last step.

    >>> every = Every(10, start=0)
    >>> [every.passed(step) for step in (5, 11, 19, 20)]
    [False, True, False, True]
    """

    def __init__(self, n: int, start: int) -> None:
        self.n, self.before = n, start

    def passed(self, step: int, last: bool = False) -> bool:
        passed = last or step // self.n > self.before // self.n
        self.before = step
        return passed
