"""Data sets: `DataSpec` describes one, `Dataset` is a split, `Data` all three; `Options` of reading a source.

Everything here is NumPy: only the engine turns a batch into tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Literal

import numpy as np

from simulacra.data.tables.schema import Schema
from simulacra.errors import DataError, nearest

SPLITS = ("train", "validation", "test")

# shares in [0, 1) at which examples are cut in three, and at which validation is cut off a training part
CUTS = (0.8, 0.9)
HELD_OUT = 0.95


@dataclass(frozen=True)
class Options:
    """How a source is read.

    Attributes:
        image_size: resize images to this height and width, 4 to 4096 pixels; the source's own by default.
        channels: convert images to 1 (grey) or 3 (colour) channels; the source's own by default.
        skip_bad: skip files that cannot be used.
        target: what to predict: columns of a table, separated by commas; or an attribute of images as their
            class, e.g. glasses or age>=60.
        swap: exchange the two images of every pair.

    Raises:
        DataError: the size or the channels are out of range.
    """

    image_size: int | None = None
    channels: int | None = None
    skip_bad: bool = False
    target: str | None = None
    swap: bool = False

    def __post_init__(self) -> None:
        if self.image_size is not None and not 4 <= self.image_size <= 4096:
            raise DataError(f"image size {self.image_size} is out of range: choose from 4 to 4096 pixels")
        if self.channels not in (None, 1, 3):
            raise DataError(f"{self.channels} channels are not possible: choose 1 (grey) or 3 (colour)")


@dataclass(frozen=True)
class DataSpec:
    """The kind and shape of one example, and the names that go with it.

    Attributes:
        kind: `image`, values in [0, 1], or `vector`, any real numbers.
        shape: `(C, H, W)` of an image, `(D,)` of a vector.
        classes: the name of every class, in the order of the labels; empty without labels.
        attributes: the name of every attribute column; empty without attributes.
        columns: the name of every number of a vector; empty if they have none.
        target: the spec of what is predicted from an example; None without a target.
        schema: the columns of a table, and how they are encoded as a vector; None for other vectors.
    """

    kind: Literal["image", "vector"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: DataSpec | None = None
    schema: Schema | None = None


@dataclass(frozen=True)
class Dataset:
    """One split, in memory or memory-mapped.

    Attributes:
        spec: what one example is.
        x: images as uint8 `(N, C, H, W)`, or vectors as float32 `(N, D)`.
        y: labels, int64 `(N,)`, indices into `spec.classes`.
        attributes: float32 `(N, A)`, one column for each of `spec.attributes`.
        target: what is predicted, as `spec.target` describes: uint8 `(N, C, H, W)` or float32 `(N, T)`.
    """

    spec: DataSpec
    x: np.ndarray
    y: np.ndarray | None = None
    attributes: np.ndarray | None = None
    target: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray | slice) -> Dataset:
        """The examples at `index`, in that order."""
        arrays = (self.x, self.y, self.attributes, self.target)
        pick = [None if a is None else a[index] for a in arrays]
        return Dataset(self.spec, *pick)  # type: ignore[arg-type]  # x is never None

    @property
    def class_counts(self) -> tuple[int, ...]:
        """The number of examples of each class, 0 without labels."""
        y = np.zeros(0, np.int64) if self.y is None else self.y
        return tuple(np.bincount(y, minlength=len(self.spec.classes)).tolist())

    def swapped(self) -> Dataset:
        """The targets as examples, and the examples as their targets; both have the same spec.

        >>> spec = DataSpec("vector", (1,), target=DataSpec("vector", (1,)))
        >>> Dataset(spec, np.zeros((2, 1)), target=np.ones((2, 1))).swapped().x.tolist()
        [[1.0], [1.0]]
        """
        assert self.target is not None
        return replace(self, x=self.target, target=self.x)


@dataclass(frozen=True)
class Truth:
    """The exact properties of simulated data; None if unknown.

    Attributes:
        log_density: log p(x) in nats, from `(N, D)` to `(N,)`; -inf outside the support.
        log_conditional: log p(y | x) of targets in nats, from `(N, D)` and `(N, T)` to `(N,)`.
        modes: the centres of the modes of p(x), `(K, D)`.
        sigma: the standard deviation of each mode around its centre, along each axis.
        forward: for an inverse problem, the noiseless input of a target, `(N, T)` to `(N, D)`.
        size: for an inverse problem, the length in units of which errors of the input are measured.
    """

    log_density: Callable[[np.ndarray], np.ndarray] | None = None
    log_conditional: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    modes: np.ndarray | None = None
    sigma: float | None = None
    forward: Callable[[np.ndarray], np.ndarray] | None = None
    size: float = 1.0


@dataclass(frozen=True)
class Data:
    """A loaded source: its name as the user wrote it, its three disjoint splits, and the truth about it."""

    name: str
    train: Dataset
    validation: Dataset
    test: Dataset
    truth: Truth = Truth()

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

    def swapped(self) -> Data:
        """The data with every split `Dataset.swapped`, without a truth."""
        return Data(self.name, self.train.swapped(), self.validation.swapped(), self.test.swapped())


def content_shares(x: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each example that depends on its content alone, float64 `(N,)`.

    Splits cut on it are stable when examples are added, removed or reordered, and exact
    duplicates always land in the same split.
    """
    digests = b"".join(blake2b(np.ascontiguousarray(row).data, digest_size=8).digest() for row in x)
    return np.frombuffer(digests, dtype="<u8") / 2.0**64


def split_by_content(
    name: str, everything: Dataset, shares: np.ndarray | None = None, truth: Truth | None = None
) -> Data:
    """Cut 80 / 10 / 10 by the hash of the content (or by `shares` in [0, 1), where known).

    Raises:
        DataError: there are too few examples to leave one in the training split.
    """
    shares = content_shares(everything.x) if shares is None else shares
    place = np.digitize(shares, CUTS)
    train, validation, test = (np.flatnonzero(place == split) for split in range(3))
    if len(train) == 0:
        raise DataError(f"{name}: {len(everything)} examples are too few to train on")
    take = everything.take
    return Data(name, take(train), take(validation), take(test), truth or Truth())


def hold_out_validation(name: str, train: Dataset, test: Dataset) -> Data:
    """For a source with its own test split: validation is 5% of the training part, by content."""
    shares = content_shares(train.x)
    keep, hold = np.flatnonzero(shares < HELD_OUT), np.flatnonzero(shares >= HELD_OUT)
    return Data(name, train.take(keep), train.take(hold), test)


def refuse_missing_classes(data: Data) -> None:
    """Check that every class has training examples.

    Raises:
        DataError: a class has none.
    """
    for name, count in zip(data.spec.classes, data.train.class_counts, strict=True):
        if count == 0:
            raise DataError(f"{data.name}: no image of '{name}' is left to train on; add more")


def encode_labels(values: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names, sorted (as numbers when all of them are), and int64 indices into them.

    >>> encode_labels(["10", "9", "10"])
    (('9', '10'), array([1, 0, 1]))
    """
    distinct = set(values)
    numeric = all(value.isdecimal() for value in distinct)
    names = sorted(distinct, key=lambda value: (int(value) if numeric else 0, value))
    index = {name: i for i, name in enumerate(names)}
    return tuple(names), np.array([index[value] for value in values], dtype=np.int64)
