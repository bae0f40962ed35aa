"""Checkpoints: one file that holds everything, replaced in one step, read without pickled code.

There is no RNG state to keep. The order of the data and all noise are functions of (seed, step),
and the global generators (dropout) are seeded from them before every step.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from math import inf
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from simulacra.core.model import Model
from simulacra.errors import RunError
from simulacra.files import replacing
from simulacra.run import Run


@dataclass
class Best:
    """The weights with the lowest validation loss so far, and the step they are from."""

    loss: float = inf
    step: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def update(self, loss: float, step: int, model: nn.Module) -> None:
        """Keep the weights if none were better."""
        if loss < self.loss:
            self.loss, self.step = loss, step
            self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def save(
    run: Run,
    step: int,
    model: Model,
    optimizers: dict[str, Any],
    ema: nn.Module | None = None,
    best: Best | None = None,
    weights: dict[str, Tensor] | None = None,
) -> None:
    """Write the weights that `sim.load` reads, of `weights` or else the model's own, then the checkpoint.

    A run that dies in between goes on from the checkpoint before, and writes both again.

    Raises:
        RunError: the disk is full or cannot be written; the last checkpoint is intact.
    """
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimizers": {player: optimizer.state_dict() for player, optimizer in optimizers.items()},
        "ema": None if ema is None else ema.state_dict(),
        "best": None if best is None else asdict(best),
    }
    weights = model.state_dict() if weights is None else weights
    save_weights(run, {name: tensor for name, tensor in weights.items() if name not in model.training_only})
    with replacing(run.checkpoint) as file:
        torch.save(state, file)


def save_weights(run: Run, state: dict[str, Tensor]) -> None:
    """Write model.safetensors."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with replacing(run.weights) as file:
        # not save_file, which makes files that only their owner can read
        file.write_bytes(to_bytes(weights))


def load(run: Run, device: torch.device) -> dict[str, Any] | None:
    """The last checkpoint, or None when there is none yet.

    Raises:
        RunError: the file is damaged.
    """
    if not run.checkpoint.is_file():
        return None
    try:
        state: dict[str, Any] = torch.load(run.checkpoint, map_location=device, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, ValueError) as error:
        raise RunError(
            f"{run.checkpoint}: damaged ({str(error).splitlines()[0]});"
            f" delete {run.path} to start again, or choose another --out"
        ) from error
    return state


def restore(
    state: dict[str, Any],
    model: nn.Module,
    optimizers: dict[str, Any],
    ema: nn.Module | None = None,
    best: Best | None = None,
) -> None:
    """Put a loaded checkpoint back in place.

    Raises:
        RunError: it is of a model that was built otherwise.
    """
    try:
        model.load_state_dict(state["model"])
    except RuntimeError as error:
        raise RunError(
            f"the checkpoint does not fit this model ({str(error).splitlines()[-1].strip()}): it was probably"
            " made by another version; choose another --out"
        ) from error
    for player, optimizer in optimizers.items():
        optimizer.load_state_dict(state["optimizers"][player])
    if ema is not None:
        ema.load_state_dict(state["ema"])
    if best is not None:
        best.loss, best.step, best.weights = (state["best"][f.name] for f in fields(Best))
