"""A training in memory: the model, its players and its batches, and how one step is played."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, cast

import torch

from simulacra.core.calls import trusted
from simulacra.core.model import Model
from simulacra.core.noise import derive_seed
from simulacra.data.spec import Data, refuse_missing_classes
from simulacra.engine.batches import Batches
from simulacra.engine.optimizers import average, learning_rate
from simulacra.engine.players import Players
from simulacra.limits import TRAINED_PARAMETER, check_memory
from simulacra.models.registry import build
from simulacra.run import RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Session:
    """What the steps of a training change. It reads and writes no run folder.

    Args:
        config: model, data and training.
        data: the data that `config` names, loaded.
        fabric: the device, and the processes.

    Attributes:
        model: the model in training.
        players: its nets, wrapped, and their optimizers.
        ema: the moving average of its weights; None without `Training.ema`.
        batch_size: examples of a step, over all processes.
        steps: length of the training.

    Raises:
        ConfigError: the settings do not fit the data.
    """

    def __init__(self, config: RunConfig, data: Data, fabric: Fabric) -> None:
        training = config.training
        self.training, self.data, self.fabric = training, data, fabric
        shards = fabric.world_size * training.accumulate
        each = TRAINED_PARAMETER + 4 * (training.ema is not None) if fabric.device.type == "cpu" else 4
        torch.manual_seed(derive_seed(training.seed))
        self.model: Model = build(config.model, config.spec, config.config, each).to(fabric.device)
        balanced = self.model.class_balanced
        if balanced:
            refuse_missing_classes(data)
        groups = data.train.class_counts if balanced else (len(data.train),)
        self.batch_size = training.fitted_batch(groups, shards)
        # at least an example in float32, and its gradient
        needed = 8 * self.batch_size // shards * prod(config.spec.shape)
        check_memory(needed, f"{self.batch_size:,} examples of a batch", "choose a smaller --batch-size")
        # a model without players is solved by `prepare`
        steps = training.total_steps(len(data.train), self.batch_size) if self.model.players else 0
        self.steps = steps
        self.players = Players(self.model, training, fabric)
        self.ema = None if training.ema is None else average(self.model, training.ema)
        seed, device = training.seed, fabric.device
        self.batches = Batches(data.train, self.batch_size, seed, steps, shards, device, balanced)

    @property
    def published(self) -> Model:
        """The model with the weights that the run keeps: the moving average where there is one."""
        return self.model if self.ema is None else cast(Model, self.ema.module)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return learning_rate(self.training, step, self.steps)

    def play(self, step: int) -> None:
        """Play one step, counted from 0."""
        training, fabric, rank = self.training, self.fabric, self.fabric.global_rank
        seed_global(derive_seed(training.seed, step, rank), fabric.device)
        rate = self.rate(step)
        parts = training.accumulate
        # not kept: the next batch takes its place in memory
        with trusted():
            self.players.play([self.batches.at(step, rank * parts + part) for part in range(parts)], rate)
        if self.ema is not None:
            self.ema.update_parameters(self.model)


def seed_global(seed: int, device: torch.device) -> None:
    """Seed the global generators, which dropout draws from.

    `torch.manual_seed` would do, but queues a stack trace for every device library that is not loaded.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
