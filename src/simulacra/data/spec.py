"""What a data set is: `DataSpec` describes it, `Dataset` is one split of it, `Data` all three.

Everything here is NumPy: only the engine turns a batch into tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np

from simulacra.errors import DataError, nearest

SPLITS = ("train", "validation", "test")

# shares in [0, 1): where everything is cut in three, and where validation is cut off a training part
CUTS = (0.8, 0.9)
HELD_OUT = 0.95


@dataclass(frozen=True)
class DataSpec:
    """The kind and shape of one example, and the names that go with it.

    Attributes:
        kind: `image`, values in [0, 1], or `vector`, any real numbers.
        shape: `(C, H, W)` of an image, `(D,)` of a vector.
        classes: the name of every class, in the order of the labels; empty without labels.
        attributes: the name of every attribute column; empty without attributes.
    """

    kind: Literal["image", "vector"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """One split, in memory or memory-mapped.

    Attributes:
        spec: what one example is.
        x: images as uint8 `(N, C, H, W)`, or vectors as float32 `(N, D)`.
        y: labels, int64 `(N,)`, indices into `spec.classes`.
        attributes: float32 `(N, A)`, one column for each of `spec.attributes`.
    """

    spec: DataSpec
    x: np.ndarray
    y: np.ndarray | None = None
    attributes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray | slice) -> Dataset:
        """The examples at `index`, in that order."""
        pick = [None if a is None else a[index] for a in (self.x, self.y, self.attributes)]
        return Dataset(self.spec, *pick)  # type: ignore[arg-type]  # x is never None


@dataclass(frozen=True)
class Data:
    """A source, loaded: its name as the user wrote it and its three disjoint splits."""

    name: str
    train: Dataset
    validation: Dataset
    test: Dataset

    @property
    def spec(self) -> DataSpec:
        return self.train.spec

    def split(self, name: str) -> Dataset:
        """The split called `train`, `validation` or `test`.

        Raises:
            DataError: there is no such split.
        """
        if name not in SPLITS:
            raise DataError(f"{self.name}: no split '{name}', {nearest(name, SPLITS)}")
        dataset: Dataset = getattr(self, name)
        return dataset


def content_shares(x: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each example that depends on its content alone, float64 `(N,)`.

    Splits cut on it are stable when examples are added, removed or reordered, and exact
    duplicates always land in the same split.
    """
    digests = b"".join(blake2b(np.ascontiguousarray(row).data, digest_size=8).digest() for row in x)
    return np.frombuffer(digests, dtype="<u8") / 2.0**64


def split_by_content(name: str, everything: Dataset, shares: np.ndarray | None = None) -> Data:
    """Cut 80 / 10 / 10 by the hash of the content (or by `shares` in [0, 1), where known).

    Raises:
        DataError: there are too few examples to leave one in the training split.
    """
    shares = content_shares(everything.x) if shares is None else shares
    place = np.digitize(shares, CUTS)
    train, validation, test = (np.flatnonzero(place == split) for split in range(3))
    if len(train) == 0:
        raise DataError(f"{name}: {len(everything)} examples are too few to train on")
    return Data(name, *(everything.take(index) for index in (train, validation, test)))


def hold_out_validation(name: str, train: Dataset, test: Dataset) -> Data:
    """For a source with its own test split: validation is 5% of the training part, by content."""
    shares = content_shares(train.x)
    keep, hold = np.flatnonzero(shares < HELD_OUT), np.flatnonzero(shares >= HELD_OUT)
    return Data(name, train.take(keep), train.take(hold), test)
