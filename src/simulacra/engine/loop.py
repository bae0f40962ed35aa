"""The engine: plays the game of any model, on any device, from any step."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace

import torch

from simulacra.accelerate.processor import gains_bf16
from simulacra.core.model import Model
from simulacra.data.spec import Data
from simulacra.engine import checkpoint
from simulacra.engine.distributed import is_first_process, launch
from simulacra.engine.divergence import divergence
from simulacra.engine.events import Events
from simulacra.engine.interrupts import interrupts
from simulacra.engine.monitors.checkpoints import Checkpoints
from simulacra.engine.monitors.gan_diagnostics import diagnosed
from simulacra.engine.monitors.monitor import Monitor, State
from simulacra.engine.monitors.sample_grids import SampleGrids
from simulacra.engine.monitors.scores import Scores
from simulacra.engine.monitors.validation import GRIDS, VALIDATIONS, Validation
from simulacra.engine.monitors.warnings import TrainingWarnings
from simulacra.engine.precision import settled
from simulacra.engine.rehearsal import rehearse
from simulacra.engine.session import Session
from simulacra.errors import DivergedError
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
        DivergedError: a loss became NaN or infinite, and the last good checkpoint is left; or it is far above
            that of the first step at the end.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint saved.
    """
    config = settled(run, _same_length(run, config))
    with run.opened(config) if is_first_process() else nullcontext():
        try:
            _train(run, config, data, quiet)
        except DivergedError as error:
            if is_first_process() and not quiet:
                _log_divergence(run, f"{error}")
            raise
        return run.load()


def _log_divergence(run: Run, text: str) -> None:
    """Keep a warning for report and model card, once."""
    if all(event["text"] != text for event in run.events("warning")):
        # after the last step that counts: a training that goes on forgets it
        step = max((event["step"] for event in run.events("train")), default=0)
        run.log("warning", step=step + 1, cause="divergence", text=text)


def _same_length(run: Run, config: RunConfig) -> RunConfig:
    """The config with the steps that fitted the same minutes when the training began."""
    training = config.training
    if training.minutes is None or not run.started:
        return config
    stored = run.config.training
    if stored.minutes != training.minutes:
        return config
    return replace(config, training=replace(training, steps=stored.steps))


def _train(run: Run, config: RunConfig, data: Data, quiet: bool) -> None:
    training = config.training
    fabric = launch(training)
    rank = fabric.global_rank
    if training.minutes is not None and training.steps is None:
        # a model that is solved has no length
        training = replace(training, steps=rehearse(config, data, fabric).steps or None)
        config = replace(config, training=training)
        if rank == 0:
            run.save(config)
    session = Session(config, data, fabric)
    model, players, ema, steps = session.model, session.players, session.ema, session.steps
    saved = checkpoint.load(run, fabric.device)
    start = 0 if saved is None else saved["step"]
    every = training.evaluate_every
    scores: list[Monitor] = []
    if every is not None:
        held_out, features = data.validation, training.evaluate_features
        scores = [Scores(model, config.model, held_out, features, every, start, training.seed)]
    best = checkpoint.Best() if training.keep == "best" else None
    if saved is None:
        model.prepare(data.train)
    else:
        checkpoint.restore(saved, model, players.optimizers, ema, best)

    model.train()
    with Events(run, start, steps, quiet=quiet or rank > 0) as events, interrupts() as interrupted:
        state = State(run, config, data, model, session.published, events, steps, start)
        checkpoints = Checkpoints(training.checkpoint_every, players.optimizers, ema, best)
        warnings = TrainingWarnings(model, diagnosed(data), run.events())
        monitors: list[Monitor] = [
            Validation(training.validate_every or max(1, steps // VALIDATIONS), start, best, warnings),
            *scores,
            SampleGrids(training.sample_every or max(1, steps // GRIDS), start),
            checkpoints,
        ]
        for note in () if start else data.notes:
            events.message(f"{data.name}: {note}")
        if start:
            verb = "resuming" if start < steps else "already finished"
            events.message(f"{run}: {verb} at step {start} of {steps}")
        if training.minutes is not None and 0 == start < steps:
            events.message(f"{training.minutes:g} minutes are enough for {steps:,} steps")
        if start < steps:
            arithmetic = "bfloat16 where that is safe" if training.precision == "bf16" else "float32"
            events.message(
                f"precision {training.precision}: computing in {arithmetic}, on {fabric.device.type}"
            )
        if training.precision == "bf16" and start < steps and not gains_bf16(fabric.device.type):
            events.message("bfloat16 is not faster on this device: --precision 32 is")
        logged = time.monotonic()
        for step in range(start, steps):
            rate = session.play(step)
            state.step = step + 1

            # processes synchronise only at logs; one alone may act after any step
            urgent = fabric.world_size == 1 and (interrupted.is_set() or checkpoints.overdue)
            if not (urgent or state.last or state.step % training.log_every == 0):
                continue
            speed = session.batch_size * players.steps / (time.monotonic() - logged)
            events.log("train", state.step, players.averages(state.step), lr=rate, images_per_second=speed)
            if players.first:
                events.log("start", 0, players.first)
                players.first = {}
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
    if rank == 0 and state.last and (text := divergence(run.events())):
        kept = "" if best is None else f"; the weights that are kept are those of step {best.step:,}"
        raise DivergedError(f"{text}{kept}. Try a smaller --lr, or --clip 1, in another --out")
    if state.stop and not state.last:
        if rank > 0:
            raise SystemExit(0)
        raise KeyboardInterrupt(
            f"{run}: interrupted, saved at step {state.step} of {steps}; run the same command to resume"
        )
