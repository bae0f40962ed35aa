"""`csv:PATH`: a table of numbers, one example a row; `Options.target` names the columns to predict.

The first line names the columns; cells are separated by commas, semicolons or tabs, and may be quoted.
The columns that are not targets are the vector x. Targets are numbers, or one column of text: its classes.
The splits are cut by the content of x, or as `Options.split` and `Options.group` say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulacra.data.paths import find
from simulacra.data.spec import Data, Dataset, DataSpec, Options, encode_labels
from simulacra.data.splits import split_data, splitting_columns
from simulacra.data.tables.reader import TOO_LARGE, Advice, Table, parse_number
from simulacra.data.tables.text import MISSING, MOST_CATEGORIES, read_rows
from simulacra.errors import DataError, shorten


def load(name: str, argument: str, options: Options) -> Data:
    """Load a table: x float32 `(N, D)`; targets that are numbers float32 `(N, T)`; classes `(N,)`.

    A single target of at most 20 different whole numbers is both: numbers, and classes.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = [f"{i},{i * i},{'odd' if i % 2 else 'even'}" for i in range(50)]
    ...     _ = pathlib.Path(folder, "a.csv").write_text("n,square,parity\\n" + "\\n".join(rows))
    ...     spec = load("csv", f"{folder}/a.csv", Options(target="parity")).spec
    >>> spec.columns, spec.classes, spec.target
    (('n', 'square'), ('even', 'odd'), None)

    Raises:
        DataError: the file is missing or no table, a target is missing or constant, or a cell cannot be
            used; the message names its column and its row.
    """
    title = f"{name}:{argument}"
    table = Table.open(title, argument)
    table.check_header(set(table.names))
    targets = _targets(table, options.target)
    splitting = _splitting_columns(table, options, targets)
    x_columns = [column for column in table.names if column not in (*targets, *splitting)]
    if not x_columns:
        raise table.error("every column is a target; leave out at least one to predict the others from")
    advice = _advice(x_columns, targets)
    single = targets[0] if len(targets) == 1 else None
    numbers, cells = table.read([*x_columns, *([] if single else targets)], advice, single)
    if len(numbers) == 1:
        raise table.error("there is only one row below the column names; add more")
    x, t = numbers[:, : len(x_columns)], numbers[:, len(x_columns) :]
    classes: tuple[str, ...] = ()
    y = None
    if single:
        t, classes, y = _single_target(table, single, cells, advice)
    for i, column in enumerate(targets[: t.shape[1]]):
        if (t[:, i] == t[0, i]).all():
            raise _constant(table, column, str(t[0, i]).removesuffix(".0"))
    target = DataSpec("vector", (len(targets),), columns=tuple(targets)) if t.shape[1] else None
    spec = DataSpec("vector", x.shape[1:], classes, columns=tuple(x_columns), target=target)
    # -0 and 0 are equal, but their bytes are not
    everything = Dataset(spec, np.ascontiguousarray(x + np.float32(0)), y, target=t if target else None)
    return split_data(title, everything, options, table.cells)


def _splitting_columns(table: Table, options: Options, targets: Sequence[str]) -> list[str]:
    """The columns that say which rows share a split, or which split they are in."""
    for kind, column in zip(("group", "split"), (options.group, options.split_column), strict=True):
        if column is not None:
            table.check_columns(f"{kind} column", [column])
            if column in targets:
                raise table.error(f"column '{column}' is a target and cannot {kind} the rows; choose another")
    return splitting_columns(options)


def _targets(table: Table, written: str | None) -> list[str]:
    """The columns that `--target` names, in its order."""
    if written is None:
        return []
    try:
        targets = [written.strip()] if written.strip() in table.names else next(read_rows(written))[1]
    except (ValueError, StopIteration):
        targets = [""]
    if "" in targets:
        raise table.error(f"the target '{written}' is not a list of columns; write COLUMN or COLUMN,COLUMN")
    table.check_columns("target column", targets)
    for target in targets:
        if targets.count(target) > 1:
            raise table.error(f"the target '{written}' names column '{target}' twice; name it once")
    return targets


def _advice(x_columns: Sequence[str], targets: Sequence[str]) -> Advice:
    text = {}
    if len(targets) > 1:
        text = dict.fromkeys(targets, "write a number; only a single target may be text")
    elif not targets and len(x_columns) > 1:
        text = {c: f"write numbers, remove the column, or predict it: --target {c!r}" for c in x_columns}
    return Advice(text, x_columns if len(x_columns) > 1 else ())


def _single_target(
    table: Table, column: str, cells: list[str], advice: Advice
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray | None]:
    """The only target: as numbers `(N, 1)`, or `(N, 0)` if it is text; its classes, and the labels `(N,)`."""
    numbers = {cell: parse_number(cell) for cell in cells}
    if any(cell.casefold() in MISSING for cell in numbers):
        raise table.fault([column], advice, text=True)
    # a column of numbers with mistakes: all parse without their commas, or more than half of many do
    numeric = sum(parse_number(cell.replace(",", "")) is not None for cell in numbers)
    if numeric == len(numbers) or (len(numbers) > MOST_CATEGORIES and 2 * numeric > len(numbers)):
        if not all(number is not None and abs(number) < TOO_LARGE for number in numbers.values()):
            raise table.fault([column], advice)
        t = np.array([numbers[cell] for cell in cells], dtype=np.float64) + 0.0
        values, y = np.unique(t, return_inverse=True)
        if len(values) > MOST_CATEGORIES or (values % 1).any():
            return t.astype(np.float32)[:, None], (), None
        return t.astype(np.float32)[:, None], tuple(f"{value:.0f}" for value in values), y.astype(np.int64)
    if len(numbers) > MOST_CATEGORIES:
        examples = shorten("', '".join(list(numbers)[:3]), 60)
        raise table.error(
            f"target column '{column}' holds {len(numbers)} different texts ('{examples}', ...); text is "
            f"predicted as classes, {MOST_CATEGORIES} at most: choose another target"
        )
    if len(numbers) == 1:
        raise _constant(table, column, f"'{shorten(cells[0])}'")
    return np.empty((len(cells), 0), np.float32), *encode_labels(cells)


def _constant(table: Table, column: str, value: str) -> DataError:
    return table.error(
        f"target column '{column}' is {value} in every row: there is nothing to learn; choose another target"
    )


def peek(name: str, argument: str, options: Options) -> DataSpec | None:
    """Without --target there is nothing to predict; with it, only the rows tell what."""
    unknown = options.target is not None or not find(argument).is_file()
    return None if unknown else DataSpec("vector", (1,))
