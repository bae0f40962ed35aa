"""One training step of a game: the loss of every turn moves its player."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from simulacra.accelerate import for_cpu
from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.model import Model, Turn
from simulacra.engine.optimizers import optimizer
from simulacra.errors import DivergedError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class ScalarBuffer:
    """Numbers written one after the other into memory that stays on the device.

    The loop never waits for them; and small tensors kept from step to step would keep the allocator
    from reusing the large ones around them, which costs more than all the rest of the engine.
    """

    def __init__(self, capacity: int, device: torch.device) -> None:
        self.values = torch.zeros(capacity, device=device)
        self.n = 0

    def add(self, value: Tensor) -> None:
        if self.n == len(self.values):
            self.values = torch.cat([self.values, torch.zeros_like(self.values)])
        self.values[self.n].copy_(value.detach())
        self.n += 1

    def take(self) -> Tensor:
        """The numbers `(n,)` since the last call."""
        taken = self.values[: self.n].clone()
        self.n = 0
        return taken


class AutocastNet(nn.Module):
    """A net that computes in bfloat16 where that is safe, from float32 to float32.

    What Fabric wraps a net in does so too, but cannot be differentiated twice.
    """

    def __init__(self, net: nn.Module, fabric: Fabric) -> None:
        super().__init__()
        self.net, self.fabric = net, fabric

    def forward(self, *inputs: Tensor) -> Any:
        with self.fabric.autocast():
            output = self.net(*inputs)
        return output.float() if isinstance(output, Tensor) else output

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name) if name in ("net", "fabric") else getattr(self.net, name)


class Players:
    """A model's nets wrapped for device, precision and processes, with an optimizer for each player.

    The model itself stays unwrapped: checkpoints, averages and samples are made from it.

    Attributes:
        optimizers: player -> its optimizer.
        steps: steps since the last call of `averages`.
        first: the loss of every player at the first step of the training, after the first call of `averages`.
    """

    def __init__(self, model: Model, training: Training, fabric: Fabric) -> None:
        if fabric.device.type == "cpu":
            for_cpu(model)
        model.to(memory_format=model.memory_format)  # type: ignore[call-overload]  # missing in torch's stubs
        self.model, self.training, self.fabric = model, training, fabric
        # the same object with its nets replaced: parameters and buffers are shared
        self.stage = copy.copy(model)
        self.stage._modules = dict(model._modules)
        self.parameters: dict[str, list[nn.Parameter]] = {}
        self.optimizers: dict[str, Any] = {}
        self.wrapped: list[Any] = []
        for player, names in model.players.items():
            self.parameters[player] = [p for name in names for p in getattr(model, name).parameters()]
            for name in names:
                self.stage._modules[name] = self._wrap(getattr(model, name))
            self.optimizers[player] = fabric.setup_optimizers(optimizer(training, self.parameters[player]))
        self.steps = 0
        self.first: dict[str, float] = {}
        # term -> its values since the last log
        self._record: dict[str, ScalarBuffer] = {}

    def _wrap(self, net: nn.Module) -> nn.Module:
        # there is nothing to cast or to exchange, and DDP refuses it
        if not any(True for _ in net.parameters()):
            return net
        alone = self.fabric.world_size == 1
        if alone and self.training.precision == "bf16":
            net = AutocastNet(net, self.fabric)
        if self.training.compile:
            net = torch.compile(net)  # type: ignore[assignment]  # compiled, and a module still
        if alone:
            return net
        wrapped = self.fabric.setup_module(net)
        self.wrapped.append(wrapped)
        return wrapped

    def play(self, parts: list[Batch], rate: float) -> None:
        """Play the games of all parts of a batch in lock step: a player moves once a turn."""
        games = [self.stage.play(part) for part in parts]
        while (player := self._differentiate(games)) is not None:
            opt = self.optimizers[player]
            for group in opt.param_groups:
                group["lr"] = rate
            self._clip_and_log_gradient(player)
            opt.step()
            # zero_grad, without its profiling
            for p in self.parameters[player]:
                p.grad = None
        self.steps += 1

    def _differentiate(self, games: list[Iterator[Turn]]) -> str | None:
        """Add up the gradients of the next turn of every game; whose turn it was, None after the last."""
        player = None
        for game in games:
            with ExitStack() as unsynchronised:
                # processes exchange gradients once a turn, with the last part
                if game is not games[-1]:
                    for net in self.wrapped:
                        unsynchronised.enter_context(self.fabric.no_backward_sync(net))
                turn = next(game, None)
                if turn is None:
                    return None
                self.fabric.backward(turn.loss if len(games) == 1 else turn.loss / len(games))
            player = turn.player
            self._log(self._named(player, "loss"), turn.loss)
            for name, value in turn.terms.items():
                self._log(name, value)
        return player

    def _clip_and_log_gradient(self, player: str) -> None:
        """Clip a player's gradient if --clip is set, and log its norm; in games of several players always."""
        parameters = self.parameters[player]
        if self.training.clip is not None:
            norm = nn.utils.clip_grad_norm_(parameters, self.training.clip)
        elif len(self.parameters) > 1:
            norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        else:
            return
        self._log(self._named(player, "gradient"), norm)

    def _log(self, name: str, value: Tensor) -> None:
        if name not in self._record:
            self._record[name] = ScalarBuffer(self.training.log_every, value.device)
        self._record[name].add(value)

    def _named(self, player: str, quantity: str) -> str:
        return quantity if len(self.parameters) == 1 else f"{player}_{quantity}"

    def averages(self, step: int) -> dict[str, float]:
        """The mean of every term since the last call, over turns, parts and processes.

        Args:
            step: training steps so far.

        Raises:
            DivergedError: a loss was NaN or infinite; the message names player, nets and step.
        """
        terms = {name: column.take() for name, column in self._record.items()}
        terms = {name: values for name, values in terms.items() if len(values)}
        if self.fabric.world_size > 1:
            terms = {
                name: cast(Tensor, self.fabric.all_reduce(values, reduce_op="mean"))
                for name, values in terms.items()
            }
        for player in self.parameters:
            self._check(player, terms.get(self._named(player, "loss")), step)
        if step == self.steps:
            losses = [self._named(player, "loss") for player in self.parameters]
            self.first = {name: terms[name][0].item() for name in losses if name in terms}
        self.steps = 0
        return {name: values.mean().item() for name, values in terms.items()}

    def _check(self, player: str, losses: Tensor | None, step: int) -> None:
        if losses is None or bool(losses.isfinite().all()):
            return
        first = int((~losses.isfinite()).nonzero()[0])
        # a player may move several times a step, and in several parts
        at = step - self.steps + first * self.steps // len(losses) + 1
        names = self.model.players[player]
        broken = [
            n for n in names if any(not p.isfinite().all() for p in getattr(self.model, n).parameters())
        ]
        raise DivergedError(
            f"the loss of player '{player}' (net {', '.join(broken or names)}) became {losses[first].item()}"
            f" at step {at}; the checkpoint that is kept is from before it."
            " Try a smaller --lr, or --clip 1, in another --out"
        )
