"""The engine: plays any model's game, on any device, from any step."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor

from simulacra.accelerate.processor import emulates_bf16
from simulacra.core.batch import in_order
from simulacra.core.model import Model
from simulacra.core.noise import derive_seed
from simulacra.data.spec import Data, Dataset, refuse_missing_classes
from simulacra.engine import checkpoint
from simulacra.engine.batches import Batches
from simulacra.engine.distributed import is_first_process, launch
from simulacra.engine.events import Events
from simulacra.engine.looks import Scorer, at_most, compared, diagnosis, picture, validation
from simulacra.engine.optim import average, learning_rate
from simulacra.engine.players import Players
from simulacra.engine.signs import Watch
from simulacra.errors import ConfigError
from simulacra.models.registry import build
from simulacra.run import Run, RunConfig

# held-out examples that `Model.finish` sees
FINISHED_ON = 5000


def train(run: Run, config: RunConfig, data: Data, quiet: bool = False) -> Model:
    """Train, or go on training, in a run folder; returns the trained model, on the CPU.

    Args:
        run: the folder; the same call again resumes from its last checkpoint.
        config: model, data and training.
        data: the data that `config` names, loaded.
        quiet: tell nobody, and log nothing.

    Raises:
        RunError: the folder is busy, of other settings, or cannot be written.
        DivergedError: a loss became NaN or infinite; the last good checkpoint is left.
        KeyboardInterrupt: SIGINT or SIGTERM came; the step was finished and a checkpoint saved.
    """
    with run.opened(config) if is_first_process() else nullcontext():
        _play(run, config, data, quiet)
        return run.load()


def _play(run: Run, config: RunConfig, data: Data, quiet: bool) -> None:
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
    score = None
    if training.evaluate_every is not None:
        score = Scorer(model, config.model, data.validation, training.evaluate_features, training.seed)
    # a model without players is solved by `prepare`
    steps = training.total_steps(len(data.train), batch_size) if model.players else 0
    players = Players(model, training, fabric)
    ema = None if training.ema is None else average(model, training.ema)
    best = checkpoint.Best() if training.keep == "best" else None
    shown = model if ema is None else cast(Model, ema.module)
    state = checkpoint.load(run, fabric.device)
    start = 0 if state is None else state["step"]
    if state is None:
        model.prepare(data.train)
    else:
        checkpoint.restore(state, model, players.optimizers, ema, best)

    batches = Batches(
        data.train, batch_size, training.seed, steps, shards, fabric.device, model.class_balanced
    )
    validate_every = training.validate_every or max(1, steps // 20)
    sample_every = training.sample_every or max(1, steps // 10)
    evaluate_every = training.evaluate_every or steps
    model.train()
    with Events(run, start, steps, quiet=quiet or rank > 0) as events, interrupts() as interrupted:
        if start:
            events.say(
                f"{run}: {'resuming' if start < steps else 'already finished'} at step {start} of {steps}"
            )
        if training.precision == "bf16" and emulates_bf16(fabric.device) and start < steps:
            events.say("this processor has no arithmetic of bfloat16: --precision 32 is faster here")
        watch = Watch(model, compared(data), run.events())
        saved = told = time.monotonic()
        played, stop = start, False
        for step in range(start, steps):
            seed_global(derive_seed(training.seed, step, rank), fabric.device)
            rate = learning_rate(training, step, steps)
            # not kept: the next batch takes its place in memory
            players.play([batches.at(step, rank * parts + part) for part in range(parts)], rate)
            if ema is not None:
                ema.update_parameters(model)
            played = step + 1

            # Processes act together only where all of them stop; one alone acts at any step.
            now = time.monotonic()
            due = interrupted.is_set() or now - saved >= training.checkpoint_every
            if not (played % training.log_every == 0 or played == steps or (due and fabric.world_size == 1)):
                continue
            steps_told = players.steps
            terms = players.averages(played)
            speed = batch_size * steps_told / (now - told)
            events.tell("train", played, terms, lr=rate, images_per_second=speed)
            asked = torch.tensor(float(interrupted.is_set()), device=fabric.device)
            stop = bool(fabric.all_reduce(asked, reduce_op="sum"))
            if rank == 0:
                last = played == steps
                if len(data.validation) and (last or played % validate_every < steps_told):
                    held = validation(shown, data.validation, training.seed)
                    held |= diagnosis(shown, model, data, training.seed)
                    events.tell("validation", played, held)
                    for sign, text in watch.see(played, held):
                        events.warn(played, sign, text)
                    if best is not None and "loss" not in held:
                        raise ConfigError(f"keep: a {config.model} has no validation loss; leave --keep out")
                    if best is not None:
                        best.see(held["loss"], played, shown)
                if score is not None and (last or played % evaluate_every < steps_told):
                    events.tell("scores", played, score(shown))
                if last or played % sample_every < steps_told:
                    file = run.path / "samples" / f"{played:06d}.png"
                    picture(
                        shown, data.validation if len(data.validation) else data.train, file, training.seed
                    )
                if stop or due or last:
                    kept = best.weights if best is not None and best.weights else shown.state_dict()
                    if last and len(data.validation):
                        kept = finished(config, kept, data.validation, fabric.device)
                    checkpoint.save(run, played, model, players.optimizers, ema, best, kept)
                    saved = time.monotonic()
            told = time.monotonic()
            if stop:
                break
        if steps == 0 and start == 0 and rank == 0:
            checkpoint.save(run, 0, model, {})
        fabric.barrier()
    if stop and played < steps:
        if rank > 0:
            raise SystemExit(0)
        raise KeyboardInterrupt(
            f"{run}: interrupted, saved at step {played} of {steps}; run the same command to go on"
        )


def finished(
    config: RunConfig, weights: dict[str, Tensor], held_out: Dataset, device: torch.device
) -> dict[str, Tensor]:
    """The kept weights after the model has seen some held-out examples once (`Model.finish`)."""
    model = build(config.model, config.spec, config.config).to(device).eval()
    model.load_state_dict(weights)
    seed = config.training.seed
    model.finish(in_order(at_most(FINISHED_ON, held_out, seed), 256, device, seed))
    return model.state_dict()


def seed_global(seed: int, device: torch.device) -> None:
    """Seed the generators that dropout draws from.

    `torch.manual_seed` would do, but queues a stack trace for every device library that is not loaded.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event set by the first SIGINT or SIGTERM; a second one acts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: object) -> None:
        event.set()
        if is_first_process():
            # print could be what is being interrupted
            os.write(2, b"\nfinishing the step and saving; once more to stop without saving\n")
        for s, handler in before.items():
            signal.signal(s, handler)

    for s in before:
        signal.signal(s, ask)
    try:
        yield event
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
