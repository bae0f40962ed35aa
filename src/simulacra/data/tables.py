"""`csv:PATH`: a table of numbers, one example a row; `Options.target` names the columns to be predicted.

The first line names the columns; cells are separated by commas, semicolons or tabs, and may be quoted.
The columns that are no target are the vector x. Targets are numbers, or one column of text: its classes.
The splits are cut by the content of x.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from simulacra.data import Options
from simulacra.data.labels import MOST_VALUES, csv_reader, decode, delimiter, label, read_rows
from simulacra.data.paths import find
from simulacra.data.picture_files import printable
from simulacra.data.spec import Data, Dataset, DataSpec, split_by_content
from simulacra.errors import DataError, nearest

MISSING = {"", "na", "n/a", "nan", "null", "?", "-"}
# rows parsed at a time: 2,048 took three quarters of the time of 8,192, and strings of few rows are held
ROWS = 2048
# float32 rounds what is below it to its largest number, and the rest to infinity
TOO_LARGE = 2.0**128 - 2.0**103


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
        DataError: the file is missing or no table, a target is no column or constant, or a cell cannot be
            used; the message names its column and its row.
    """
    title = f"{name}:{argument}"
    refuse_pictures(title, options)
    table = _open(title, argument)
    _check_header(table, set(table.names))
    targets = _targets(table, options.target)
    x_columns = [column for column in table.names if column not in targets]
    if not x_columns:
        raise table.error("every column is a target; leave one to predict them from")
    remedies = _remedies(x_columns, targets)
    alone = targets[0] if len(targets) == 1 else None
    numbers, cells = _read(table, [*x_columns, *([] if alone else targets)], remedies, alone)
    if len(numbers) == 1:
        raise table.error("there is only one row below the column names; that is too few")
    x, t = numbers[:, : len(x_columns)], numbers[:, len(x_columns) :]
    classes: tuple[str, ...] = ()
    y = None
    if alone:
        t, classes, y = _single(table, alone, cells, remedies)
    for i, column in enumerate(targets[: t.shape[1]]):
        if (t[:, i] == t[0, i]).all():
            raise _constant(table, column, str(t[0, i]).removesuffix(".0"))
    target = DataSpec("vector", (len(targets),), columns=tuple(targets)) if t.shape[1] else None
    spec = DataSpec("vector", x.shape[1:], classes, columns=tuple(x_columns), target=target)
    # -0 and 0 are equal, but their bytes are not
    everything = Dataset(spec, np.ascontiguousarray(x + np.float32(0)), y, target=t if target else None)
    return split_by_content(title, everything)


def read_inputs(title: str, path: str, columns: Sequence[str]) -> np.ndarray:
    """The named columns of every row, in the order of the file: float32 `(N, D)`, D as in `columns`.

    Other columns are ignored, whatever they hold.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "new.csv").write_text("name,age,height\\nAda,36,1.5\\nMay,85,1.75")
    ...     read_inputs("new rows", f"{folder}/new.csv", ["height", "age"])
    array([[ 1.5 , 36.  ],
           [ 1.75, 85.  ]], dtype=float32)

    Args:
        title: how messages call the table.
        path: where it is; found as `csv:PATH` is.
        columns: the columns to read.

    Raises:
        DataError: the file is missing or no table, a column is missing, or a cell cannot be used.
    """
    table = _open(title, path)
    _check_header(table, set(columns))
    _check_columns(table, "column", columns)
    x, _ = _read(table, columns, _Remedies())
    return x


def refuse_pictures(title: str, options: Options) -> None:
    """A DataError if the options ask for an image size or channels, which no table has."""
    if options.image_size or options.channels:
        raise DataError(f"{title}: a table has no image size and no channels; leave both out")


@dataclass(frozen=True)
class _Table:
    """A file's text, and its header: the names of the columns, and the line they stand in."""

    title: str
    text: str
    names: list[str]
    line: int

    def error(self, words: str) -> DataError:
        return DataError(f"{self.title}: {printable(words)}")


@dataclass(frozen=True)
class _Remedies:
    """What else than usual to do about text, by its column; and the columns that could as well be removed."""

    text: Mapping[str, str] = field(default_factory=dict)
    removable: Collection[str] = ()


def _open(title: str, path: str) -> _Table:
    place = find(path)
    if path and place.is_dir():
        raise DataError(f"{title}: '{path}' is a folder; name the file of the table")
    if not path or not place.is_file():
        raise DataError(f"{title}: there is no file '{path}'; write csv:PATH with the file of a table")
    try:
        raw = place.read_bytes()
        if raw.startswith(b"PK\3\4"):
            raise ValueError("it is a spreadsheet or another zip, not text; save the sheet as CSV (UTF-8)")
        text = decode(raw)
        line, names = next(read_rows(text), (0, []))
    except OSError as error:
        raise DataError(f"{title}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{title}: {error}") from error
    if not line:
        raise DataError(f"{title}: the file is empty; its first line must name the columns")
    return _Table(title, text, names, line)


def _check_header(table: _Table, wanted: Collection[str]) -> None:
    names, where = table.names, f"(line {table.line})"
    numbers = [_number(name) is not None for name in names]
    if any(numbers) and all(n or name.casefold() in MISSING for n, name in zip(numbers, names, strict=True)):
        raise table.error(
            f"the first line must name the columns, but it holds only numbers, {_shown(', '.join(names))} "
            f"{where}; add a line of names above it, or choose names that are words"
        )
    if "" in wanted:
        i = names.index("")
        pandas = " (if they are pandas' row numbers: write with index=False)" if i == 0 else ""
        raise table.error(f"column {i + 1} of {len(names)} has no name {where}; name it or remove it{pandas}")
    seen: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in seen and name in wanted:
            raise table.error(
                f"columns {seen[name] + 1} and {i + 1} have the same name, '{_shown(name)}' {where}; "
                f"rename one{_hint(table)}"
            )
        seen[name] = i


def _hint(table: _Table) -> str:
    """If the first line looks like a row, or is not cut into cells."""
    if len(table.names) == 1:
        return " (cells are separated by a comma, a semicolon or a tab)"
    looks = any(_number(name) is not None for name in table.names)
    return " (or does the file lack a line of column names?)" if looks else ""


def _targets(table: _Table, written: str | None) -> list[str]:
    """The columns that `--target` names, in its order."""
    if written is None:
        return []
    try:
        targets = [written.strip()] if written.strip() in table.names else next(read_rows(written))[1]
    except (ValueError, StopIteration):
        targets = [""]
    if "" in targets:
        raise table.error(f"the target '{written}' is not a list of columns; write COLUMN or COLUMN,COLUMN")
    _check_columns(table, "target column", targets)
    for target in targets:
        if targets.count(target) > 1:
            raise table.error(f"the target '{written}' names column '{target}' twice; name it once")
    return targets


def _check_columns(table: _Table, kind: str, wanted: Sequence[str]) -> None:
    names = set(table.names)
    lost = [column for column in wanted if column not in names]
    if len(lost) == 1:
        hint = nearest(lost[0], names)
        if hint.startswith("choose") and len(names) > MOST_VALUES:
            hint = f"choose from {', '.join(table.names[:MOST_VALUES])} and {len(names) - MOST_VALUES} more"
        raise table.error(f"there is no {kind} '{lost[0]}', {hint}" + _hint(table))
    if lost:
        some = _shown("', '".join(lost), 200), _shown(", ".join(table.names), 200)
        raise table.error(f"there are no {kind}s '{some[0]}'; there are {some[1]}" + _hint(table))


def _remedies(x_columns: Sequence[str], targets: Sequence[str]) -> _Remedies:
    text = {}
    if len(targets) > 1:
        text = dict.fromkeys(targets, "write a number; only a single target may be text")
    elif not targets and len(x_columns) > 1:
        text = {
            c: f"write numbers, remove the column, or let it be predicted: --target {c!r}" for c in x_columns
        }
    return _Remedies(text, x_columns if len(x_columns) > 1 else ())


def _read(
    table: _Table, columns: Sequence[str], remedies: _Remedies, text: str | None = None
) -> tuple[np.ndarray, list[str]]:
    """Columns as float32 `(N, D)`, and the cells of another column as text."""
    place = {name: i for i, name in enumerate(table.names)}
    where = [place[column] for column in columns]
    rows = filter(any, csv_reader(table.text))
    next(rows)
    parts, cells = [], []
    try:
        while chunk := list(islice(rows, ROWS)):
            table_part = list(zip(*chunk, strict=True))
            numbers = [table_part[i] for i in where]
            # float() takes 1_000 for a number
            if len(table_part) != len(table.names) or any("_" in "".join(column) for column in numbers):
                raise _fault(table, columns, remedies)
            parts.append(np.array([[float(cell) for cell in column] for column in numbers]))
            if text is not None:
                cells += [cell.strip() for cell in table_part[place[text]]]
    except (ValueError, csv.Error) as error:
        raise _fault(table, columns, remedies) from error
    if not parts:
        raise table.error("there are no rows below the column names")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(np.concatenate(parts, axis=1).T, dtype=np.float32)
    if not np.isfinite(x).all():
        raise _fault(table, columns, remedies)
    return x, cells


def _single(
    table: _Table, column: str, cells: list[str], remedies: _Remedies
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray | None]:
    """The one target: as numbers `(N, 1)`, or `(N, 0)` if it is text; its classes, and the labels `(N,)`."""
    numbers = {cell: _number(cell) for cell in cells}
    if any(cell.casefold() in MISSING for cell in numbers):
        raise _fault(table, [column], remedies, text=True)
    # all are numbers but for their commas, or most of many are: the others are mistakes
    numeric = sum(_number(cell.replace(",", "")) is not None for cell in numbers)
    if numeric == len(numbers) or (len(numbers) > MOST_VALUES and 2 * numeric > len(numbers)):
        if not all(number is not None and abs(number) < TOO_LARGE for number in numbers.values()):
            raise _fault(table, [column], remedies)
        t = np.array([numbers[cell] for cell in cells], dtype=np.float64) + 0.0
        values, y = np.unique(t, return_inverse=True)
        if len(values) > MOST_VALUES or (values % 1).any():
            return t.astype(np.float32)[:, None], (), None
        return t.astype(np.float32)[:, None], tuple(f"{value:.0f}" for value in values), y.astype(np.int64)
    if len(numbers) > MOST_VALUES:
        some = _shown("', '".join(list(numbers)[:3]), 60)
        raise table.error(
            f"target column '{column}' holds {len(numbers)} different texts ('{some}', ...); text is "
            f"predicted as classes, {MOST_VALUES} at most: choose another target"
        )
    if len(numbers) == 1:
        raise _constant(table, column, f"'{_shown(cells[0])}'")
    return np.empty((len(cells), 0), np.float32), *label(cells)


def _constant(table: _Table, column: str, value: str) -> DataError:
    return table.error(
        f"target column '{column}' is {value} in every row: there is nothing to learn; choose another target"
    )


def _fault(table: _Table, columns: Sequence[str], remedies: _Remedies, text: bool = False) -> DataError:
    """What is wrong with the first cell or row that cannot be used, and how many there are of its kind."""
    faults = _faults(table, set(columns), text)
    try:
        where, column, kind, words = next(faults)
    except ValueError as error:
        return table.error(str(error))
    # quotes that do not match end the count
    same = [column]
    with suppress(ValueError):
        same += [other for _, other, its_kind, _ in faults if its_kind == kind]
    if kind == "row":
        words = f"{where}: {words}"
    else:
        words = f"column '{column}', {where}: {words}; {_remedy(kind, column, remedies)}"
    if kind == "text" and len(table.names) == 1:
        words += _hint(table)
    if len(same) > 1:
        spread = f" in {len(set(same))} columns" if len(set(same)) > 1 else ""
        words += f" ({len(same)} such {'rows' if kind == 'row' else 'cells'}{spread})"
    return table.error(words)


def _faults(table: _Table, wanted: Collection[str], text: bool) -> Iterator[tuple[str, str, str, str]]:
    """Every fault: the place of its row, its column, its kind, and a sentence about it."""
    columns = [(i, name) for i, name in enumerate(table.names) if name in wanted]
    rows = read_rows(table.text)
    next(rows)
    for row, (line, cells) in enumerate(rows, 1):
        where = f"row {row} (line {line})"
        if len(cells) != len(table.names):
            yield where, "", "row", _row_fault(table, cells)
            continue
        for i, column in columns:
            kind, words = _cell_fault(cells[i], text)
            if kind:
                yield where, column, kind, words


def _cell_fault(cell: str, text: bool) -> tuple[str, str]:
    """The kind of a cell's fault and a sentence about it; empty when it can be used."""
    if cell.casefold() in MISSING:
        return "missing", f"the value is missing ('{cell}')" if cell else "the cell is empty"
    if text:
        return "", ""
    number = _number(cell)
    if number is None:
        comma = re.fullmatch(r"[-+]?[\d.' ]*,[\d.,' ]*", cell)
        hint = " (decimals are written with a point, thousands without a comma)" if comma else ""
        return "text", f"'{_shown(cell)}' is no number{hint}"
    if math.isnan(number):
        return "missing", f"the value is missing ('{cell}')"
    if abs(number) < TOO_LARGE:
        return "", ""
    if "inf" in cell.casefold():
        return "size", f"'{cell}' is infinite"
    return "size", f"'{_shown(cell)}' is too large, at most 3.4e38 is possible"


def _remedy(kind: str, column: str, remedies: _Remedies) -> str:
    if kind == "text" and column in remedies.text:
        return remedies.text[column]
    what = {"missing": "fill it in", "text": "write a number", "size": "correct it"}[kind]
    return f"{what}, or remove the row{' or the column' if column in remedies.removable else ''}"


def _row_fault(table: _Table, cells: list[str]) -> str:
    there, columns = len(cells), len(table.names)
    if there < columns:
        return (
            f"{there} of {columns} cells, none for column '{table.names[there]}'; "
            "complete the row or remove it"
        )
    mark = {"\t": "tab"}.get(separator := delimiter(table.text), f"'{separator}'")
    return (
        f"{there} cells, but '{table.names[-1]}' is the last of {columns} columns; a cell with a "
        f"{mark} in it must stand in quotes"
    )


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _shown(text: str, most: int = 40) -> str:
    """Text of a file for a message, not too long."""
    return text if len(text) <= most else text[: most - 3] + "..."
