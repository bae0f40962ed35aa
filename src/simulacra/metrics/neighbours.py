"""Nearest neighbours by blocks of distances, and what they say about memorised training data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from simulacra.errors import DataError
from simulacra.metrics.registry import Metric, Score, register

if TYPE_CHECKING:
    from simulacra.metrics.sample_scores import Comparison

# distances held at a time
BLOCK = 2**20
# With fewer features than this, differences are squared one by one, so that ties are exact.
FEW = 32
# unit roundoff of float64
UNIT = 2.0**-53


@dataclass
class Block:
    """Distances of some rows of x to all rows of y, rounded where a matrix product gives them.

    Attributes:
        part: the rows of x.
        squared: squared distances `(B, N)`.
        error: what they are wrong by at most, `(B, N)`; None where they are exact.
        x: all rows `(M, F)`.
        y: all rows `(N, F)`.
    """

    part: slice
    squared: Tensor
    error: Tensor | None
    x: np.ndarray
    y: np.ndarray

    @property
    def distance(self) -> Tensor:
        """`(B, N)`."""
        return self.squared.sqrt()

    def settle(self, limit: Tensor, below: bool = False) -> None:
        """Make distances exact that rounding may have put on the wrong side of a limit.

        Args:
            limit: distances, of a shape that fits `(B, N)`.
            below: also all that are smaller than the limit.
        """
        if self.error is None:
            return
        above = self.squared - limit.square()
        near = above <= 2 * self.error if below else above.abs() <= 2 * self.error
        rows, columns = near.nonzero(as_tuple=True)
        step = max(1, BLOCK // self.x.shape[1])
        for i, j in zip(rows.split(step), columns.split(step), strict=True):
            difference = self.x[self.part][i.numpy()] - self.y[j.numpy()].astype(np.float64)
            self.squared[i, j] = torch.from_numpy(np.square(difference).sum(axis=1))
            self.error[i, j] = 0


def blocks(x: np.ndarray, y: np.ndarray) -> Iterator[Block]:
    """Euclidean distances of rows x `(M, F)` to all rows y `(N, F)` in float64, a few million at a time.

    Equal distances come out equal: exact are those of few features, of integers and of bytes that are stored
    as fractions of 255; of others `Block.settle` makes exact what is compared.
    """
    few = y.shape[1] < FEW
    a, b, scale = _integers(x, y)
    if scale is None and not few:
        # |x - y|^2 = |x|^2 + |y|^2 - 2 x.y loses the least around the mean
        centre = b.mean(axis=0)
        a, b = a - centre, b - centre
    all_y = torch.from_numpy(b)
    y2 = all_y.square().sum(dim=1)
    # of a product of F terms (Higham 2002, section 3.1), of the norms, and of the subtraction of the centre
    rounding = 2 * (y.shape[1] + 16) * UNIT
    rows = max(1, BLOCK // max(1, len(y)))
    for start in range(0, len(x), rows):
        part = slice(start, min(start + rows, len(x)))
        some = torch.from_numpy(a[part])
        if few:
            direct = torch.cdist(some, all_y, compute_mode="donot_use_mm_for_euclid_dist")
            yield Block(part, direct.mul_(scale or 1).square_(), None, x, y)
            continue
        norms = some.square().sum(dim=1, keepdim=True) + y2
        squared = torch.addmm(norms, some, all_y.T, alpha=-2).clamp_(min=0)
        if scale is None:
            yield Block(part, squared, norms.mul_(rounding), x, y)
        else:
            yield Block(part, squared.mul_(scale**2), None, x, y)


def _integers(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float | None]:
    """x and y in float64; as integers and their scale where sums of their products are exact, else None."""
    for per_unit in (1, 255):
        # most data fail at their first rows
        if _on_grid(x[:8], per_unit) and _on_grid(x, per_unit) and _on_grid(y, per_unit):
            a, b = (np.rint(per_unit * values.astype(np.float64)) for values in (x, y))
            largest = max(np.abs(whole).max(initial=0) for whole in (a, b))
            if 4 * x.shape[1] * largest**2 < 1 / UNIT:
                return a, b, 1 / per_unit
    return x.astype(np.float64), y.astype(np.float64), None


def _on_grid(x: np.ndarray, per_unit: int) -> bool:
    """Whether the numbers of x are integers divided by `per_unit` and rounded to the type of x."""
    return np.array_equal((np.rint(per_unit * x.astype(np.float64)) / per_unit).astype(x.dtype), x)


def distances(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[slice, Tensor]]:
    """Distances of rows x `(M, F)` to all rows y `(N, F)`: a slice of x and its distances `(B, N)`.

    In float64, rounded; never more than a few million at a time.

    >>> [d.tolist() for _, d in distances(np.array([[0.0], [3.0]]), np.array([[1.0], [5.0]]))]
    [[[1.0, 5.0], [2.0, 2.0]]]
    """
    for block in blocks(x, y):
        yield block.part, block.distance


def nearest(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of x `(M, F)` the nearest of y `(N, F)`: its index and distance, each `(M,)`.

    The first of several that are equally near.

    Raises:
        DataError: y has no rows.

    >>> nearest(np.array([[0.9], [4.0]]), np.array([[0.0], [1.0], [5.0]]))[0]
    array([1, 2])
    """
    if len(y) == 0:
        raise DataError("cannot find nearest neighbours: the reference set is empty")
    return _joined([_first(block) for block in blocks(x, y)])


def nearest_other(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of x `(N, F)` the nearest other row: its index and distance, each `(N,)`.

    Raises:
        DataError: there is one row only.
    """
    if len(x) < 2:
        raise DataError("one example has no neighbour")
    found = []
    for block in blocks(x, x):
        rows = torch.arange(len(block.squared))
        block.squared[rows, rows + block.part.start] = torch.inf
        found.append(_first(block))
    return _joined(found)


@dataclass(frozen=True)
class Memorisation:
    """How close samples are to single training examples, in a space of features.

    Attributes:
        index: the nearest training example of each sample, `(M,)`.
        distance: to it, `(M,)`.
        closer: share of samples that are nearer to their nearest training example than that one is to its
            own nearest other: 1 - authenticity of Alaa et al. 2022.
        expected: what `closer` is on average for new examples of the training distribution.
    """

    index: np.ndarray
    distance: np.ndarray
    closer: float
    expected: float


def memorisation(
    samples: np.ndarray, train: np.ndarray, others: tuple[np.ndarray, np.ndarray] | None = None
) -> Memorisation:
    """Samples `(M, F)` against the training examples `(N, F)` they might repeat.

    A new example of the same distribution is closer in the sense of Alaa et al. 2022 when it and a training
    example are each other's nearest. The new one and the training examples are exchangeable, so that this
    is as likely as it is for a training example among the others, a share that is counted: about 2/3 in
    one dimension, 0.62 in two, falling to 1/2 (Henze 1987). A model that memorises is above it.

    Args:
        samples: features of what was generated.
        train: features of the training examples, at least two.
        others: `nearest_other(train)`, when it is known.

    Raises:
        DataError: too few examples.

    >>> memorisation(np.array([[0.1], [50.0]]), np.array([[0.0], [1.0], [2.5]])).closer
    0.5
    """
    other, gap = nearest_other(train) if others is None else others
    index, distance = nearest(samples, train)
    mutual = other[other] == np.arange(len(train))
    return Memorisation(index, distance, float((distance < gap[index]).mean()), float(mutual.mean()))


def duplicates(samples: np.ndarray) -> int:
    """Samples `(N, ...)` that equal an earlier one in every number.

    >>> duplicates(np.array([[1, 2], [3, 4], [1, 2], [1, 2]]))
    2
    """
    return len(samples) - len(set(_digests(samples)))


def copies(samples: np.ndarray, train: np.ndarray) -> int:
    """Samples that equal a training example in every number; both `(N, ...)` of the same type.

    >>> copies(np.array([[1, 2], [3, 4]]), np.array([[1, 2]]))
    1
    """
    known = set(_digests(train))
    return sum(digest in known for digest in _digests(samples))


def _first(block: Block) -> tuple[Tensor, Tensor]:
    block.settle(block.distance.amin(dim=1, keepdim=True), below=True)
    distance, index = block.distance.min(dim=1)
    return index, distance


def _joined(found: list[tuple[Tensor, Tensor]]) -> tuple[np.ndarray, np.ndarray]:
    if not found:
        return np.zeros(0, np.int64), np.zeros(0)
    index, distance = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return index, distance


def _digests(x: np.ndarray) -> Iterator[bytes]:
    for row in x:
        # + 0: -0.0 equals 0.0
        yield blake2b(np.ascontiguousarray(row + row.dtype.type(0)).tobytes(), digest_size=16).digest()


def _memorisation(comparison: Comparison) -> dict[str, float]:
    """Duplicates and copies are counted in the examples themselves, not in features."""
    samples, train = comparison.samples, comparison.train
    if len(train) < 2:
        raise DataError("score_samples: memorisation needs at least two training examples")
    found = memorisation(samples.features, train.features, train.others())
    return {
        "closer_to_train": found.closer,
        "closer_expected": found.expected,
        "duplicates": duplicates(samples.x),
        "copies": copies(samples.x, train.x),
        "train": len(train),
    }


COMPARED_WITH = "; {train:,} training examples were compared"
MEMORISATION = register(Score(
    name="memorisation",
    metrics=(
        Metric("closer_to_train", "closer to training data", "%",
            "samples nearer to a training example than that is to its own nearest neighbour; a share far"
            " above the expected one indicates memorised examples", circumstances=COMPARED_WITH),
        Metric("closer_expected", "expected of new data", "%",
            "the same for new examples, estimated from the training data"),
        Metric("duplicates", "duplicates", meaning="samples that are equal to another sample"),
        Metric("copies", "copies", meaning="samples that are equal to a training example",
            circumstances=COMPARED_WITH),
    ),
    settings=("train",), score=_memorisation, order=140,
))  # fmt: skip
