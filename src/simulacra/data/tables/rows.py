"""The rows of a table as examples: which columns are used, what they hold, and which are predicted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulacra.data.spec import SPLITS, Data, Dataset, DataSpec, Options
from simulacra.data.splits import content_shares, split_data
from simulacra.data.tables.cells import MOST_DECIMALS, Cells, as_words, missing
from simulacra.data.tables.infer import examples, infer, is_ambiguous
from simulacra.data.tables.reader import TOO_LARGE, Table, all_numbers
from simulacra.data.tables.schema import MISSING_CELL, Column, Schema, as_option, no_columns
from simulacra.data.tables.text import MOST_CATEGORIES, read_rows
from simulacra.errors import DataError, shorten

# in fewer rows whole numbers that rise say little
FEWEST_IDS = 20
# letters of a list of rows
LISTED_ROWS = 80
# the options that name columns, and the sentence about one that is not there
NAMING = {
    "target": "target column",
    "columns": "column",
    "drop": "column",
    "categorical": "column",
    "group": "group column",
    "split_column": "split column",
}


@dataclass(frozen=True)
class Rows:
    """The rows of a table before they are split.

    Attributes:
        table: the file.
        everything: the rows that are used, with NaN for missing numbers in x.
        fitted: whether the schema has the means of training rows.
        columns: those of x and the targets.
        missing: how many cells of each column are missing.
        left_out: why columns are left out.
        notes: remarks about columns and rows that are left out, and about unseen categories.
    """

    table: Table
    everything: Dataset
    fitted: bool
    columns: tuple[Column, ...]
    missing: dict[str, int]
    left_out: dict[str, str]
    notes: tuple[str, ...]

    def split(self, options: Options) -> Data:
        """The three splits, with the mean of the training rows for each missing number.

        Raises:
            DataError: the options do not fit the table.
        """
        rows = self.everything.rows
        assert rows is not None

        def cells(column: str) -> list[str]:
            every = self.table.cells(column)
            return [every[row] for row in rows]

        schema = schema_of(self.everything.spec)
        shares = content_shares(_distinct(schema, self.everything.x))
        data = split_data(self.table.title, self.everything, options, cells, shares)
        if not self.fitted:
            schema = schema.with_means(data.train.x, every=options.missing == "mean")
        spec = replace(data.spec, schema=schema)
        parts = (data.split(name) for name in SPLITS)
        train, validation, test = (replace(part, spec=spec, x=schema.impute(part.x)) for part in parts)
        return Data(data.name, train, validation, test, notes=self.notes)


def _distinct(schema: Schema, x: np.ndarray) -> np.ndarray:
    """Rows `(N, width)`; equal rows of categories alone are numbered, since they are no copies."""
    if any(column.continuous for column in schema.columns):
        return x
    _, group = np.unique(x, axis=0, return_inverse=True)
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], group[order])
    number = np.empty(len(x), dtype=x.dtype)
    number[order] = np.arange(len(x)) - first
    return np.column_stack([x, number])


def schema_of(spec: DataSpec) -> Schema:
    """The schema of vectors; of those that come from no table, every column is a number.

    >>> [column.name for column in schema_of(DataSpec("vector", (2,))).columns]
    ['x_1', 'x_2']
    """
    if spec.schema is not None:
        return spec.schema
    names = spec.columns or [f"x_{i + 1}" for i in range(spec.shape[0])]
    return Schema(tuple(Column(name, "number", decimals=MOST_DECIMALS) for name in names))


def read(table: Table, options: Options, spec: DataSpec | None = None) -> Rows:
    """The rows of a table.

    Args:
        table: the file.
        options: which columns are used and predicted, and what happens to missing cells.
        spec: of a run, whose schema and classes encode the rows; inferred from the table when not given.

    Raises:
        DataError: a column is missing, a target is constant, or cells cannot be used.
    """
    names, targets, categorical = choose(table, options, spec)
    cells = table.read([*names, *targets], categorical)
    lacking = {name: int(missing(values).sum()) for name, values in cells.items()}
    keep = ~_any_missing(cells, targets)
    if len(keep) == 1 and spec is None:
        raise table.error("there is only one row below the column names; add more")
    notes = _rows_left_out(~keep, f"no value of {_quoted(targets)}")
    left_out: dict[str, str] = {}
    if spec is None:
        state = options.missing == "category"
        columns, left_out = infer(_taken(cells, names, keep), categorical, state)
        names = [column.name for column in columns]
        if "" in table.names:
            left_out[""] = "it has no name"
    if options.missing == "drop":
        lost = keep & _any_missing(cells, names)
        notes += _rows_left_out(lost, "a cell is missing")
        keep &= ~lost
        if spec is None:
            columns, _ = infer(_taken(cells, names, keep), categorical)
    if not keep.any():
        raise table.error(f"no row can be used: {'; '.join(notes)}")
    if not names:
        raise table.error(f"no column can be used: {'; '.join(_columns_left_out(left_out))}")

    cells = _taken(cells, [*names, *targets], keep)
    schema = Schema(tuple(columns)) if spec is None else schema_of(spec)
    outputs = _infer_outputs(table, cells, targets, categorical) if spec is None else _outputs(spec, targets)
    notes += _ambiguous([*schema.columns, *outputs], cells) if spec is None else []
    cells |= _numbers(table, [*schema.columns, *outputs], targets, cells, spec is not None)
    x = schema.encode_present(cells)
    classes, y, target, t = _predicted(table, cells, outputs, spec)
    held = DataSpec("vector", x.shape[1:], classes, columns=schema.names, target=target, schema=schema)
    everything = Dataset(held, x, y, target=t, rows=np.flatnonzero(keep))
    notes = [*_columns_left_out(left_out), *notes, *_unseen(schema, x)]
    if spec is None:
        notes += _counting(schema, cells) + _notations(table)
    columns = [*schema.columns, *outputs]
    return Rows(table, everything, spec is not None, tuple(columns), lacking, left_out, tuple(notes))


def read_inputs(table: Table, spec: DataSpec) -> tuple[np.ndarray, tuple[str, ...]]:
    """Every row of a table in its order as x float32 `(N, D)`, and remarks about unseen categories.

    Columns that the schema does not have are ignored, whatever they hold.

    Args:
        table: the file.
        spec: of a run.

    Raises:
        DataError: a column is missing, or a cell cannot be used.
    """
    schema = schema_of(spec)
    names, _, categorical = choose(table, Options(), spec)
    cells = table.read(names, categorical)
    x = schema.encode(cells | _numbers(table, schema.columns, (), cells, True))
    return x, tuple(_unseen(schema, x))


def read_complete(table: Table, spec: DataSpec) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """As `read_inputs`, of the rows without empty cells that the schema has nothing for.

    Returns:
        x; the places of its rows in the table, from 0, int64 `(N,)`; and remarks, also about the other rows.
    """
    schema = schema_of(spec)
    names, _, categorical = choose(table, Options(), spec)
    cells = table.read(names, categorical)
    required = [
        column.name
        for column in schema.columns
        if column.continuous and MISSING_CELL not in column.special and column.mean is None
    ]
    lost = _any_missing(cells, required)
    # all rows: the error about them
    if lost.all() or not lost.any():
        x, notes = read_inputs(table, spec)
        return x, np.arange(len(x)), notes
    empty = _quoted([name for name in required if missing(cells[name]).any()])
    cells = _taken(cells, [*cells], ~lost)
    x = schema.encode(cells | _numbers(table, schema.columns, (), cells, True))
    rows = np.flatnonzero(lost) + 1
    listed = shorten(", ".join(map(str, rows.tolist())), LISTED_ROWS)
    note = (
        f"{len(rows):,} row{' is' if len(rows) == 1 else 's are'} left out ({listed}): a cell of {empty} is"
        " empty; fill it, or train with --missing mean"
    )
    return x, np.flatnonzero(~lost), (note, *_unseen(schema, x))


def choose(
    table: Table, options: Options, spec: DataSpec | None = None
) -> tuple[list[str], list[str], list[str]]:
    """The columns of x, the targets, and those of them that are read as text; arguments as for `read`.

    Raises:
        DataError: options or the spec name columns that the table does not have.
    """
    given = {option: _listed(table, option, getattr(options, option)) for option in NAMING}
    errors = []
    for option, kind in NAMING.items():
        if lost := [name for name in given[option] if name not in table.names]:
            sentence = no_columns(lost, table.names, kind)
            errors.append(f"{option}: {sentence}" if kind == "column" else sentence)
    if errors:
        raise table.error("; ".join(errors) + table.hint())
    targets = given["target"]
    for option, action in (
        ("drop", "be dropped"),
        ("group", "group the rows"),
        ("split_column", "split the rows"),
    ):
        if both := [name for name in targets if name in given[option]]:
            raise table.error(f"column '{both[0]}' is a target and cannot {action}; choose another")
    if spec is not None:
        columns = schema_of(spec).columns
        names = [column.name for column in columns]
        table.check_columns("column", names)
        table.check_unique({*names, *targets})
        words = [column.name for column in columns if not column.continuous and not _are_numbers(column)]
        return names, targets, words if spec.target else [*words, *targets]
    unused = {*targets, *given["drop"], *given["group"], *given["split_column"]}
    names = [name for name in given["columns"] or dict.fromkeys(table.names) if name and name not in unused]
    # in the order of the table
    names = sorted(names, key=table.names.index)
    if not names:
        raise table.error(
            "every column is a target or left out; leave at least one to predict the others from"
        )
    table.check_unique({*names, *targets})
    return names, targets, [*given["categorical"], *table.categorical]


def _listed(table: Table, option: str, written: str | None) -> list[str]:
    """The columns that an option names, in its order."""
    if written is None:
        return []
    try:
        names = [written.strip()] if written.strip() in table.names else next(read_rows(written))[1]
    except (ValueError, StopIteration):
        names = [""]
    if "" in names:
        raise table.error(f"the {option} '{written}' is not a list of columns; write COLUMN or COLUMN,COLUMN")
    if twice := [name for name in names if names.count(name) > 1]:
        raise table.error(f"the {option} '{written}' names column '{twice[0]}' twice; name it once")
    return names


def _infer_outputs(
    table: Table, cells: Mapping[str, Cells], targets: Sequence[str], categorical: Collection[str]
) -> list[Column]:
    """What the targets hold: one category, or numbers and dates."""
    columns, refused = infer({name: cells[name] for name in targets}, categorical, missing_state=False)
    for name, reason in refused.items():
        raise table.error(
            f"target column '{name}' holds {reason}; text is predicted as classes, each of several rows: "
            "choose another target"
        )
    if len(columns) > 1:
        # a category among several is a column of numbers with text in it
        return [Column(c.name, "number") if c.kind == "category" else replace(c, special=()) for c in columns]
    for column in columns:
        if len(column.categories) == 1:
            raise _constant(table, column.name, f"'{shorten(column.categories[0])}'")
    return [replace(column, special=()) for column in columns]


def _outputs(spec: DataSpec, targets: Sequence[str]) -> list[Column]:
    """What the targets of a run hold."""
    if spec.target is None:
        return [Column(name, "category", spec.classes) for name in targets]
    return list(schema_of(spec.target).columns)


def _numbers(
    table: Table,
    columns: Sequence[Column],
    targets: Collection[str],
    cells: Mapping[str, Cells],
    fitted: bool,
) -> dict[str, Cells]:
    """The cells of numbers and dates as float64 `(N,)`.

    Args:
        table: the file.
        columns: of x, and targets.
        targets: the names of the targets.
        cells: the cells of every column.
        fitted: whether a cell may be missing only where the schema has a state or a mean for it.

    Raises:
        DataError: cells cannot be used.
    """
    numbers: dict[str, Cells] = {}
    bad, required = [], set()
    for column in (column for column in columns if column.continuous):
        if fitted and MISSING_CELL not in column.special and column.mean is None:
            required.add(column.name)
        try:
            values = column.numbers(cells[column.name])
        except DataError:
            bad.append(column)
            continue
        if (np.abs(values) >= TOO_LARGE).any() or (column.name in required and np.isnan(values).any()):
            bad.append(column)
        numbers[column.name] = values
    if bad:
        optional = [column.name for column in bad if column.name not in targets]
        more = ", or remove the row"
        if fitted and any(np.isnan(numbers[c.name]).any() for c in bad if c.name in numbers):
            more += ", or train with --missing mean"
        if optional and not fitted and len(columns) > len(targets) + len(optional):
            more += f", or leave out the column: --drop {as_option(optional)}"
        elif len(targets) > 1 and not fitted:
            more += "; only a single target may be text"
        raise table.fault(bad, required, more)
    return numbers


def _predicted(
    table: Table, cells: Mapping[str, Cells], outputs: Sequence[Column], spec: DataSpec | None
) -> tuple[tuple[str, ...], np.ndarray | None, DataSpec | None, np.ndarray | None]:
    """The classes and the labels `(N,)`; the spec of the numbers that are predicted, and them `(N, T)`."""
    if not outputs:
        return (), None, None, None
    target = t = None
    first = outputs[0]
    classes = first.categories if spec is None else spec.classes
    if first.continuous:
        t = np.stack([cells[column.name] for column in outputs], axis=1).astype(np.float32) + np.float32(0)
        for column, values in zip(outputs, t.T, strict=True):
            if spec is None and (values == values[0]).all():
                raise _constant(table, column.name, str(values[0]).removesuffix(".0"))
        schema = Schema(tuple(outputs))
        target = DataSpec("vector", t.shape[1:], columns=schema.names, schema=schema)
        values = np.unique(t)
        if spec is None and t.shape[1] == 1 and len(values) <= MOST_CATEGORIES and not (values % 1).any():
            classes = tuple(f"{value:.0f}" for value in values)
    if not classes:
        return (), None, target, t
    y = Column(first.name, "category", classes).index(cells[first.name])
    if (y < 0).any() and target is not None:
        # numbers that are no classes
        return classes, None, target, t
    if (y < 0).any():
        unknown = sorted(set(np.array(cells[first.name])[y < 0].tolist()))
        raise table.error(
            f"target column '{first.name}' holds {examples(unknown)} in {(y < 0).sum():,} rows, and the "
            f"training table only {examples(classes)}; correct the rows or remove them"
        )
    return classes, y, target, t


def _constant(table: Table, column: str, value: str) -> DataError:
    return table.error(
        f"target column '{column}' is {value} in every row: there is nothing to learn; choose another target"
    )


def _taken(cells: Mapping[str, Cells], names: Sequence[str], keep: np.ndarray) -> dict[str, Cells]:
    """The cells of columns in the rows that are kept."""
    if keep.all():
        return {name: cells[name] for name in names}
    places = np.flatnonzero(keep).tolist()
    return {
        name: values[keep] if isinstance(values := cells[name], np.ndarray) else [values[i] for i in places]
        for name in names
    }


def _any_missing(cells: Mapping[str, Cells], names: Sequence[str]) -> np.ndarray:
    """In which rows a cell of these columns is missing, bool `(N,)`."""
    lacking = np.zeros(len(next(iter(cells.values()))), dtype=bool)
    for name in names:
        lacking |= missing(cells[name])
    return lacking


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _rows_left_out(lost: np.ndarray, reason: str) -> list[str]:
    n = int(lost.sum())
    return [f"{n:,} row{' is' if n == 1 else 's are'} left out: {reason}"] if n else []


def _columns_left_out(left_out: Mapping[str, str]) -> list[str]:
    return [f"column '{name}' is left out: {reason}" for name, reason in left_out.items()]


def _ambiguous(columns: Sequence[Column], cells: Mapping[str, Cells]) -> list[str]:
    """Remarks about dates of which every one has two meanings."""
    return [
        f"column '{column.name}': no date shows whether the day or the month is first; the day is taken to be"
        for column in columns
        if column.kind == "date" and is_ambiguous(set(cells[column.name]), column.form)
    ]


def _notations(table: Table) -> list[str]:
    """Remarks about columns whose numbers are read without a unit, or with another decimal mark."""
    return [
        f"column '{name}' is read as numbers, '{shorten(cell)}' as {number}"
        for name, (cell, number) in table.notations.items()
    ]


def _are_numbers(column: Column) -> bool:
    """Whether the categories are numbers as `as_words` writes them: cells may be read as numbers."""
    present = [category for category in column.categories if category]
    numbers = all_numbers(present)
    return numbers is not None and as_words(numbers) == present


def _counting(schema: Schema, cells: Mapping[str, Cells]) -> list[str]:
    """Remarks about columns that number the rows, or are whole numbers that rise from row to row."""
    notes = []
    for name in (column.name for column in schema.columns if column.kind == "number"):
        numbers = np.asarray(cells[name])
        steps = np.diff(numbers)
        if len(numbers) > 2 and (steps == 1).all():
            found = "numbers the rows; if it means nothing else"
        elif len(numbers) >= FEWEST_IDS and (steps > 0).all() and not (numbers % 1).any():
            found = "is a larger whole number in each row, as an id is; if it means nothing else"
        else:
            continue
        notes.append(f"column '{name}' {found}, leave it out: --drop {as_option([name])}")
    return notes


def _unseen(schema: Schema, x: np.ndarray) -> list[str]:
    """A remark about categories that are not in the schema."""
    unseen = [
        f"'{name}' in {count:,} row{'s' if count > 1 else ''}" for name, count in schema.unseen(x).items()
    ]
    return [f"unseen categories, encoded as none of the known ones: {', '.join(unseen)}"] if unseen else []
