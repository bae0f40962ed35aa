"""The runs of a folder: what each is, how far it got, and its key number. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulacra.errors import RunError
from simulacra.models.registry import short_name
from simulacra.run import Run

# keys of the number that says most about a model, the first of them that was measured
KEYS = (
    "accuracy", "nll", "fid", "kid", "rmse", "crps", "psnr", "l1", "cycle_l1", "coverage", "loss",
    "diversity",
)  # fmt: skip


@dataclass(frozen=True)
class RunSummary:
    """A run at a glance.

    Attributes:
        path: its folder.
        model: name of the model; empty if the config cannot be read.
        data: its source.
        step: training steps that are saved; of a run that is training, those done.
        steps: training steps asked for; None where it is not known, 0 for a model that is solved.
        state: `finished`, `interrupted`, `training`, `diverged`, or `damaged`.
        key: of its key number, of the last evaluation on its own test split, or else of the last evaluation
            or validation; empty without one.
        value: its key number; None without one.
        on: what the number was measured on, and at which step where the training went on since.
        age: seconds since the run was last written to.
        problem: why it is damaged.
    """

    path: str
    model: str
    data: str
    step: int
    steps: int | None
    state: str
    key: str
    value: float | None
    on: str
    age: float
    problem: str = ""


def list_runs(folder: str | Path) -> list[RunSummary]:
    """The runs in a folder and in its sub-folders, the last written first; of a run folder, itself.

    Raises:
        RunError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such folder; name the folder that has the runs in it")
    runs = [Run(path) for path in _run_folders(folder)]
    return sorted((_summary(run) for run in runs), key=lambda summary: summary.age)


def _run_folders(folder: Path) -> Iterator[Path]:
    for pattern in ("config.yaml", "*/config.yaml", "*/*/config.yaml"):
        yield from (file.parent for file in folder.glob(pattern))


def _summary(run: Run) -> RunSummary:
    files = (run.path / name for name in ("config.yaml", "metrics.jsonl"))
    age = max(0.0, time.time() - max(file.stat().st_mtime for file in files if file.exists()))
    try:
        config = run.config
    except RunError as error:
        return RunSummary(
            str(run), "", "", 0, None, "damaged", "", None, "", age, str(error).removeprefix(f"{run}: ")
        )
    events = run.events()
    busy, step = run.busy, run.step
    if busy:
        step = max([step, *(event["step"] for event in events if event["event"] == "train")])
    steps = next((event["steps"] for event in reversed(events) if event["event"] == "length"), None)
    if steps is None:
        # a model that is solved has weights and no steps
        steps = 0 if run.weights.is_file() and not step else config.training.steps
    finished = run.weights.is_file() and (steps is None or step >= steps)
    state = "finished" if finished else "interrupted"
    if any(event["event"] == "warning" and event["cause"] == "divergence" for event in events):
        state = "diverged"
    if busy:
        state = "training"
    key, value, on = _key_number(events, f"{config.source}@test", step)
    return RunSummary(
        str(run), short_name(config.model), config.source, step, steps, state, key, value, on, age
    )


def _key_number(events: list[dict[str, Any]], own: str, step: int) -> tuple[str, float | None, str]:
    """Key and number, and what it was measured on: `own`, the test split of the run, if it was."""
    measured = [event for event in events if event["event"] == "evaluation"]
    measured.sort(key=lambda event: event.get("data", own) == own)
    validations = [event for event in events if event["event"] == "validation"]
    for event in [*reversed(measured), *validations[-1:]]:
        for key in KEYS:
            if isinstance(event.get(key), int | float):
                older = event["event"] == "evaluation" and event.get("step", step) < step
                on = event.get("data", "validation") + (f", step {event['step']:,}" if older else "")
                return key, event[key], on
    return "", None, ""
