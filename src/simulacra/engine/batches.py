"""Batches gathered from one table: no worker processes, no copies but the batch itself."""

from __future__ import annotations

import torch
from torch import Tensor

from simulacra.core.batch import Batch, to_float
from simulacra.core.noise import Noise, derive_seed
from simulacra.data.spec import Dataset
from simulacra.data.text.vocabulary import PADDING

# A set below this many bytes is kept on the accelerator, so that batches need no transfer.
RESIDENT_BYTES = 2**30
# batches of sentences that are sorted by length together
POOL = 50


class Order:
    """Rows of a table, in a new order every epoch; an epoch drops what fills no batch.

    Args:
        rows: their indices `(N,)`.
        size: how many of them a batch has, over all shards.
        seeds: of the order, together with the epoch.
    """

    def __init__(self, rows: Tensor, size: int, *seeds: int) -> None:
        self.rows, self.size, self.seeds = rows, size, seeds
        self._epoch = -1
        self._order = rows

    def shuffled(self, generator: torch.Generator) -> Tensor:
        """The rows in the order of an epoch."""
        return self.rows[torch.randperm(len(self.rows), generator=generator).to(self.rows.device)]

    def at(self, step: int, shard: int, shards: int) -> Tensor:
        """The rows of one shard of the batch of one step."""
        epoch, position = divmod(step, len(self.rows) // self.size)
        if epoch != self._epoch:
            seed, *more = self.seeds
            generator = torch.Generator().manual_seed(derive_seed(seed, epoch, *more))
            self._order, self._epoch = self.shuffled(generator), epoch
        part = self.size // shards
        start = position * self.size + shard * part
        return self._order[start : start + part]


class ByLength(Order):
    """An order in which sentences of similar lengths share a batch.

    Pools of batches are sorted by length, and the batches of an epoch come in random order.

    Args:
        lengths: of the sentences `(N,)`.
        size, seeds: as of `Order`.
    """

    def __init__(self, lengths: Tensor, size: int, *seeds: int) -> None:
        super().__init__(torch.arange(len(lengths)), size, *seeds)
        self.lengths = lengths

    def shuffled(self, generator: torch.Generator) -> Tensor:
        order = super().shuffled(generator)
        pools = order[: len(order) // self.size * self.size].split(POOL * self.size)
        batches = torch.cat([pool[self.lengths[pool].argsort()] for pool in pools]).view(-1, self.size)
        return batches[torch.randperm(len(batches), generator=generator)].flatten()


class Batches:
    """The training batches by step: a function of the seed alone.

    Args:
        dataset: the training split.
        size: examples in the whole batch, over all shards, as `Training.fitted_batch` has it.
        seed: of the order and of the noise.
        steps: length of the training, passed on to the model.
        shards: equal parts the batch is cut in (processes times accumulated parts).
        device: where the batches go.
        class_balanced: as many examples of every class in each shard, class after class.
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        seed: int,
        steps: int,
        shards: int,
        device: torch.device,
        class_balanced: bool = False,
    ) -> None:
        self.seed, self.steps, self.shards, self.device = seed, steps, shards, device
        # the lengths of sentences are looked up on the host
        resident = device.type != "cpu" and dataset.spec.kind != "text" and dataset.x.nbytes < RESIDENT_BYTES
        home = device if resident else torch.device("cpu")
        self.x = torch.from_numpy(dataset.x).to(home)
        self.y = None if dataset.y is None else torch.from_numpy(dataset.y).to(home)
        self.target = None if dataset.target is None else torch.from_numpy(dataset.target).to(home)
        # sentences are cut behind the longest of a batch
        self.lengths = (
            torch.from_numpy((dataset.x != PADDING).sum(1)) if dataset.spec.kind == "text" else None
        )
        if class_balanced and self.y is not None:
            self.orders = self._by_class(dataset.spec.classes, self.y, size)
        elif self.lengths is not None:
            self.orders = [ByLength(self.lengths, size, seed)]
        else:
            self.orders = [Order(torch.arange(len(self.x), device=home), size, seed)]

    def _by_class(self, classes: tuple[str, ...], y: Tensor, size: int) -> list[Order]:
        rows = [(y == k).nonzero()[:, 0] for k in range(len(classes))]
        return [Order(of_class, size // len(classes), self.seed, k) for k, of_class in enumerate(rows)]

    def at(self, step: int, shard: int) -> Batch:
        """The rows of one shard of the batch of one step, and the noise that goes with them."""
        parts = [order.at(step, shard, self.shards) for order in self.orders]
        index = parts[0] if len(parts) == 1 else torch.cat(parts)
        # step + 1: step 0 of the noise belongs to sample grids, which share the seed
        noise = Noise(self.seed, step + 1, shard, self.shards, self.device)

        def rows_of(table: Tensor) -> Tensor:
            return to_float(table.index_select(0, index).to(self.device, non_blocking=True))

        x = self.x if self.lengths is None else self.x[:, : int(self.lengths[index].max())]
        y = None if self.y is None else rows_of(self.y)
        target = None if self.target is None else rows_of(self.target)
        return Batch(rows_of(x), y, noise, step, self.steps, target)
