"""Data sets: `DataSpec` describes one, `Dataset` is a split, `Data` all three; `Options` of reading a source.

Everything here is NumPy: only the engine turns a batch into tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from simulacra.data.tables.schema import Schema
from simulacra.data.text.vocabulary import Vocabulary
from simulacra.errors import DataError, nearest

SPLITS = ("train", "validation", "test")
# the source of a run that was trained on data which a program passed, before their hash
ARRAYS = "arrays"

# what a missing cell of a table may be
FOR_MISSING = ("category", "mean", "drop")
# what sentences may be split into
TOKENS = ("words", "pairs")
# how examples are split, beside column:NAME
RULES = ("hash", "time", "blocks", "none")


# what examples of each kind are called
NOUNS = {"image": "images", "vector": "rows", "text": "sentences"}
# names of columns, classes and attributes that a spec prints
NAMED = 5


def is_arrays(source: str) -> bool:
    """Whether the source of a run stands for data that a program passed, which it does not store."""
    return source.startswith(f"{ARRAYS}:")


@dataclass(frozen=True)
class Options:
    """How a source is read.

    Attributes:
        image_size: resize images to this height and width, 4 to 4096 pixels; the source's own by default.
        channels: convert images to 1 (grey) or 3 (colour) channels; the source's own by default.
        skip_bad: skip files that cannot be used.
        column: of a table of sentences, the column that holds them.
        tokens: what sentences are split into: words, or pairs (byte-pair encoding: frequent pieces of words).
        vocabulary_size: different tokens of sentences, at most; rarer words are unknown.
        max_tokens: sentences of more tokens are left out.
        target: what to predict: columns of a table, separated by commas; or an attribute of images as their
            class, e.g. glasses or age>=60.
        swap: exchange the two images of every pair.
        columns: the columns of a table to use, separated by commas; all by default.
        drop: columns of a table to leave out.
        categorical: columns of a table whose numbers are codes of categories.
        missing: what a missing cell of a table is: category (a value of its own), mean (for a number the mean
            of the training rows), or drop (the row is left out).
        split: what decides the split of an example: hash (of its content), time (the last rows are the test
            split), blocks (of rows; for recordings), or column:NAME, which says train, validation or test;
            none: all are the test split, of a source that is not trained on.
        group: a column whose examples of one value share a split, e.g. patient; it is no input. For image
            files a column of labels.csv, or folder: images of one folder share a split.

    Raises:
        DataError: the size or the channels are out of range, or there is no such split.
    """

    image_size: int | None = None
    channels: int | None = None
    skip_bad: bool = False
    column: str | None = None
    tokens: Literal["words", "pairs"] = "words"
    vocabulary_size: int = 10_000
    max_tokens: int = 64
    target: str | None = None
    swap: bool = False
    columns: str | None = None
    drop: str | None = None
    categorical: str | None = None
    missing: Literal["category", "mean", "drop"] = "category"
    split: str = "hash"
    group: str | None = None

    def __post_init__(self) -> None:
        if self.image_size is not None and not 4 <= self.image_size <= 4096:
            raise DataError(f"image size {self.image_size} is out of range: choose from 4 to 4096 pixels")
        if self.channels not in (None, 1, 3):
            raise DataError(f"{self.channels} channels are not possible: choose 1 (grey) or 3 (colour)")
        if self.tokens not in TOKENS:
            raise DataError(f"tokens: cannot be '{self.tokens}', {nearest(self.tokens, TOKENS)}")
        if self.vocabulary_size < 4 or self.max_tokens < 1:
            raise DataError("vocabulary_size and max_tokens: choose at least 4 and 1")
        if self.missing not in FOR_MISSING:
            raise DataError(f"missing: cannot be '{self.missing}', {nearest(self.missing, FOR_MISSING)}")
        if self.split not in RULES and not self.split_column:
            hint = nearest(self.split, (*RULES, "column:NAME"))
            raise DataError(f"split: there is no split by '{self.split}', {hint}")
        if self.group is not None and self.split not in ("hash", "time"):
            raise DataError(f"group: cannot be combined with split {self.split}; leave one of them out")

    @property
    def split_column(self) -> str | None:
        """The column that says which split an example is in; None where none does."""
        return self.split.removeprefix("column:") if self.split.startswith("column:") else None


@dataclass(frozen=True)
class Origin:
    """What a model was trained on.

    Attributes:
        source: as its run names it.
        options: how it was read.
    """

    source: str
    options: Options


@dataclass(frozen=True, repr=False)
class DataSpec:
    """The kind and shape of one example, and the names that go with it.

    Attributes:
        kind: `image`, values in [0, 1]; `vector`, any real numbers; or `text`, numbers of tokens.
        shape: `(C, H, W)` of an image, `(D,)` of a vector, `(T,)` of sentences of at most T tokens, the end
            included.
        classes: the name of every class, in the order of the labels; empty without labels.
        attributes: the name of every attribute column; empty without attributes.
        columns: the name of every number of a vector; empty if they have none.
        target: the spec of what is predicted from an example; None without a target.
        schema: the columns of a table, and how they are encoded as a vector; None for other vectors.
        vocabulary: the tokens of sentences; None for other examples.
    """

    kind: Literal["image", "vector", "text"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: DataSpec | None = None
    schema: Schema | None = None
    vocabulary: Vocabulary | None = None

    def __repr__(self) -> str:
        """Kind and shape, and what there is of classes, attributes and targets, in a line.

        >>> DataSpec("image", (1, 28, 28), ("cat", "dog"))
        DataSpec('image', (1, 28, 28), 2 classes: cat, dog)
        """
        parts = [repr(self.kind), repr(self.shape)]
        for names, what in (
            (self.columns, "columns"),
            (self.classes, "classes"),
            (self.attributes, "attributes"),
        ):
            if names:
                listed = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
                parts.append(f"{len(names)} {what}: {listed}")
        if self.vocabulary is not None:
            parts.append(repr(self.vocabulary))
        if self.target is not None:
            parts.append(f"target={self.target!r}")
        return f"DataSpec({', '.join(parts)})"


@dataclass(frozen=True, repr=False)
class Dataset:
    """One split, in memory or memory-mapped.

    Attributes:
        spec: what one example is.
        x: images as uint8 `(N, C, H, W)`, vectors as float32 `(N, D)`, or sentences as int32 `(N, T)`.
        y: labels, int64 `(N,)`, indices into `spec.classes`.
        attributes: float32 `(N, A)`, one column for each of `spec.attributes`.
        target: what is predicted, as `spec.target` describes: uint8 `(N, C, H, W)` or float32 `(N, T)`.
        rows: the place of each example in its source, from 0, int64 `(N,)`; None if it has none.
    """

    spec: DataSpec
    x: np.ndarray
    y: np.ndarray | None = None
    attributes: np.ndarray | None = None
    target: np.ndarray | None = None
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Dataset({len(self):,} examples of {self.spec!r})"

    def take(self, index: np.ndarray | slice) -> Dataset:
        """The examples at `index`, in that order."""
        arrays = (self.x, self.y, self.attributes, self.target, self.rows)
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
        attributes: `Dataset.attributes` of any examples, from `(N, T)` to `(N, A)`; NaN for examples that
            have none, as sentences that are not grammatical.
        modes: the centres of the modes of p(x), `(K, D)`.
        sigma: the standard deviation of each mode around its centre, along each axis.
        forward: for an inverse problem, the noiseless input of a target, `(N, T)` to `(N, D)`.
        size: for an inverse problem, the length in units of which errors of the input are measured.
    """

    log_density: Callable[[np.ndarray], np.ndarray] | None = None
    log_conditional: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    attributes: Callable[[np.ndarray], np.ndarray] | None = None
    modes: np.ndarray | None = None
    sigma: float | None = None
    forward: Callable[[np.ndarray], np.ndarray] | None = None
    size: float = 1.0


@dataclass(frozen=True, repr=False)
class Data:
    """A loaded source.

    Attributes:
        name: as the user wrote it.
        train: a split; the three have no example in common.
        validation: likewise.
        test: likewise.
        truth: what is known about it.
        names: of its files, to which `Dataset.rows` point; empty for other sources.
        copies: the rows of images that are near-copies of each other, int64 `(P, 2)`; None if not looked for.
        notes: remarks about columns and rows of a table that are left out.
    """

    name: str
    train: Dataset
    validation: Dataset
    test: Dataset
    truth: Truth = Truth()
    names: tuple[str, ...] = ()
    copies: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.split(name)):,} {name}" for name in SPLITS)
        return f"Data({self.name!r}, {sizes}: {self.spec!r})"

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
        train, validation, test = (self.split(name).swapped() for name in SPLITS)
        return replace(self, train=train, validation=validation, test=test, truth=Truth())


def refuse_missing_classes(data: Data) -> None:
    """Check that every class has training examples.

    Raises:
        DataError: a class has none.
    """
    for name, count in zip(data.spec.classes, data.train.class_counts, strict=True):
        if count == 0:
            raise DataError(f"{data.name}: no example of '{name}' is left to train on; add more")


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
