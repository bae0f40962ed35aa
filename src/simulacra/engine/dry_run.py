"""What a training will take: a few of its steps are played and thrown away. Nothing is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import torch

from simulacra.data.spec import Data
from simulacra.engine.distributed import launch
from simulacra.engine.monitors.sample_grids import sample_grid
from simulacra.engine.monitors.scores import Scores
from simulacra.engine.monitors.validation import GRIDS, VALIDATIONS, all_terms
from simulacra.engine.session import Session
from simulacra.run import Run, RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Steps that are measured one after the other: penalties of a GAN come every 4 steps.
BLOCK = 4
# Steps that are measured at least, and at most.
FEWEST, MOST = 2 * BLOCK, 1000
# The share of `Training.minutes` for which steps are measured.
SHARE = 1 / 30


@dataclass(frozen=True)
class DryRun:
    """What was measured.

    Attributes:
        device: `cpu`, `cuda` or `mps`.
        batch_size: examples of a step.
        steps: length of the training; 0 for a model that is solved instead.
        parameters: player -> number of its parameters; empty for a model that is solved.
        preparation: seconds before the first step.
        step: seconds a step; 0 without steps.
        monitors: seconds that validations, sample grids and scores take altogether.
        memory: bytes at the peak, of the process or on the GPU; None where it is not known.
    """

    device: str
    batch_size: int
    steps: int
    parameters: dict[str, int]
    preparation: float
    step: float
    monitors: float
    memory: int | None

    def seconds(self, start: int = 0) -> float:
        """From step `start` to the end."""
        left = max(0, self.steps - start)
        share = left / self.steps if self.steps else 0.0
        return (0.0 if start else self.preparation) + self.step * left + self.monitors * share


class _Recurring(NamedTuple):
    """Something that happens now and then: its seconds, and how many steps apart, or else how often."""

    seconds: float
    every: int | None
    times: int

    def total(self, steps: int) -> float:
        return self.seconds * (self.times if self.every is None else ceil(steps / self.every))


def dry_run(config: RunConfig, data: Data, fabric: Fabric | None = None) -> DryRun:
    """Measure a training, and with `Training.minutes` how many steps fit.

    Args:
        config: model, data and training.
        data: the data that `config` names, loaded.
        fabric: the devices, if they are started already.

    Raises:
        ConfigError: the settings do not fit the data.
    """
    training = config.training
    fabric = launch(training) if fabric is None else fabric
    if fabric.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(fabric.device)
    session = Session(config, data, fabric)
    began = time.perf_counter()
    session.model.prepare(data.train)
    preparation = time.perf_counter() - began
    steps, step, monitors = session.steps, 0.0, 0.0
    if steps:
        session.model.train()
        step = _seconds_a_step(session, 60 * SHARE * (training.minutes or 0))
        recurring = _recurring(session, config, data)
        if training.minutes is not None and training.steps is None:
            left = 60 * training.minutes - sum(one.total(0) for one in recurring)
            each = step + sum(one.seconds / one.every for one in recurring if one.every is not None)
            # the same in every process
            steps = int(fabric.broadcast(max(1, round(left / each))))
        monitors = sum(one.total(steps) for one in recurring)
    parameters = {player: sum(p.numel() for p in of) for player, of in session.players.parameters.items()}
    device = fabric.device.type
    memory = _peak_memory(fabric.device)
    return DryRun(device, session.batch_size, steps, parameters, preparation, step, monitors, memory)


def kept_length(run: Run, config: RunConfig) -> RunConfig:
    """The config with the steps that fitted the same minutes when the training in this folder began."""
    training = config.training
    if training.minutes is None or not run.started:
        return config
    stored = run.config.training
    if stored.minutes != training.minutes:
        return config
    return replace(config, training=replace(training, steps=stored.steps))


def _seconds_a_step(session: Session, seconds: float) -> float:
    """The mean over `FEWEST` steps, or as many as take `seconds`, from all of the training."""

    def play(steps: Sequence[int]) -> float:
        _wait(session.fabric.device)
        began = time.perf_counter()
        for step in steps:
            session.play(step)
        session.players.averages(session.players.steps)
        _wait(session.fabric.device)
        return (time.perf_counter() - began) / len(steps)

    # before the clock starts: the first steps, and the first late ones, allocate memory and compile
    play([0, session.steps - 1])
    step = play(spread(FEWEST, session.steps))
    n = int(session.fabric.broadcast(min(MOST, int(seconds / step))))
    return play(spread(n, session.steps)) if n > FEWEST else step


def spread(n: int, steps: int) -> list[int]:
    """Blocks of consecutive steps, n in all, from all of a training: what comes late counts by its share.

    >>> spread(8, 100)
    [25, 26, 27, 28, 75, 76, 77, 78]
    """
    blocks = ceil(n / BLOCK)
    first = [(2 * block + 1) * steps // (2 * blocks) for block in range(blocks)]
    return [(start + i) % steps for start in first for i in range(BLOCK)][:n]


def _recurring(session: Session, config: RunConfig, data: Data) -> list[_Recurring]:
    training, model, average = config.training, session.model, session.published
    seed = training.seed
    found = []

    def add(what: Callable[[], object], every: int | None, times: int) -> None:
        began = time.perf_counter()
        what()
        _wait(session.fabric.device)
        found.append(_Recurring(time.perf_counter() - began, every, times))

    if len(data.validation):
        add(lambda: all_terms(average, model, data, seed), training.validate_every, VALIDATIONS)
    add(lambda: sample_grid(average, data, seed), training.sample_every, GRIDS)
    if training.evaluate_every is not None:
        scores = Scores(model, config.model, data.validation, training.evaluate_features, 1, seed, data.train)
        add(lambda: scores.scores(average), training.evaluate_every, 0)
    return found


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    # there is none on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # in kilobytes, but in bytes on a Mac
    return peak if sys.platform == "darwin" else 1024 * peak
