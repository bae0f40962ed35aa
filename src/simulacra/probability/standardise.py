"""Standardisation: what models that train on numbers of any unit share."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.data.spec import DataSpec
from simulacra.probability.distributions import affine


class Standardise(nn.Module):
    """(x - mean) / std, with the mean and the standard deviation of every column, or channel, of the training
    data; the identity until `fit`. The one-hot codes of a table stay as they are.

    Args:
        spec: the data.
        common: one scale for all columns: what is round stays round.

    >>> spec = DataSpec("vector", (2,))
    >>> standardise = Standardise(spec)
    >>> standardise.fit(np.array([[0.0, 5.0], [20.0, 5.0]]))
    >>> standardise(torch.tensor([[20.0, 5.0]])), standardise.inverse(torch.tensor([[1.0, 0.0]]))
    (tensor([[1., 0.]]), tensor([[20.,  5.]]))
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: DataSpec, common: bool = False) -> None:
        super().__init__()
        self.spec, self.common = spec, common
        # one number a column, or a channel
        per = (spec.shape[0], *(1 for _ in spec.shape[1:]))
        self.register_buffer("mean", torch.zeros(per))
        self.register_buffer("std", torch.ones(per))

    def fit(self, x: np.ndarray) -> None:
        """Learn mean and standard deviation: of images uint8 or float `(N, C, H, W)`, or vectors `(N, D)`."""
        mean, std = _moments(x)
        for block in () if self.spec.schema is None else self.spec.schema.blocks:
            mean[block.code], std[block.code] = 0, 1
            if block.number is not None and block.column.states:
                # of the rows in which it has a value of its own
                own = x[x[:, block.code.start] == 1, block.number].astype(np.float64)
                moments = (own.mean(), own.std()) if len(own) else (0.0, 1.0)
                mean[block.number], std[block.number] = moments
        if self.common:
            std[:] = np.sqrt(np.square(std).mean())
        self.mean.copy_(torch.from_numpy(mean))
        # a constant column carries no information, and becomes zero
        self.std.copy_(torch.from_numpy(np.where(std > 0, std, 1)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def inverse(self, x: Tensor) -> Tensor:
        """mean + std x."""
        return self.mean + self.std * x

    def in_units(self, p: Distribution) -> Distribution:
        """The distribution of `inverse(x)` for x ~ p; its density has the Jacobian, prod 1 / std."""
        q: Distribution = affine(p, self.mean, self.std)
        return q


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column, or every channel over all pixels."""
    axes = (0, *range(2, x.ndim))
    n = prod(x.shape[axis] for axis in axes)
    unit = 255 if x.dtype == np.uint8 else 1
    mean = x.sum(axis=axes, keepdims=True, dtype=np.float64) / n
    variance = sum(np.square(rows - mean).sum(axis=axes, keepdims=True) for rows in _pieces(x)) / n
    return mean[0] / unit, np.sqrt(variance)[0] / unit


def _pieces(x: np.ndarray, rows: int = 1024) -> Iterator[np.ndarray]:
    for start in range(0, len(x), rows):
        yield x[start : start + rows].astype(np.float64)
