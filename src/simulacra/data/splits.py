"""Which examples of a source train, validate and test: `Options.split` and `Options.group`.

hash            80 / 10 / 10 by the hash of each example's content; exact duplicates share a split
time            the order of the source: first 80% training, then 10% validation, the last 10% test
blocks          contiguous blocks: training, validation, test, validation, training, ... so that validation
                blocks separate every test block from the training blocks; for recordings
column:NAME     the column says train, validation or test
none            all examples are the test split, of a source that is not trained on; folders that name splits
                keep them

Examples of one group (`Options.group`) share a split. With `hash` the hash of the group's name decides, with
`time` the group's first example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np

from simulacra.data.spec import SPLITS, Data, Dataset, Options, Truth
from simulacra.errors import DataError, nearest, shorten

TRAIN, VALIDATION, TEST = range(len(SPLITS))
# shares in [0, 1) at which examples are cut in three, and at which validation is cut off a training part
CUTS = (0.8, 0.9)
HELD_OUT = 0.95

# `blocks`: training, validation, test, validation, training, in twentieths of a period
PERIOD = np.repeat([TRAIN, VALIDATION, TEST, VALIDATION, TRAIN], [8, 1, 2, 1, 8])
# a validation block has at least this many rows, if there are enough for one period of them
VALIDATION_ROWS = 250
MOST_PERIODS = 10

# what a column that names the splits may hold
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VALIDATION),
    **dict.fromkeys(("test", "testing"), TEST),
}

DEFAULT = Options()

# name of a column -> its cells, one for each example
Column = Callable[[str], Sequence[str]]


def split_data(
    name: str,
    everything: Dataset,
    options: Options = DEFAULT,
    column: Column | None = None,
    shares: np.ndarray | None = None,
    truth: Truth | None = None,
) -> Data:
    """Cut the examples of a source in three.

    Args:
        name: of the source, as the user wrote it.
        everything: all examples, in the order of the source.
        options: `split` and `group` say how.
        column: the cells of the columns that options name.
        shares: numbers in [0, 1) instead of the hash of the contents, where known.
        truth: about the source.

    Raises:
        DataError: no example is left to train on, or the options do not fit the source.
    """
    shares = content_shares(everything.x) if shares is None else shares
    try:
        place = places(shares, options, column)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    if TRAIN not in place and options.split != "none":
        raise DataError(f"{name}: {len(everything)} examples are too few to train on")
    if everything.rows is None:
        everything = replace(everything, rows=np.arange(len(everything)))
    train, validation, test = (everything.take(np.flatnonzero(place == split)) for split in range(3))
    return Data(name, train, validation, test, truth or Truth())


def places(shares: np.ndarray, options: Options, column: Column | None = None) -> np.ndarray:
    """The position in `SPLITS` of each example, int64 `(N,)`.

    Args:
        shares: of the examples in the order of the source, in [0, 1), `(N,)`.
        options: `split` and `group` say how.
        column: the cells of the columns that options name.

    >>> places(np.linspace(0, 0.99, 10), Options(split="time"))
    array([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])

    Raises:
        DataError: there are fewer than three groups, or a column does not name splits.
    """
    if options.split_column is not None:
        assert column is not None
        return named_splits(options.split_column, column(options.split_column))
    if options.split == "none":
        return np.full(len(shares), TEST)
    if options.split == "blocks":
        return block_places(len(shares))
    groups = None
    if options.group is not None:
        assert column is not None
        groups = group_index(options.group, column(options.group))
    if options.split == "time":
        return time_places(len(shares), groups)
    if groups is None:
        return np.digitize(shares, CUTS)
    assert column is not None
    return group_places(*groups)


def split_rule(options: Options) -> str:
    """A sentence: what decides the split of an example.

    >>> split_rule(Options(split="time"))
    'time: the first 80% are for training, the last 10% for testing'
    >>> split_rule(Options(group="patient"))
    "hash of the group, 80 / 10 / 10: examples of one 'patient' share a split"
    """
    if options.split_column is not None:
        return f"column '{options.split_column}'"
    if options.group is not None and options.split == "hash":
        return f"hash of the group, 80 / 10 / 10: examples of one '{options.group}' share a split"
    rule = {
        "hash": "hash of the content, 80 / 10 / 10, unless the source has splits of its own",
        "time": "time: the first 80% are for training, the last 10% for testing",
        "blocks": "contiguous blocks; blocks of validation separate those of training from those of testing",
        "none": "none: all are for testing",
    }[options.split]
    return rule if options.group is None else f"{rule}; examples of one '{options.group}' share a split"


def splitting_columns(options: Options) -> list[str]:
    """The columns that decide the splits."""
    return [name for name in (options.group, options.split_column) if name is not None]


def content_shares(x: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for each example that depends on its content alone, float64 `(N,)`.

    Splits cut on it are stable when examples are added, removed or reordered, and exact
    duplicates always land in the same split.
    """
    digests = b"".join(blake2b(np.ascontiguousarray(row).data, digest_size=8).digest() for row in x)
    return np.frombuffer(digests, dtype="<u8") / 2.0**64


def hold_out_validation(name: str, train: Dataset, test: Dataset) -> Data:
    """For a source with its own test split: validation is 5% of the training part, by content."""
    shares = content_shares(train.x)
    train = replace(train, rows=np.arange(len(train)))
    test = replace(test, rows=np.arange(len(train), len(train) + len(test)))
    keep, hold = np.flatnonzero(shares < HELD_OUT), np.flatnonzero(shares >= HELD_OUT)
    return Data(name, train.take(keep), train.take(hold), test)


def block_places(n: int) -> np.ndarray:
    """The split of each of n rows in contiguous blocks, `(n,)`.

    A period is 40% training, 5% validation, 10% test, 5% validation, 40% training. A long source has
    several, so that the test blocks are spread over it; a short one has few, so that the blocks stay long.

    >>> np.bincount(block_places(4000)).tolist()
    [3200, 400, 400]
    """
    periods = int(np.clip(n // (len(PERIOD) * VALIDATION_ROWS), 1, MOST_PERIODS))
    twentieths: np.ndarray = np.arange(n) * len(PERIOD) * periods // n
    return PERIOD[twentieths % len(PERIOD)]


def group_index(name: str, cells: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The names of the groups in order of their first example, and the group of each example, `(N,)`.

    Raises:
        DataError: there are fewer than three, one for each split.
    """
    index = {cell: i for i, cell in enumerate(dict.fromkeys(cells))}
    if len(index) < len(SPLITS):
        held = ", ".join(f"'{shorten(cell)}'" for cell in index)
        raise DataError(
            f"group '{name}' has {len(index)} values ({held}); three splits need at least 3 groups"
        )
    return list(index), np.array([index[cell] for cell in cells], dtype=np.int64)


def group_places(names: Sequence[str], index: np.ndarray) -> np.ndarray:
    """The split of each example by the hash of its group's name, `(N,)`; no split is left empty.

    Args:
        names: of the groups.
        index: the group of each example, `(N,)`.

    >>> group_places(["Ada", "May", "Joe"], np.array([0, 0, 1, 2])).tolist()
    [2, 2, 0, 1]
    """
    shares = np.array([text_share(name) for name in names])
    place = np.digitize(shares, CUTS)
    order = np.argsort(shares)
    # of few groups the hash may leave a split without any: the nearest moves
    if TRAIN not in place:
        place[order[0]] = TRAIN
    if TEST not in place:
        place[order[-1]] = TEST
    if VALIDATION not in place:
        training = [group for group in order if place[group] == TRAIN]
        place[training[-1] if len(training) > 1 else order[-2]] = VALIDATION
    return place[index]


def text_share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2.0**64


def time_places(n: int, groups: tuple[list[str], np.ndarray] | None = None) -> np.ndarray:
    """The split of each of n examples in order of time, `(n,)`; a group is where its first example is."""
    if groups is None:
        return np.digitize(np.arange(n) / n, CUTS)
    _, index = groups
    # the share of the examples whose groups began before
    before = np.concatenate([[0], np.cumsum(np.bincount(index))[:-1]]) / n
    place = np.digitize(before, CUTS)
    place[-1] = TEST
    if VALIDATION not in place:
        place[np.flatnonzero(place < TEST)[-1]] = VALIDATION
    return place[index]


def named_splits(name: str, cells: Sequence[str]) -> np.ndarray:
    """The split of each example by what a column says, `(N,)`.

    >>> named_splits("part", ["train", "Test", "val"]).tolist()
    [0, 2, 1]

    Raises:
        DataError: a cell names no split, or no row is for training.
    """
    for row, cell in enumerate(cells, 1):
        if cell.casefold() not in SPLIT_NAMES:
            hint = nearest(cell.casefold(), SPLITS)
            raise DataError(f"column '{name}', row {row}: '{shorten(cell)}' is not a split, {hint}")
    place = np.array([SPLIT_NAMES[cell.casefold()] for cell in cells], dtype=np.int64)
    if TRAIN not in place:
        raise DataError(f"column '{name}': no row says 'train', so there is nothing to train on")
    return place
