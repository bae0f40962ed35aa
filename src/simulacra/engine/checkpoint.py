"""Checkpoints: everything that a training needs to go on, one file each, of which the last two are kept.

There is no RNG state to keep. The order of the data and all noise are functions of (seed, step), and the
global generators (dropout) are seeded from them before every step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simulacra import tensors
from simulacra.core.model import Model
from simulacra.engine.optimizers import moment_names
from simulacra.engine.session import Session
from simulacra.errors import RunError
from simulacra.run import Run

# checkpoints that are kept: one may turn out to be damaged
KEPT = 2


@dataclass
class Best:
    """The weights with the lowest validation loss so far, and the step they are from."""

    loss: float = inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def update(self, loss: float, step: int, model: nn.Module) -> None:
        """Keep the weights if none were better."""
        if loss < self.loss:
            weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
            # together, so that an interrupt finds the old ones or the new ones
            self.loss, self.step, self.weights = loss, step, weights


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        step: steps played.
        pending: whether the events of that step are still to happen: the training was interrupted in them.
        unlogged: steps since the last event of the training.
        best_loss: the lowest validation loss, where the best weights are kept.
        best_step: its step.
        state: the tensors, by the names of `_state`.
    """

    step: int
    pending: bool
    unlogged: int
    best_loss: float
    best_step: int
    state: Mapping[str, Tensor]


def save(
    run: Run,
    session: Session,
    step: int,
    record: Mapping[str, Tensor],
    best: Best | None = None,
    pending: bool = False,
) -> None:
    """Write a checkpoint, and delete all but the last two.

    Args:
        run: its folder.
        session: the training.
        step: steps played.
        record: terms that are not logged yet, of `Players.record`.
        best: the best weights, where they are kept.
        pending: whether the events of this step are still to happen.

    Raises:
        RunError: the disk is full or cannot be written; the checkpoints before are intact.
    """
    counters: dict[str, float] = {"step": step, "pending": pending, "unlogged": session.players.steps}
    if best is not None:
        counters |= {"best_loss": best.loss, "best_step": best.step}
    state = _state(session) | {f"record.{name}": values for name, values in record.items()}
    if best is not None:
        state |= {f"best.{name}": tensor for name, tensor in best.weights.items()}
    tensors.write(path(run, step), state, {"counters": json.dumps(counters)})
    for old in paths(run)[:-KEPT]:
        old.unlink(missing_ok=True)


def save_weights(run: Run, state: Mapping[str, Tensor], model: Model) -> None:
    """Write model.safetensors, which `sim.load` reads, without what only trainings use."""
    kept = {name: tensor for name, tensor in state.items() if name not in model.training_only}
    tensors.write(run.weights, kept)


def paths(run: Run) -> list[Path]:
    """The files of the checkpoints, the last one at the end."""
    return sorted(run.checkpoints.glob("*.safetensors"), key=lambda file: (len(file.name), file.name))


def path(run: Run, step: int) -> Path:
    """The file of the checkpoint of a step."""
    return run.checkpoints / f"{step:06d}.safetensors"


def load(run: Run) -> tuple[Checkpoint | None, list[str]]:
    """The last checkpoint that is whole, None where there never was one; and a sentence on each damaged one.

    Raises:
        RunError: all of them are damaged.
    """
    faults: list[str] = []
    files = paths(run)
    for file in reversed(files):
        try:
            return _read(file), [f"{fault}; the checkpoint before it is used" for fault in faults]
        except RunError as error:
            faults.append(str(error))
    if files:
        raise RunError(
            f"{faults[0]}, and there is no whole one before it; delete {run.path} to start again, or choose"
            " another --out"
        )
    return None, []


def _read(file: Path) -> Checkpoint:
    state, notes = tensors.read(file)
    try:
        counters = json.loads(notes["counters"])
        step, unlogged = int(counters["step"]), int(counters["unlogged"])
        best_loss, best_step = float(counters.get("best_loss", inf)), int(counters.get("best_step", 0))
        if min(step, unlogged, best_step) < 0:
            raise ValueError("a count below 0")
        return Checkpoint(step, bool(counters["pending"]), unlogged, best_loss, best_step, state)
    except (KeyError, ValueError, TypeError) as error:
        raise tensors.damaged(file, f"its counters cannot be read: {error}") from error


def restore(saved: Checkpoint, session: Session, best: Best | None) -> None:
    """Put a checkpoint back in place: weights, moments of the optimizers, averages, terms not logged yet.

    Raises:
        RunError: it is of a model that was built otherwise; nothing was changed.
    """
    parts = _parts(saved.state)
    expected = _weights(session)
    found = {key: tensor for key, tensor in saved.state.items() if key.split(".")[0] in ("model", "ema")}
    _compare(expected, found)
    moments = _moments(session, parts.get("optimizer", {}))
    best_weights = parts.get("best", {})
    if best is not None and best_weights:
        _compare(session.published.state_dict(), best_weights)

    session.model.load_state_dict(parts["model"])
    if session.ema is not None:
        session.ema.load_state_dict(parts["ema"])
    for name, parameter in session.players.named_parameters():
        if name in moments:
            session.players.optimizer_of(name.partition(".")[0]).state[parameter] = moments[name]
    session.players.restore(parts.get("record", {}), saved.unlogged)
    if best is not None:
        device = session.fabric.device
        best.loss, best.step = saved.best_loss, saved.best_step
        best.weights = {name: tensor.to(device) for name, tensor in best_weights.items()}


def _weights(session: Session) -> dict[str, Tensor]:
    state = {f"model.{name}": tensor for name, tensor in session.model.state_dict().items()}
    if session.ema is not None:
        state |= {f"ema.{name}": tensor for name, tensor in session.ema.state_dict().items()}
    return state


def _state(session: Session) -> dict[str, Tensor]:
    """The tensors that a step changes, by their names: `model.*`, `ema.*` and `optimizer.*`."""
    players = session.players
    state = _weights(session)
    for name, parameter in players.named_parameters():
        optimizer = players.optimizer_of(name.partition(".")[0])
        for key, value in optimizer.state.get(parameter, {}).items():
            state[f"optimizer.{name}.{key}"] = value
    return state


def _parts(state: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors by the first part of their names."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = tensor
    return parts


def _moments(session: Session, found: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """The state of the optimizer for each parameter that has one, in the memory layout of the parameter.

    A fused optimizer reads past the end of a moment of another shape.
    """
    names = ("step", *moment_names(session.training))
    moments: dict[str, dict[str, Any]] = {}
    left = dict(found)
    for name, parameter in session.players.named_parameters():
        keys = [key for key in names if f"{name}.{key}" in left]
        if not keys:
            continue
        if len(keys) < 3:
            raise _misfit(f"optimizer.{name} is not complete")
        count, *pair = (left.pop(f"{name}.{key}") for key in keys)
        like = {f"{name}.{key}": parameter for key in keys[1:]}
        _compare(like, dict(zip(like, pair, strict=True)))
        if count.shape != () or count.dtype != torch.float32:
            raise _misfit(f"optimizer.{name}.step is no number")
        own = [torch.empty_like(parameter, requires_grad=False).copy_(tensor) for tensor in pair]
        moments[name] = dict(zip(names, (count.to(parameter.device), *own), strict=True))
    if left:
        raise _misfit(f"there is no parameter for optimizer.{next(iter(left))}")
    return moments


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raises RunError where names, shapes or types differ."""
    for name in [*expected, *found]:
        if name not in expected or name not in found:
            raise _misfit(f"'{name}' is {'missing' if name in expected else 'not part of it'}")
        ours, theirs = expected[name], found[name]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            raise _misfit(
                f"'{name}' is {theirs.dtype} of shape {tuple(theirs.shape)}, not {ours.dtype} of"
                f" {tuple(ours.shape)}"
            )


def _misfit(how: str) -> RunError:
    return RunError(
        f"the checkpoint does not fit this model ({how}): it was probably made by another version; choose"
        " another --out"
    )
