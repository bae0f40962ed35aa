"""One round of a game: every turn's loss moves its player."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from simulacra.config import Training
from simulacra.engine.optim import optimizer
from simulacra.errors import DivergedError
from simulacra.game import Batch, Model, Turn

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Players:
    """A model's nets wrapped for device, precision and processes, with an optimizer for each player.

    The model itself stays bare: checkpoints, averages and samples are made from it.
    """

    def __init__(self, model: Model, training: Training, fabric: Fabric) -> None:
        self.model, self.training, self.fabric = model, training, fabric
        # the same object with its nets replaced: parameters and buffers are shared
        self.stage = copy.copy(model)
        self.stage._modules = dict(model._modules)
        self.parameters: dict[str, list[nn.Parameter]] = {}
        self.optimizers: dict[str, Any] = {}
        self.wrapped: list[Any] = []
        for player, names in model.players.items():
            nets: list[nn.Module] = [getattr(model, name) for name in names]
            self.parameters[player] = [p for net in nets for p in net.parameters()]
            for name, net in zip(names, nets, strict=True):
                # a net without parameters has nothing to synchronise, and DDP refuses it
                if any(True for _ in net.parameters()):
                    wrapped = fabric.setup_module(torch.compile(net) if training.compile else net)  # type: ignore[arg-type]
                    self.stage._modules[name] = wrapped
                    self.wrapped.append(wrapped)
            self.optimizers[player] = fabric.setup_optimizers(optimizer(training, self.parameters[player]))
        self.record = Record(training.log_every, fabric)
        self.steps_averaged = 0

    def play(self, parts: list[Batch], rate: float) -> None:
        """Play the games of all parts of a batch in lock step: a player moves once a turn."""
        games = [self.stage.play(part) for part in parts]
        while (player := self._differentiate(games)) is not None:
            opt = self.optimizers[player]
            for group in opt.param_groups:
                group["lr"] = rate
            if self.training.clip is not None:
                norm = nn.utils.clip_grad_norm_(self.parameters[player], self.training.clip)
                self.record.add(self._named(player, "gradient"), norm)
            opt.step()
            opt.zero_grad(set_to_none=True)
        self.record.next()

    def _differentiate(self, games: list[Iterator[Turn]]) -> str | None:
        """Add up the gradients of the next turn of every game; whose turn it was, None after the last."""
        player = None
        share = 1 / len(games)
        for game in games:
            with ExitStack() as unsynchronised:
                # processes exchange gradients once a turn, with the last part
                if game is not games[-1]:
                    for net in self.wrapped:
                        unsynchronised.enter_context(self.fabric.no_backward_sync(net))
                turn = next(game, None)
                if turn is None:
                    return None
                self.fabric.backward(turn.loss if len(games) == 1 else turn.loss * share)
            player = turn.player
            self.record.add(self._named(player, "loss"), turn.loss, share)
            for name, value in turn.terms.items():
                self.record.add(name, value, share)
        return player

    def _named(self, player: str, quantity: str) -> str:
        return quantity if len(self.parameters) == 1 else f"{player}_{quantity}"

    def averages(self, step: int) -> dict[str, float]:
        """The mean of every recorded term since the last call, over all processes.

        Raises:
            DivergedError: a loss was NaN or infinite; the message names player, nets and step.
        """
        self.steps_averaged = self.record.row
        table = self.record.read()
        for player, names in self.model.players.items():
            losses = table.get(self._named(player, "loss"))
            if losses is None or bool(losses.isfinite().all()):
                continue
            first = int((~losses.isfinite()).nonzero()[0])
            broken = [n for n in names if any(not p.isfinite().all() for p in getattr(self.model, n).parameters())]
            raise DivergedError(
                f"the loss of player '{player}' became {losses[first].item()} at step {step - len(losses) + first + 1}"
                f" (net {', '.join(broken or names)}); the last checkpoint is from before it:"
                " try a smaller --lr, --clip 1, or --precision 32 in another --out"
            )
        return {name: values.mean().item() for name, values in table.items()}


class Record:
    """Terms by step, kept on the device so that the loop never waits for it."""

    def __init__(self, rows: int, fabric: Fabric) -> None:
        self.rows, self.fabric = rows, fabric
        self.table: dict[str, Tensor] = {}
        self.row = 0

    def add(self, name: str, value: Tensor, share: float = 1.0) -> None:
        """Add `share` of a value to this step's term."""
        if name not in self.table:
            self.table[name] = torch.zeros(self.rows, device=value.device)
        self.table[name][self.row].add_(value.detach(), alpha=share)

    def next(self) -> None:
        self.row += 1

    def read(self) -> dict[str, Tensor]:
        """The terms of the steps since the last reading, each `(steps,)`, on the CPU."""
        if self.row == 0:
            return {}
        stack = torch.stack([column[: self.row] for column in self.table.values()])
        if self.fabric.world_size > 1:
            mean = self.fabric.all_reduce(stack, reduce_op="mean")
            assert isinstance(mean, Tensor)
            stack = mean
        rows = dict(zip(self.table, stack.cpu(), strict=True))
        self.table.clear()
        self.row = 0
        return rows
