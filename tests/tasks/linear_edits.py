"""A linear model whose latents are known mixtures of the factors of its data, and their predictor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Predicts, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.run import Run
from simulacra.tasks.attribute_predictor import AttributePredictor

NAMES = ("smile", "glasses", "age")
DEVIATIONS = (1.0, 2.0, 4.0)


class Linear(Reconstructs):
    """x = M z; the factors of an example are its numbers."""

    def __init__(self, M: Sequence[Sequence[float]]) -> None:
        super().__init__(DataSpec("vector", (len(M),), attributes=NAMES[: len(M)]), None)
        self.register_buffer("M", torch.tensor(M))
        self.spaces = (LatentSpace.normal(len(M)),)

    def encode(self, x: Tensor, space: str | None = None) -> Normal:
        return Normal(x @ torch.linalg.inv(self.M).T, 1.0)

    def decode(self, z: Tensor, space: str | None = None) -> Normal:
        return Normal(z @ self.M.T, 1.0)


class Numbers(Predicts):
    """Predicts the numbers of an example, with an error of so many standard deviations in each."""

    def __init__(self, names: Sequence[str] = NAMES, error: Sequence[float] = (0, 0, 0)) -> None:
        shape = (len(names),)
        target = DataSpec("vector", shape, columns=tuple(names))
        super().__init__(DataSpec("vector", shape, target=target), None)
        self.register_buffer("error", torch.tensor(DEVIATIONS[: len(names)]) * torch.tensor(error))

    def predict(self, x: Tensor) -> Normal:
        # a number that depends on the example alone
        u = (x.sum(dim=1, keepdim=True) * 7919.1234).frac().abs() - 0.5
        return Normal(x + u * 12**0.5 * self.error, 1.0)

    def targets(self, batch: Batch) -> Tensor:
        return batch.x


def predictor(names: Sequence[str] = NAMES, error: Sequence[float] = (0, 0, 0)) -> AttributePredictor:
    return AttributePredictor(Run("predictor"), tuple(names), Numbers(names, error))


def factors(n: int = 400, seed: int = 0, columns: int = 3) -> Data:
    """Independent normal factors with `DEVIATIONS`, as examples and as their attributes."""
    spec = DataSpec("vector", (columns,), attributes=NAMES[:columns])
    rng = np.random.default_rng(seed)
    parts = []
    for size in (n, n // 4, n):
        x = (rng.normal(size=(size, columns)) * DEVIATIONS[:columns]).astype(np.float32)
        parts.append(Dataset(spec, x, attributes=x))
    return Data("factors", *parts)
