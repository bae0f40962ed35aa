"""Batches of tensors: what a model gets in one step, and tables in order for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch
from torch import Tensor

from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset
from simulacra.data.text.vocabulary import PADDING

# pixels of all images that a net gets at once outside of training
PIXELS = 2**20


@dataclass(frozen=True)
class Batch:
    """The input of one training step.

    Attributes:
        x: images `(B, C, H, W)` in [0, 1] or vectors `(B, D)`, float32; or sentences `(B, T)`, int64, 0 after
            their ends.
        y: labels `(B,)` int64, or None.
        noise: the only source of randomness of the step.
        step: steps before this one.
        steps: steps of the whole training.
        target: images `(B, C, H, W)` in [0, 1] or vectors `(B, T)` to be predicted, or None.
    """

    x: Tensor
    y: Tensor | None
    noise: Noise
    step: int = 0
    steps: int = 1
    target: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


def to_float(x: Tensor) -> Tensor:
    """uint8 images as float32 in [0, 1], tokens as int64; other tensors unchanged."""
    if x.dtype == torch.int32:
        return x.long()
    return x.float().div_(255) if x.dtype == torch.uint8 else x


def to_bytes(x: Tensor) -> np.ndarray:
    """Images in [0, 1] as uint8 `(B, C, H, W)`; values outside are clipped."""
    array: np.ndarray = x.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().numpy()
    return array


def tensor(table: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Rows of a table as a tensor for a model; a copy, since the table may be read-only."""
    return to_float(torch.from_numpy(np.array(table)).to(device))


def max_batch(dataset: Dataset, limit: int) -> int:
    """Examples at a time: `limit`, or fewer large images, since nets hold dozens of channels for each."""
    return max(1, min(limit, PIXELS // prod(dataset.spec.shape[1:])))


def random_subset(dataset: Dataset, n: int, seed: int) -> Dataset:
    """At most n random examples, the same ones for the same seed."""
    return dataset.take(np.random.default_rng(seed).permutation(len(dataset))[:n])


def at_most(n: int, dataset: Dataset, seed: int) -> Dataset:
    """All examples in their order, or n random ones of more."""
    return dataset if len(dataset) <= n else random_subset(dataset, n, seed)


def by_length(dataset: Dataset) -> Dataset:
    """Sentences from the shortest to the longest, so that batches have little padding; others as they are."""
    if dataset.spec.kind != "text":
        return dataset
    return dataset.take(np.argsort((dataset.x != PADDING).sum(axis=1), kind="stable"))


def in_order(
    dataset: Dataset, size: int, device: torch.device, seed: int = 0, alike: bool = False
) -> Iterator[Batch]:
    """Every example once, in order, `size` at a time: for validation and evaluation.

    Args:
        dataset: N examples.
        size: of a batch; the last one may be smaller.
        device: of the batches.
        seed: of their noise.
        alike: whether the noise of an example does not depend on how many follow it.
    """
    for start in range(0, len(dataset), size):
        part = dataset.take(slice(start, start + size))
        if dataset.spec.kind == "text":
            # without the padding that all of them have
            part = replace(part, x=part.x[:, : int((part.x != PADDING).sum(1).max())])
        x = tensor(part.x, device)
        y = None if part.y is None else tensor(part.y, device)
        target = None if part.target is None else tensor(part.target, device)
        noise = Noise(seed, start, device=device, rows=size if alike else 0)
        yield Batch(x, y, noise, target=target)
