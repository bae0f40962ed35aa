"""Which parts of a run are whole. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from simulacra import limits, tensors
from simulacra.errors import LimitError, RunError
from simulacra.run import Run, read_event


@dataclass(frozen=True)
class Part:
    """A file of a run.

    Attributes:
        name: its path in the run folder.
        problem: what is wrong with it; empty where it is whole.
    """

    name: str
    problem: str = ""


def check_run(run: Run) -> list[Part]:
    """The files of a run, each whole or with its problem.

    Raises:
        RunError: there is no run.
    """
    if not (run.path / "config.yaml").is_file():
        # the message says what to do
        _ = run.config
    return list(_parts(run))


def _parts(run: Run) -> Iterator[Part]:
    yield Part("config.yaml", _problem(lambda: run.config))
    checkpoints = sorted(run.checkpoints.glob("*.safetensors"))
    latent = sorted((run.path / "latent").rglob("*.safetensors"))
    for file in [run.weights, *checkpoints, *latent]:
        if file.exists() or not checkpoints:
            yield Part(str(file.relative_to(run.path)), _problem(partial(tensors.check, file)))
    if run.metrics.is_file():
        yield Part(run.metrics.name, _torn(run))


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except RunError as error:
        return str(error).partition(": ")[2] or str(error)
    return ""


def _torn(run: Run) -> str:
    """How many lines of metrics.jsonl cannot be read."""
    try:
        lines = limits.read_bytes(run.metrics, limits.METRICS_BYTES).splitlines()
    except LimitError as error:
        return str(error)
    torn = sum(read_event(line) is None for line in lines)
    return f"{torn} of {len(lines)} lines cannot be read; they are left out" if torn else ""
