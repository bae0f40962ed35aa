"""A generator whose groups are known: points of two groups (or more) far apart, and what samples them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from simulacra.audit.generator.group_classifier import Classifier, Grouping
from simulacra.audit.generator.grouped import GroupedGenerator, stored_samples
from simulacra.core.capabilities import Samples
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

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
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


def classifier(accuracy: float, groups: int) -> Classifier:
    """A classifier with this accuracy that otherwise predicts the next group; it is deterministic."""

    def classify(x: np.ndarray) -> np.ndarray:
        group = np.clip(np.rint(x[:, 0] / APART), 0, groups - 1).astype(np.int64)
        # a random number that depends on the point alone
        u = (np.abs(x[:, 1].astype(np.float64)) * 7919.1234) % 1
        return np.where(u < accuracy, group, (group + 1) % groups)

    return classify


def grouped_points(
    shares: Sequence[float],
    sampled: Sequence[float] | None = None,
    *,
    n: int = 2000,
    held: int = 1000,
    samples: int = 2000,
    accuracy: float = 1.0,
    seed: int = 0,
    model: Samples | None = None,
    minimum: int = 30,
) -> GroupedGenerator:
    """A generator of groups with shares `sampled`, of data with `shares`."""
    names = tuple("ABCDEFGH"[: len(shares)])
    spec = DataSpec("vector", (D,), names)
    parts = [points(shares, size, 10 * seed + i) for i, size in enumerate((n, held // 2, held - held // 2))]
    train, validation, test = (Dataset(spec, x, y) for x, y in parts)
    predict = classifier(accuracy, len(names))
    model = model or Sampler(sampled or shares)
    x = stored_samples(model, samples, seed)
    held_out = np.concatenate([validation.x, test.x])
    y = np.concatenate([parts[1][1], parts[2][1]])
    grouping = Grouping("kind", names, parts[0][1], y, predict(held_out), predict, "a stub")
    data = Data("stub", train, validation, test)
    return GroupedGenerator(
        model, data, "train", [grouping], x, [predict(x)], load_extractor("raw"), minimum, seed
    )
