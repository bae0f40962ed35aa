"""The two calls most programs need: `train` a model on a source, `load` a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulacra import data as sources
from simulacra.config import Training, configure
from simulacra.data import Data, Options
from simulacra.engine.distributed import find_device, is_first_process
from simulacra.errors import DataError
from simulacra.models.registry import model_card, short_name
from simulacra.run import Run, RunConfig


def train(model: str, data: str, out: str | Path | None = None, **settings: Any) -> Any:
    """Train a model on a data source in a run folder; the same call again resumes or returns it.

    Args:
        model: a name in `sim.MODELS`, or `path/to/file.py:Class`.
        data: a source, e.g. `digits` or `folder:holiday.zip`.
        out: the run folder; `runs/SOURCE-MODEL` when not given.
        settings: any field of the model's Config, of `Training`, or of `Options`.

    Returns:
        The trained model: of the class that `model` names, e.g. `sim.VAE`.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model = train("vae", "digits", f"{folder}/run", latent_dim=2, steps=3)
    >>> model.config.latent_dim
    2
    """
    one = model_card(model)
    config, training, options = configure((one.Config(), one.training, Options()), settings)
    return start(model, data, out, config, training, options)


def start(
    model: str, data: str, out: str | Path | None, config: Any, training: Training, options: Options
) -> Any:
    """`train` with its settings already in their dataclasses."""
    ready = prepare(model, data, out, config, training, options)
    # It imports lightning-fabric, which takes seconds.
    from simulacra.engine.loop import train as play

    return play(*ready)


def prepare(
    model: str, data: str, out: str | Path | None, config: Any, training: Training, options: Options
) -> tuple[Run, RunConfig, Data]:
    """The run folder, the config and the loaded data of a training that can be started; writes nothing.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.
    """
    run = Run(out or default_run(model, data))
    check(run, model, data, config, training, options)
    loaded = sources.load(data, options)
    model_card(model).check(loaded.spec)
    return run, RunConfig(model, config, data, options, loaded.spec, training), loaded


def check(run: Run, model: str, data: str, config: Any, training: Training, options: Options) -> None:
    """Refuse in a moment what can be refused before the data are read.

    Raises:
        SimulacraError: the subclass says what is at fault: settings, data or run folder.
    """
    if (split := sources.parse(data)[2]) is not None:
        raise DataError(f"data '{data}': a training uses every split; leave '@{split}' out")
    spec = sources.peek(data, options)
    if spec is not None:
        model_card(model).check(spec)
    if is_first_process():
        run.check_free()
        if run.started:
            run.check_settings(RunConfig(model, config, data, options, run.config.spec, training))
    # last: it imports torch
    find_device(training)


def default_run(model: str, data: str) -> Path:
    """`runs/SOURCE-MODEL`.

    >>> default_run("vae", "folder:pictures/holiday.zip").as_posix()
    'runs/holiday-vae'
    """
    name, argument, _ = sources.parse(data)
    from_path = argument and sources.SOURCES[name].usage.endswith(":PATH")
    return Path("runs") / f"{Path(argument).stem if from_path else name}-{short_name(model)}"


def load(path: str | Path) -> Any:
    """The trained model of a run folder, on the CPU and in evaluation mode, with its capabilities.

    Raises:
        RunError: there is no run, or it has no weights yet.
    """
    return Run(path).load()
