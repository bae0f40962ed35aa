"""A generator whose groups are known: points of two groups (or more) far apart, and what samples them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from simulacra.audit.generator.generated import Looked, draw
from simulacra.audit.generator.group_classifier import Axis, Reader
from simulacra.core.capabilities import Samples
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.metrics.features import load_extractor

# between the centres of neighbouring groups
APART = 100.0
D = 2


class Sampler(Samples):
    """Points of groups with these shares, each a unit normal around its centre; nothing else is random.

    Args:
        shares: of the groups.
        shrunk: standard deviation of the last group.
    """

    def __init__(self, shares: Sequence[float], shrunk: float = 1.0) -> None:
        super().__init__(DataSpec("vector", (D,)), None)
        self.shares, self.shrunk = shares, shrunk
        self.register_buffer("anywhere", torch.zeros(()))

    def sample(self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool = False) -> Tensor:
        """Truncation takes from the last group, too."""
        noise = Noise.of(seed)
        shares = torch.tensor(self.shares)
        shares[-1] *= truncation
        group = (noise.uniform(n) > (shares / shares.sum()).cumsum(0)[:-1, None]).sum(0)
        z = truncation * noise.normal(n, D)
        z[group == len(shares) - 1] *= self.shrunk
        z[:, 0] += APART * group
        return z


def points(shares: Sequence[float], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the data: `(n, D)`, and their groups."""
    rng = np.random.default_rng(seed)
    group = rng.choice(len(shares), n, p=shares)
    x = rng.normal(size=(n, D)).astype(np.float32)
    x[:, 0] += APART * group
    return x, group


def reader(accuracy: float, groups: int) -> Reader:
    """Reads a group rightly with this probability, and else as the next; the same point always alike."""

    def read(x: np.ndarray) -> np.ndarray:
        group = np.clip(np.rint(x[:, 0] / APART), 0, groups - 1).astype(np.int64)
        # a random number that depends on the point alone
        u = (np.abs(x[:, 1].astype(np.float64)) * 7919.1234) % 1
        return np.where(u < accuracy, group, (group + 1) % groups)

    return read


def looked(
    shares: Sequence[float],
    sampled: Sequence[float] | None = None,
    *,
    n: int = 2000,
    held: int = 1000,
    samples: int = 2000,
    accuracy: float = 1.0,
    seed: int = 0,
    model: Model | None = None,
    minimum: int = 30,
) -> Looked:
    """A generator of groups with shares `sampled`, of data with `shares`."""
    names = tuple("ABCDEFGH"[: len(shares)])
    spec = DataSpec("vector", (D,), names)
    parts = [points(shares, size, 10 * seed + i) for i, size in enumerate((n, held // 2, held - held // 2))]
    train, validation, test = (Dataset(spec, x, y) for x, y in parts)
    read = reader(accuracy, len(names))
    model = model or Sampler(sampled or shares)
    x = draw(model, samples, seed)
    of = np.concatenate([validation.x, test.x])
    y = np.concatenate([parts[1][1], parts[2][1]])
    axis = Axis("kind", names, parts[0][1], y, read(of), read, "a stub")
    data = Data("stub", train, validation, test)
    return Looked(model, data, "train", [axis], x, [read(x)], load_extractor("raw"), minimum, seed)
