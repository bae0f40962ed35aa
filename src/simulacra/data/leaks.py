"""Whether test examples are near-copies of training examples, so that they say little about new ones.

Rows of a recording resemble their neighbours in the file. If the order of the rows means nothing, the
training row that is nearest to a test row is any of those of its class, all equally likely: the share of test
rows whose nearest one is a few rows away can be compared with what chance gives. Near-copies of rows in any
order are much closer than other neighbours: around a row of data with m intrinsic dimensions, the distances
to its first and its k-th neighbour have P(d_1 / d_k < r) = 1 - (1 - r^m)^(k - 1) (a Poisson process); m is
estimated as by E. Levina and P. Bickel, Maximum Likelihood Estimation of Intrinsic Dimension (2004).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulacra.data.spec import Data, Dataset, Options
from simulacra.data.tables.rows import schema_of

# test rows that are compared, and training rows they are compared with, at most
TEST_ROWS, TRAINING_ROWS = 300, 20_000
# fewer test rows than this say nothing
FEWEST = 20
# rows of the file on either side
NEAR = 10
# neighbours of a row, and those of them that give the dimension
NEIGHBOURS, FROM = 10, 5
# probability below which a first neighbour is too close
RARE = 1e-3
# shares of the test rows, beyond chance, and standard deviations from chance, from which they are reported
IN_ORDER, TOO_CLOSE, DEVIATIONS = 0.05, 0.15, 5.0
# of the values of a column are different, if it is continuous
DIFFERENT = 0.5
# share of the test images
IMAGES = 0.01


def leak(data: Data, options: Options) -> str | None:
    """One line about near-copies of test examples among the training examples; None if nothing was found.

    It suggests another split, if `options` leave the split to the hash of the content.

    >>> from simulacra.data import load
    >>> leak(load("iris"), Options()) is None
    True
    """
    train, test = data.train, data.test
    if train.rows is None or test.rows is None:
        return None
    if data.copies is not None:
        return image_leak(data.copies, train.rows, test.rows, options)
    if data.spec.kind != "vector" or len(test) < FEWEST:
        return None
    rng = np.random.default_rng(0)
    some = test.take(np.sort(rng.permutation(len(test))[:TEST_ROWS]))
    in_order = neighbours_in_file(train, some, rng)
    if in_order > IN_ORDER:
        advice = "use --split blocks or --group"
        if column := sorted_by(train):
            mere = f"the file is sorted by '{column}': shuffle its rows if their order means nothing"
            advice = f"{mere}, else {advice}"
        return _line(
            f"{in_order:.0%} of the test rows have their nearest training row within {NEAR} rows of the file,"
            " as in a recording",
            "recordings",
            advice,
            options,
        )
    close = too_close(train, some, rng)
    if close > TOO_CLOSE:
        return _line(
            f"{close:.0%} of the test rows are near-copies of a training row",
            "rows",
            "use --group to keep rows of one origin together",
            options,
        )
    return None


def _line(found: str, what: str, advice: str, options: Options) -> str:
    line = f"{found}, so that scores on the test split do not hold for new {what}"
    return f"{line}; {advice}" if options.split == "hash" and options.group is None else line


def neighbours_in_file(train: Dataset, test: Dataset, rng: np.random.Generator) -> float:
    """The share of test rows, beyond chance, whose nearest training row is at most `NEAR` rows away; or 0.

    Targets that are numbers count as columns. Columns by which the file is sorted do not count.
    """
    train, test = _with_targets(train), _with_targets(test)
    assert train.rows is not None
    assert test.rows is not None
    pool = _pool(train, test, rng)
    x = np.concatenate([pool.x, test.x])
    assert pool.rows is not None
    order = np.argsort(np.concatenate([pool.rows, test.rows]))
    sorted_columns = _sorted(np.diff(x[order], axis=0))
    a, b = _standardised(train, pool.x), _standardised(train, test.x)
    keep = ~sorted_columns
    if not keep.any():
        return 0.0
    nearest = _nearest(a[:, keep], b[:, keep], 1)[0][:, 0]
    distance = np.abs(pool.rows[nearest] - test.rows)
    found = distance <= NEAR
    # by chance any row of the neighbour's class is the nearest
    y = np.zeros(len(pool), np.int64) if pool.y is None else pool.y
    sizes = np.bincount(y)
    near = (np.abs(pool.rows[None] - test.rows[:, None]) <= NEAR) & (y[None] == y[nearest][:, None])
    chance = near.sum(axis=1) / sizes[y[nearest]]
    excess = found.mean() - chance.mean()
    deviation = np.sqrt((chance * (1 - chance)).sum()) / len(test)
    return float(excess) if excess > DEVIATIONS * max(deviation, 1 / len(test) / DEVIATIONS) else 0.0


def sorted_by(train: Dataset) -> str | None:
    """The first column by which the file is sorted; not one without equal neighbours, as of a time."""
    train = _with_targets(train)
    assert train.rows is not None
    steps = np.diff(train.x[np.argsort(train.rows)], axis=0)
    found = np.flatnonzero(_sorted(steps) & (steps != 0).any(axis=0) & (steps == 0).any(axis=0))
    names = [
        name for block in schema_of(train.spec).blocks for name in [block.column.name] * block.column.width
    ]
    if train.spec.target is not None:
        names += schema_of(train.spec.target).names
    return names[found[0]] if len(found) and found[0] < len(names) else None


def _sorted(steps: np.ndarray) -> np.ndarray:
    """Whether columns with these steps from row to row are sorted, or a category whose rows are together."""
    return (steps >= 0).all(axis=0) | (steps <= 0).all(axis=0) | ((steps != 0).sum(axis=0) <= 2)


def too_close(train: Dataset, test: Dataset, rng: np.random.Generator) -> float:
    """The share of test rows, beyond chance, that are too close to their nearest training row; or 0.

    Only of continuous columns: distances between categories or whole numbers are discrete.
    """
    pool = train.take(np.sort(rng.permutation(len(train))[:TRAINING_ROWS]))
    different = [len(np.unique(column)) for column in pool.x.T]
    if len(pool) < 5 * NEIGHBOURS or min(different) < DIFFERENT * len(pool):
        return 0.0
    _, d = _nearest(_standardised(train, pool.x), _standardised(train, test.x), NEIGHBOURS)
    last = d[:, -1]
    usable = (d[:, FROM - 1] > 0) & (last > d[:, FROM - 1])
    if usable.mean() < 0.5:
        return 0.0
    spread = np.log(last[usable] / d[usable, FROM - 1])
    # E log(d_k / d_j) = (1/j + ... + 1/(k - 1)) / m
    m = (1 / np.arange(FROM, NEIGHBOURS)).sum() / spread.mean()
    r = (d[usable, 0] / last[usable]) ** m
    rare = 1 - (1 - r) ** (NEIGHBOURS - 1) < RARE
    return float(rare.sum() / len(test) - RARE)


def image_leak(copies: np.ndarray, training: np.ndarray, test: np.ndarray, options: Options) -> str | None:
    """One line about test images with a near-copy among the training images; None if there are none.

    Args:
        copies: the pairs of near-copies, `(P, 2)`.
        training: the images of the training split, as `copies` numbers them.
        test: likewise, of the test split.
        options: how the images are split.
    """
    in_training, in_test = np.isin(copies, training), np.isin(copies, test)
    torn = np.concatenate([copies[in_test[:, i] & in_training[:, 1 - i], i] for i in (0, 1)])
    torn = np.concatenate([copies[in_test[:, i] & in_training[:, 1 - i], i] for i in (0, 1)])
    share = len(np.unique(torn)) / max(1, len(test))
    if share < IMAGES:
        return None
    return _line(
        f"{share:.0%} of the test images have a near-copy among the training images",
        "images",
        "use --group or --split blocks, or move the copies",
        options,
    )


def _with_targets(dataset: Dataset) -> Dataset:
    """The examples, with targets that are numbers as further columns."""
    if dataset.target is None or dataset.target.ndim != 2:
        return dataset
    return replace(dataset, x=np.concatenate([dataset.x, dataset.target], axis=1))


def _pool(train: Dataset, test: Dataset, rng: np.random.Generator) -> Dataset:
    """The training rows near a test row in the file, and at most `TRAINING_ROWS` of all."""
    assert train.rows is not None
    assert test.rows is not None
    if len(train) <= TRAINING_ROWS:
        return train
    chosen = np.zeros(len(train), bool)
    chosen[rng.permutation(len(train))[:TRAINING_ROWS]] = True
    start = np.searchsorted(train.rows, test.rows - NEAR)
    for offset in range(2 * NEAR + 1):
        chosen[np.minimum(start + offset, len(train) - 1)] = True
    return train.take(np.flatnonzero(chosen))


def _standardised(train: Dataset, x: np.ndarray) -> np.ndarray:
    """Numbers in units of their standard deviation in training, codes of categories as they are."""
    mean, std = train.x.mean(axis=0), train.x.std(axis=0)
    std[std == 0] = 1
    if train.spec.schema is not None:
        for block in train.spec.schema.blocks:
            mean[block.code], std[block.code] = 0, 1
    return ((x - mean) / std).astype(np.float32)


def _nearest(a: np.ndarray, b: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k rows of a nearest to each row of b, nearest first, and their distances: `(N, k)` each."""
    index, distance = [], []
    squares = (a**2).sum(axis=1)
    for start in range(0, len(b), 50):
        rows = b[start : start + 50]
        # |a - b|^2 without |b|^2, which is the same for all; exact for the few that are kept
        rough = squares - 2 * (rows @ a.T)
        few = np.argpartition(rough, min(2 * k + 5, len(a) - 1), axis=1)[:, : 2 * k + 5]
        exact = np.linalg.norm(a[few].astype(np.float64) - rows[:, None], axis=-1)
        order = np.argsort(exact, axis=1)[:, :k]
        index.append(np.take_along_axis(few, order, axis=1))
        distance.append(np.take_along_axis(exact, order, axis=1))
    return np.concatenate(index), np.concatenate(distance)
