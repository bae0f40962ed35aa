"""The engine: plays the game of any model, on any device, from any step."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import cast

import torch

from simulacra.accelerate.processor import emulates_bf16
from simulacra.core.model import Model
from simulacra.core.noise import derive_seed
from simulacra.data.spec import Data, refuse_missing_classes
from simulacra.engine import checkpoint
from simulacra.engine.batches import Batches
from simulacra.engine.distributed import is_first_process, launch
from simulacra.engine.events import Events
from simulacra.engine.interrupts import interrupts
from simulacra.engine.monitors.checkpoints import Checkpoints
from simulacra.engine.monitors.gan_diagnostics import diagnosed
from simulacra.engine.monitors.monitor import Monitor, State
from simulacra.engine.monitors.sample_grids import SampleGrids
from simulacra.engine.monitors.scores import Scores
from simulacra.engine.monitors.validation import Validation
from simulacra.engine.monitors.warnings import TrainingWarnings
from simulacra.engine.optimizers import average, learning_rate
from simulacra.engine.players import Players
from simulacra.models.registry import build
from simulacra.run import Run, RunConfig


def train(run: Run, config: RunConfig, data: Data, quiet: bool = False) -> Model:
    """Train, or resume training, in a run folder; returns the trained model, on the CPU.

    Args:
        run: the folder; the same call again resumes from its last checkpoint.
        config: model, data and training.
        data: the data that `config` names, loaded.
        quiet: log and print nothing.

    Raises:
        RunError: the folder is busy, of other settings, or cannot be written.
        DivergedError: a loss became NaN or infinite; the last good checkpoint is left.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint saved.
    """
    with run.opened(config) if is_first_process() else nullcontext():
        _train(run, config, data, quiet)
        return run.load()


def _train(run: Run, config: RunConfig, data: Data, quiet: bool) -> None:
    training = config.training
    fabric = launch(training)
    rank, parts = fabric.global_rank, training.accumulate
    shards = fabric.world_size * parts

    torch.manual_seed(derive_seed(training.seed))
    model = build(config.model, config.spec, config.config).to(fabric.device)
    if model.class_balanced:
        refuse_missing_classes(data)
    groups = data.train.class_counts if model.class_balanced else (len(data.train),)
    batch_size = training.fitted_batch(groups, shards)
    # a model without players is solved by `prepare`
    steps = training.total_steps(len(data.train), batch_size) if model.players else 0
    saved = checkpoint.load(run, fabric.device)
    start = 0 if saved is None else saved["step"]
    every = training.evaluate_every
    scores: list[Monitor] = []
    if every is not None:
        held_out, features = data.validation, training.evaluate_features
        scores = [Scores(model, config.model, held_out, features, every, start, training.seed)]
    players = Players(model, training, fabric)
    ema = None if training.ema is None else average(model, training.ema)
    best = checkpoint.Best() if training.keep == "best" else None
    if saved is None:
        model.prepare(data.train)
    else:
        checkpoint.restore(saved, model, players.optimizers, ema, best)

    balanced = model.class_balanced
    batches = Batches(data.train, batch_size, training.seed, steps, shards, fabric.device, balanced)
    model.train()
    with Events(run, start, steps, quiet=quiet or rank > 0) as events, interrupts() as interrupted:
        published = model if ema is None else cast(Model, ema.module)
        state = State(run, config, data, model, published, events, steps, start)
        checkpoints = Checkpoints(training.checkpoint_every, players.optimizers, ema, best)
        warnings = TrainingWarnings(model, diagnosed(data), run.events())
        monitors: list[Monitor] = [
            Validation(training.validate_every or max(1, steps // 20), start, best, warnings),
            *scores,
            SampleGrids(training.sample_every or max(1, steps // 10), start),
            checkpoints,
        ]
        if start:
            verb = "resuming" if start < steps else "already finished"
            events.message(f"{run}: {verb} at step {start} of {steps}")
        if training.precision == "bf16" and emulates_bf16(fabric.device) and start < steps:
            events.message("this processor emulates bfloat16: --precision 32 is faster here")
        logged = time.monotonic()
        for step in range(start, steps):
            seed_global(derive_seed(training.seed, step, rank), fabric.device)
            rate = learning_rate(training, step, steps)
            # not kept: the next batch takes its place in memory
            players.play([batches.at(step, rank * parts + part) for part in range(parts)], rate)
            if ema is not None:
                ema.update_parameters(model)
            state.step = step + 1

            # processes synchronise only at logs; one alone may act after any step
            urgent = fabric.world_size == 1 and (interrupted.is_set() or checkpoints.overdue)
            if not (urgent or state.last or state.step % training.log_every == 0):
                continue
            speed = batch_size * players.steps / (time.monotonic() - logged)
            events.log("train", state.step, players.averages(state.step), lr=rate, images_per_second=speed)
            stop = torch.tensor(float(interrupted.is_set()), device=fabric.device)
            state.stop = bool(fabric.all_reduce(stop, reduce_op="sum"))
            for monitor in monitors if rank == 0 else []:
                if monitor.due(state):
                    monitor.run(state)
            logged = time.monotonic()
            if state.stop:
                break
        if steps == 0 and start == 0 and rank == 0:
            checkpoint.save(run, 0, model, {})
        fabric.barrier()
    if state.stop and not state.last:
        if rank > 0:
            raise SystemExit(0)
        raise KeyboardInterrupt(
            f"{run}: interrupted, saved at step {state.step} of {steps}; run the same command to resume"
        )


def seed_global(seed: int, device: torch.device) -> None:
    """Seed the global generators, which dropout draws from.

    `torch.manual_seed` would do, but queues a stack trace for every device library that is not loaded.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
