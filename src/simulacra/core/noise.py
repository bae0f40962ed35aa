"""Random numbers as a function of (seed, step, example): what makes trainings repeatable and resumable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution


class Noise:
    """Random numbers that depend on `(seed, step)` and on the example, not on how a batch is divided.

    Every process and every micro-batch draws the numbers of the whole batch and keeps the rows of its own
    shard, so a batch spread over processes gets the same noise as in one piece.

    Args:
        seed: random seed, 0 or more.
        step: training step.
        shard: index of this part of the batch.
        shards: number of equal parts that the batch is divided into.
        device: where the numbers are drawn.
        rows: as many are drawn at least, so that the first of them do not depend on how many are used.

    >>> whole = Noise(seed=1).normal(4, 2)
    >>> part = Noise(seed=1, shard=1, shards=2).normal(2, 2)
    >>> bool((whole[2:] == part).all())
    True
    """

    def __init__(
        self,
        seed: int,
        step: int = 0,
        shard: int = 0,
        shards: int = 1,
        device: torch.device | str = "cpu",
        rows: int = 0,
    ) -> None:
        self.shard, self.shards, self.rows = shard, shards, rows
        self.seed, self.dropouts = derive_seed(seed, step), 0
        self.generator = torch.Generator(device).manual_seed(self.seed)

    @classmethod
    def of(cls, seed: int | Noise) -> Noise:
        """The noise of a seed; a `Noise` itself."""
        return seed if isinstance(seed, Noise) else cls(seed)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal `(n, *shape)`."""
        return self._own_rows(torch.randn(self._rows(n), *shape, **self._source), n)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Uniform on [0, 1), `(n, *shape)`."""
        return self._own_rows(torch.rand(self._rows(n), *shape, **self._source), n)

    def draw(self, p: Distribution, *shape: int) -> Tensor:
        """`(*shape, B, ...)` samples of p: `p.sample` with this generator in place of the global one.

        >>> p = torch.distributions.Normal(torch.zeros(3), 1.0)
        >>> bool((Noise(seed=1).draw(p, 2) == Noise(seed=1).draw(p, 2)).all())
        True
        """
        seed = torch.randint(2**62, (), **self._source)
        device = self.generator.device
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(int(seed))
            return p.sample(torch.Size(shape))

    @contextmanager
    def dropout(self, net: nn.Module) -> Iterator[None]:
        """Apply the dropout of a net inside, in training and evaluation mode alike, with masks drawn here.

        The masks belong to the shard: a batch in one piece gets others.
        """
        self.dropouts += 1
        # computed on the host, so that the device is not synchronised
        seed, device = derive_seed(self.seed, self.shard, self.dropouts), self.generator.device
        inactive = [m for m in net.modules() if isinstance(m, nn.Dropout) and not m.training]
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(seed)
            for module in inactive:
                module.training = True
            try:
                yield
            finally:
                for module in inactive:
                    module.training = False

    @property
    def _source(self) -> dict[str, Any]:
        return {"generator": self.generator, "device": self.generator.device}

    def _rows(self, n: int) -> int:
        return max(n * self.shards, self.rows)

    def _own_rows(self, whole: Tensor, n: int) -> Tensor:
        return whole[self.shard * n : (self.shard + 1) * n]


def derive_seed(*numbers: int) -> int:
    """One 63-bit seed from several numbers (the finaliser of splitmix64, Steele et al. 2014).

    >>> derive_seed(1, 2) == derive_seed(1, 2), derive_seed(1, 2) == derive_seed(2, 1)
    (True, False)
    """
    h = 0
    for number in numbers:
        h = (h + number + 0x9E3779B97F4A7C15) & (2**64 - 1)
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        h ^= h >> 31
    return h >> 1
