"""The log of a training: metrics.jsonl, a progress bar or plain lines, TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from simulacra.files import write_text
from simulacra.metrics.registry import training_scores
from simulacra.run import Run
from simulacra.terminal import displayed, tolerant_stderr

# Seconds between plain lines when nobody watches a terminal.
PLAIN_EVERY = 5.0


class Events:
    """A context in which a training reports. `quiet` for every process but the first.

    Args:
        run: the folder that gets metrics.jsonl (and tensorboard/, where it is installed).
        start: steps played before.
        logged: the step up to which events are kept; later ones of an interrupted training happen again.
        steps: length of the training.
        quiet: log and print nothing.
    """

    def __init__(self, run: Run, start: int, logged: int, steps: int, quiet: bool) -> None:
        self.run, self.start, self.logged, self.steps, self.quiet = run, start, logged, steps, quiet
        console = Console(file=tolerant_stderr())
        self.live = console.is_terminal and not quiet
        self.bar = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[terms]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not self.live,
        )
        self.board: Any = None
        self._began = self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if not self.quiet:
            _drop_after(self.run, self.logged)
            # again where the training was lengthened
            if self.steps not in [event["steps"] for event in self.run.events("length")]:
                self.run.log("length", step=self.start, steps=self.steps)
            if find_spec("tensorboard"):
                from torch.utils.tensorboard import SummaryWriter

                self.board = SummaryWriter(self.run.path / "tensorboard", purge_step=self.logged)
        self.bar.start()
        self.task = self.bar.add_task("", total=self.steps, completed=self.start, terms="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()
        if self.board:
            self.board.close()

    def log(self, kind: str, step: int, terms: Mapping[str, Any], **more: float) -> None:
        """One event: into metrics.jsonl, onto the board, and in front of the person."""
        if self.quiet:
            return
        self.run.log(kind, step=step, **terms, **more)
        if self.board:
            for name, value in {**terms, **more}.items():
                # scores also have descriptions
                if isinstance(value, (int, float)):
                    self.board.add_scalar(f"{kind}/{name}", value, step)
        if kind == "train":
            self._show(step, terms, more)
        elif kind == "scores":
            text = "  ".join(f"{name} {terms[name]:.4g}" for name in training_scores())
            self.message(f"step {step}/{self.steps}  {text}  ({terms['extractor']})")

    def warn(self, step: int, kind: str, text: str) -> None:
        """A line about a sign that the training goes wrong; kept for the report."""
        if not self.quiet:
            self.run.log("warning", step=step, cause=kind, text=text)
            self.message(f"step {step}/{self.steps}  {text}")

    def message(self, text: str) -> None:
        """A line for the person."""
        if not self.quiet:
            self.bar.console.print(displayed(text), highlight=False, markup=False, soft_wrap=True)

    def _show(self, step: int, terms: Mapping[str, float], more: Mapping[str, float]) -> None:
        # norms of gradients are for the report: the line is long enough
        printed = {name: value for name, value in terms.items() if not name.endswith("_gradient")}
        text = "  ".join(f"{name} {value:.5g}" for name, value in printed.items())
        text += f"  {more['images_per_second']:,.0f} examples/s"
        if self.live:
            self.bar.update(self.task, completed=step, terms=text)
            return
        now = time.monotonic()
        if now - self._last_line >= PLAIN_EVERY or step == self.steps:
            left = (now - self._began) / max(1, step - self.start) * (self.steps - step)
            self.message(f"step {step}/{self.steps}  {text}  {left:,.0f} s left")
            self._last_line = now


def _drop_after(run: Run, step: int) -> None:
    """Forget the events of steps that are about to be played again."""
    events = run.events()
    kept = [event for event in events if event.get("step", 0) <= step]
    if len(kept) < len(events):
        import json

        write_text(run.metrics, "".join(json.dumps(event) + "\n" for event in kept))
