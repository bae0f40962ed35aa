"""`simulacra train ... --dry-run`: the data, the model, and what the training will take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulacra.data.spec import SPLITS, Data, DataSpec
from simulacra.errors import abridge

if TYPE_CHECKING:
    from simulacra.engine.dry_run import DryRun
    from simulacra.run import Run, RunConfig

# classes that are listed
CLASSES = 12


def print_dry_run(run: Run, config: RunConfig, data: Data) -> None:
    """Measure a training and print it. Writes nothing to the run folder."""
    from simulacra.engine.dry_run import dry_run, kept_length
    from simulacra.engine.precision import settled

    config = settled(run, kept_length(run, config))
    for name, text in _lines(run, config, data, dry_run(config, data)):
        print(f"{name:9} {text}")


def _lines(run: Run, config: RunConfig, data: Data, measured: DryRun) -> Iterator[tuple[str, str]]:
    spec, training = data.spec, config.training
    yield "data", f"{data.name}: {_examples(spec)}"
    yield "splits", ", ".join(f"{name} {len(data.split(name)):,}" for name in SPLITS)
    if spec.classes:
        counts = zip(spec.classes, data.train.class_counts, strict=True)
        listed = [f"{abridge(name)} {count:,}" for name, count in counts]
        more = f", and {len(listed) - CLASSES} more" if len(listed) > CLASSES else ""
        yield "classes", f"{', '.join(listed[:CLASSES])}{more} (in train)"
    if spec.target is not None:
        yield "target", _examples(spec.target)
    done = run.step if run.started else 0
    seconds = _duration(measured.seconds(done))
    if measured.steps:
        each = ", ".join(f"{player} {count:,}" for player, count in measured.parameters.items())
        players = f" ({each})" if len(measured.parameters) > 1 else ""
        yield "model", f"{config.model}: {sum(measured.parameters.values()):,} parameters{players}"
        epochs = measured.steps * measured.batch_size / len(data.train)
        arithmetic = "float32" if training.precision == "32" else training.precision
        length = f"{measured.steps:,} steps of {measured.batch_size:,} examples, {epochs:,.1f} epochs"
        yield "training", f"{length}; {arithmetic} on {measured.device}"
        yield "speed", f"{_duration(measured.step)} a step"
        yield "time", f"about {seconds} to the end, validations and sample grids included"
    else:
        yield "model", f"{config.model}: no training steps"
        yield "time", f"about {seconds}"
    if measured.memory is not None:
        yield "memory", f"about {measured.memory / 1e9:.1f} GB at the peak"
    yield "run", f"{run} ({f'resumes at step {done:,}' if done else 'new'}); nothing was written"


def _examples(spec: DataSpec) -> str:
    size = "x".join(map(str, spec.shape))
    if spec.kind == "image":
        return f"images of {size}"
    return f"vectors of {size} number{'' if size == '1' else 's'}"


def _duration(seconds: float) -> str:
    """A duration in its natural unit.

    >>> [_duration(s) for s in (0.0012, 0.25, 42.0, 200.0, 8000.0)]
    ['1.2 ms', '250 ms', '42 s', '3 min 20 s', '2 h 13 min']
    """
    if seconds < 0.1:
        return f"{1000 * seconds:.1f} ms"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
