"""One training step of a game: the loss of every turn moves its player."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
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
    """Numbers written one after the other into memory that stays on the device; `written` are those so far.

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

    @property
    def written(self) -> Tensor:
        return self.values[: self.n]

    def extend(self, values: Tensor) -> None:
        for value in values:
            self.add(value)

    def clear(self) -> None:
        self.n = 0


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
        steps: steps since `clear`.
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
        # term -> its values since `clear`
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
        self._buffer(name, value.device).add(value)

    def _buffer(self, name: str, device: torch.device) -> ScalarBuffer:
        if name not in self._record:
            self._record[name] = ScalarBuffer(self.training.log_every, device)
        return self._record[name]

    def _named(self, player: str, quantity: str) -> str:
        return quantity if len(self.parameters) == 1 else f"{player}_{quantity}"

    def record(self) -> dict[str, Tensor]:
        """Every term since `clear`: its values `(n,)`, one a turn and part, averaged over processes."""
        found = {name: column.written for name, column in self._record.items() if column.n}
        if self.fabric.world_size > 1:
            found = {
                name: cast(Tensor, self.fabric.all_reduce(values.clone(), reduce_op="mean"))
                for name, values in found.items()
            }
        return found

    def check(self, record: Mapping[str, Tensor], step: int) -> None:
        """Check that all losses of a record are finite.

        Args:
            record: what `record` gave.
            step: training steps so far.

        Raises:
            DivergedError: a loss was NaN or infinite; the message names player, nets and step.
        """
        for player in self.parameters:
            self._check(player, record.get(self._named(player, "loss")), step)

    def losses(self, record: Mapping[str, Tensor]) -> dict[str, float]:
        """The first loss of every player in a record."""
        names = [self._named(player, "loss") for player in self.parameters]
        return {name: record[name][0].item() for name in names if name in record}

    def clear(self) -> None:
        """Begin a new record."""
        self.steps = 0
        for column in self._record.values():
            column.clear()

    def averages(self, step: int) -> dict[str, float]:
        """The mean of every term since `clear`; a new record begins.

        Args:
            step: training steps so far.

        Raises:
            DivergedError: as `check`.
        """
        record = self.record()
        self.check(record, step)
        means = {name: values.mean().item() for name, values in record.items()}
        self.clear()
        return means

    def restore(self, record: Mapping[str, Tensor], steps: int) -> None:
        """Go on with a record of so many steps."""
        self.clear()
        self.steps = steps
        for name, values in record.items():
            self._buffer(name, self.fabric.device).extend(values)

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter, called PLAYER.NET.PARAMETER."""
        for player, names in self.model.players.items():
            for net in names:
                for name, parameter in getattr(self.model, net).named_parameters():
                    yield f"{player}.{net}.{name}", parameter

    def optimizer_of(self, player: str) -> torch.optim.Optimizer:
        """The optimizer of a player, not wrapped by Fabric."""
        found = self.optimizers[player]
        unwrapped: torch.optim.Optimizer = getattr(found, "optimizer", found)
        return unwrapped

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
