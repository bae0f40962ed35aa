"""The engine: plays the game of any model, on any device, from any step."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from simulacra.accelerate.processor import gains_bf16
from simulacra.core.model import Model
from simulacra.data.spec import Data
from simulacra.engine import checkpoint
from simulacra.engine.distributed import Agreement, is_first_process, launch, watching
from simulacra.engine.divergence import divergence
from simulacra.engine.dry_run import dry_run, kept_length
from simulacra.engine.events import Events
from simulacra.engine.interrupts import Interrupted, Interrupts, interrupts
from simulacra.engine.monitors.checkpoints import Checkpoints
from simulacra.engine.monitors.gan_diagnostics import diagnosed
from simulacra.engine.monitors.monitor import Monitor, State, every
from simulacra.engine.monitors.sample_grids import SampleGrids
from simulacra.engine.monitors.scores import Scores
from simulacra.engine.monitors.validation import GRIDS, VALIDATIONS, Validation
from simulacra.engine.monitors.warnings import TrainingWarnings
from simulacra.engine.precision import settled
from simulacra.engine.scheduler import NOTICES, check_requeue, requeue
from simulacra.engine.session import Session
from simulacra.errors import DivergedError
from simulacra.run import Run, RunConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


# a measurement, which needs no gradients, may train what it predicts by
@torch.enable_grad()
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
        KeyboardInterrupt: a signal came; the step was finished and a checkpoint saved.
    """
    if config.training.on_signal == "requeue":
        check_requeue()
    config = settled(run, kept_length(run, config))
    with run.opened(config) if is_first_process() else nullcontext(), interrupts() as interrupted:
        try:
            _train(run, config, data, interrupted, quiet)
        except Interrupted:
            raise KeyboardInterrupt(
                f"{run}: interrupted before the next step; nothing was to be saved"
            ) from None
        except DivergedError as error:
            if is_first_process() and not quiet:
                _log_divergence(run, f"{error}")
            raise
        return run.load()


def _log_divergence(run: Run, text: str) -> None:
    """Keep a warning for report and model card, once."""
    if all(event["text"] != text for event in run.events("warning")):
        # after the last step that counts: a training that goes on forgets it
        run.log("warning", step=run.step + 1, cause="divergence", text=text)


def _train(run: Run, config: RunConfig, data: Data, interrupted: Interrupts, quiet: bool) -> None:
    training = config.training
    with interrupted.breaking_off():
        fabric = launch(training)
    with watching(fabric, run):
        _play(run, config, data, fabric, interrupted, quiet)


def _play(
    run: Run, config: RunConfig, data: Data, fabric: Fabric, interrupted: Interrupts, quiet: bool
) -> None:
    training = config.training
    rank, alone = fabric.global_rank, fabric.world_size == 1
    if training.minutes is not None and training.steps is None:
        # a model that is solved has no length
        training = replace(training, steps=dry_run(config, data, fabric).steps or None)
        config = replace(config, training=training)
        if rank == 0:
            run.save(config)
    session = Session(config, data, fabric)
    model, players, steps = session.model, session.players, session.steps
    best = checkpoint.Best() if training.keep == "best" else None
    scores: list[Monitor] = []
    if (often := training.evaluate_every) is not None:
        held_out, features = data.validation, training.evaluate_features
        scores = [Scores(model, config.model, held_out, features, often, training.seed, data.train)]
    saved, faults = checkpoint.load(run)
    if saved is None:
        model.prepare(data.train)
        if session.ema is not None:
            # a model that is solved here has no steps in which the average would follow
            session.published.load_state_dict(model.state_dict())
    else:
        checkpoint.restore(saved, session, best)
    start = 0 if saved is None else saved.step
    # whether the events of the last step played are still to happen
    pending = saved is not None and saved.pending

    model.train()
    log = Events(run, start, start - pending, steps, quiet=quiet or rank > 0)
    with log as events:
        state = State(run, config, data, model, session.published, events, steps, start)
        checkpoints = Checkpoints(training.checkpoint_every, session, best)
        warnings = TrainingWarnings(model, diagnosed(data), run.events())
        monitors: list[Monitor] = [
            Validation(training.validate_every or max(1, steps // VALIDATIONS), best, warnings),
            *scores,
            SampleGrids(training.sample_every or max(1, steps // GRIDS)),
        ]
        for note in [] if start else data.notes:
            events.message(f"{data.name}: {note}")
        for fault in faults:
            events.message(fault)
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
        agreement = Agreement(fabric)
        logged, played, stop = time.monotonic(), 0, False
        while not stop and (pending or state.step < steps):
            if not pending:
                session.play(state.step)
                state.step += 1
                played += 1
            stop, save = agreement.reach(bool(interrupted), checkpoints.overdue)
            logs = every(training.log_every, state)
            # the same in all processes, which average the record together
            happening = [monitor for monitor in monitors if monitor.due(state)]
            first = state.step == 1
            pending = first or logs or bool(happening)
            if not (pending or stop or save):
                continue
            run.check_there()
            record = players.record()
            players.check(record, state.step)
            # one process alone need not finish what happens after a step: it happens when it resumes
            try:
                with interrupted.breaking_off() if alone and pending else nullcontext():
                    if first:
                        events.log("start", 1, players.losses(record))
                    if logs:
                        speed = session.batch_size * played / (time.monotonic() - logged)
                        terms = {name: values.mean().item() for name, values in record.items()}
                        rate = session.rate(state.step - 1)
                        events.log("train", state.step, terms, lr=rate, images_per_second=speed)
                    for monitor in happening if rank == 0 else []:
                        monitor.run(state)
                pending = False
            except Interrupted:
                stop = True
            if logs and not pending:
                players.clear()
                logged, played, record = time.monotonic(), 0, {}
            if rank == 0 and (stop or save or state.last):
                checkpoints.save(state, record, pending)
        agreement.close()
        if steps == 0 and start == 0 and rank == 0:
            checkpoints.save(state, {})
        elif start == steps and rank == 0 and not run.whole:
            checkpoints.publish(state)
        fabric.barrier()
    if rank == 0 and state.last and not pending and (text := divergence(run.events())):
        kept = "" if best is None else f"; the weights that are kept are those of step {best.step:,}"
        raise DivergedError(f"{text}{kept}. Try a smaller --lr, or --clip 1, in another --out")
    if not stop or (state.last and not pending):
        return
    if rank > 0:
        raise SystemExit(0)
    where = f"{run}: interrupted, saved at step {state.step} of {steps}"
    if training.on_signal == "requeue" and interrupted.number in NOTICES:
        requeue()
        raise KeyboardInterrupt(f"{where}; the job is queued again")
    raise KeyboardInterrupt(f"{where}; run the same command to resume")
