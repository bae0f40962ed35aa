"""The reader of tables: a `Table` gives columns as arrays, or names the first cell that cannot be used."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from simulacra.data.paths import find
from simulacra.data.tables.text import MISSING, MOST_CATEGORIES, csv_reader, decode, delimiter, read_rows
from simulacra.errors import DataError, nearest, printable, shorten

# rows parsed at a time: 2,048 took three quarters of the time of 8,192 and hold fewer strings in memory
ROWS = 2048
# float32 rounds numbers below this to its largest, and those from it on to infinity
TOO_LARGE = 2.0**128 - 2.0**103


@dataclass(frozen=True)
class Advice:
    """What an error about a cell suggests.

    Attributes:
        text: column -> what to do about text in it, instead of writing a number.
        removable: the columns that may as well be removed.
    """

    text: Mapping[str, str] = field(default_factory=dict)
    removable: Collection[str] = ()

    def about(self, kind: str, column: str) -> str:
        """What to do about a fault of this kind in a column."""
        if kind == "text" and column in self.text:
            return self.text[column]
        remedy = {"missing": "fill it in", "text": "write a number", "size": "correct it"}[kind]
        return f"{remedy}, or remove the row{' or the column' if column in self.removable else ''}"


@dataclass(frozen=True)
class Table:
    """The text of a file and its header.

    Attributes:
        title: the name of the table in messages.
        text: the whole file.
        names: of the columns.
        line: where the header is, from 1.
    """

    title: str
    text: str
    names: list[str]
    line: int

    @classmethod
    def open(cls, title: str, path: str) -> Table:
        """Read a file, found as `simulacra.data.paths.find` does.

        Raises:
            DataError: it is missing, empty or not text.
        """
        place = find(path)
        if path and place.is_dir():
            raise DataError(f"{title}: '{path}' is a folder; name the file of the table")
        if not path or not place.is_file():
            raise DataError(f"{title}: there is no file '{path}'; write csv:PATH with the file of a table")
        try:
            raw = place.read_bytes()
            if raw.startswith(b"PK\3\4"):
                raise ValueError("a spreadsheet or another zip, not text; save the sheet as CSV (UTF-8)")
            text = decode(raw)
            line, names = next(read_rows(text), (0, []))
        except OSError as error:
            raise DataError(f"{title}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise DataError(f"{title}: {error}") from error
        if not line:
            raise DataError(f"{title}: the file is empty; its first line must name the columns")
        return cls(title, text, names, line)

    def error(self, message: str) -> DataError:
        """An error about this table, printable on any terminal."""
        return DataError(f"{self.title}: {printable(message)}")

    def check_header(self, wanted: Collection[str]) -> None:
        """Check that the first line names columns, and that those which are `wanted` have names of their own.

        Raises:
            DataError: they have not.
        """
        names, where = self.names, f"(line {self.line})"
        numeric = [name for name in names if parse_number(name) is not None]
        if numeric and all(name in numeric or name.casefold() in MISSING for name in names):
            raise self.error(
                f"the first line must name the columns, but it holds only numbers, "
                f"{shorten(', '.join(names))} {where}; add a line of names above it, or choose names that "
                "are not numbers"
            )
        if "" in wanted:
            i = names.index("")
            pandas = " (if these are pandas' row numbers: write with index=False)" if i == 0 else ""
            raise self.error(
                f"column {i + 1} of {len(names)} has no name {where}; name it or remove it{pandas}"
            )
        seen: dict[str, int] = {}
        for i, name in enumerate(names):
            if name in seen and name in wanted:
                raise self.error(
                    f"columns {seen[name] + 1} and {i + 1} have the same name, '{shorten(name)}' {where}; "
                    f"rename one{self._hint()}"
                )
            seen[name] = i

    def check_columns(self, kind: str, wanted: Sequence[str]) -> None:
        """Check that there are columns of these names; a message calls each a `kind`.

        Raises:
            DataError: a column is missing.
        """
        names = self.names
        lost = [column for column in wanted if column not in set(names)]
        if len(lost) == 1:
            hint = nearest(lost[0], names)
            if hint.startswith("choose") and len(names) > MOST_CATEGORIES:
                shown, more = ", ".join(names[:MOST_CATEGORIES]), len(names) - MOST_CATEGORIES
                hint = f"choose from {shown} and {more} more"
            raise self.error(f"there is no {kind} '{lost[0]}', {hint}{self._hint()}")
        if lost:
            missing, present = shorten("', '".join(lost), 200), shorten(", ".join(names), 200)
            raise self.error(f"there are no {kind}s '{missing}'; choose from {present}{self._hint()}")

    def read(
        self, columns: Sequence[str], advice: Advice = Advice(), text: str | None = None
    ) -> tuple[np.ndarray, list[str]]:
        """Columns of numbers, float32 `(N, D)`, and the cells of the column `text`, empty without one.

        Raises:
            DataError: there are no rows, or a cell or a row cannot be used.
        """
        place = {name: i for i, name in enumerate(self.names)}
        where = [place[column] for column in columns]
        rows = filter(any, csv_reader(self.text))
        next(rows)
        parts, cells = [], []
        try:
            while chunk := list(islice(rows, ROWS)):
                by_column = list(zip(*chunk, strict=True))
                numbers = [by_column[i] for i in where]
                # float() accepts 1_000
                if len(by_column) != len(self.names) or any("_" in "".join(column) for column in numbers):
                    raise self.fault(columns, advice)
                parts.append(np.array([[float(cell) for cell in column] for column in numbers]))
                if text is not None:
                    cells += [cell.strip() for cell in by_column[place[text]]]
        except (ValueError, csv.Error) as error:
            raise self.fault(columns, advice) from error
        if not parts:
            raise self.error("there are no rows below the column names; add some")
        with np.errstate(over="ignore"):
            x = np.ascontiguousarray(np.concatenate(parts, axis=1).T, dtype=np.float32)
        if not np.isfinite(x).all():
            raise self.fault(columns, advice)
        return x, cells

    def cells(self, column: str) -> list[str]:
        """The text of every cell of a column.

        Raises:
            DataError: a row has no such cell.
        """
        place = self.names.index(column)
        try:
            rows = [row[place].strip() for row in filter(any, csv_reader(self.text))]
        except (IndexError, csv.Error) as error:
            raise self.fault([column], Advice(), text=True) from error
        return rows[1:]

    def fault(self, columns: Sequence[str], advice: Advice, text: bool = False) -> DataError:
        """The error about the first cell or row that cannot be used; it counts the others of its kind.

        Args:
            columns: the columns that are read.
            advice: what the error suggests.
            text: whether the columns may hold text.
        """
        faults = self._faults(set(columns), text)
        try:
            where, column, kind, message = next(faults)
        except ValueError as error:
            return self.error(str(error))
        same = [column]
        # the count ends where quotes do not match
        with suppress(ValueError):
            same += [other for _, other, its_kind, _ in faults if its_kind == kind]
        if kind == "row":
            message = f"{where}: {message}"
        else:
            message = f"column '{column}', {where}: {message}; {advice.about(kind, column)}"
        if kind == "text" and len(self.names) == 1:
            message += self._hint()
        if len(same) > 1:
            spread = f" in {len(set(same))} columns" if len(set(same)) > 1 else ""
            message += f" ({len(same)} such {'rows' if kind == 'row' else 'cells'}{spread})"
        return self.error(message)

    def _faults(self, wanted: Collection[str], text: bool) -> Iterator[tuple[str, str, str, str]]:
        """Every fault: the place of its row, its column, its kind, and a sentence about it."""
        columns = [(i, name) for i, name in enumerate(self.names) if name in wanted]
        rows = read_rows(self.text)
        next(rows)
        for row, (line, cells) in enumerate(rows, 1):
            where = f"row {row} (line {line})"
            if len(cells) != len(self.names):
                yield where, "", "row", self._row_fault(cells)
                continue
            for i, column in columns:
                kind, message = _cell_fault(cells[i], text)
                if kind:
                    yield where, column, kind, message

    def _row_fault(self, cells: list[str]) -> str:
        n, columns = len(cells), len(self.names)
        if n < columns:
            return f"{n} of {columns} cells, none for column '{self.names[n]}'; complete the row or remove it"
        mark = {"\t": "tab"}.get(separator := delimiter(self.text), f"'{separator}'")
        return (
            f"{n} cells, but '{self.names[-1]}' is the last of {columns} columns; put a cell that contains a "
            f"{mark} in quotes"
        )

    def _hint(self) -> str:
        """What may be wrong when the header is read as a row, or as a single cell."""
        if len(self.names) == 1:
            return " (cells are separated by a comma, a semicolon or a tab)"
        numeric = any(parse_number(name) is not None for name in self.names)
        return " (or does the file lack a line of column names?)" if numeric else ""


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
        title: the name of the table in messages.
        path: where it is; found as `csv:PATH` is.
        columns: the columns to read.

    Raises:
        DataError: the file is missing or no table, a column is missing, or a cell cannot be used.
    """
    table = Table.open(title, path)
    table.check_header(set(columns))
    table.check_columns("column", columns)
    return table.read(columns)[0]


def parse_number(cell: str) -> float | None:
    """The number in a cell, which may be NaN or infinite; None if it is text."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _cell_fault(cell: str, text: bool) -> tuple[str, str]:
    """The kind of a cell's fault and a sentence about it; both empty when it can be used."""
    if cell.casefold() in MISSING:
        return "missing", f"the value is missing ('{cell}')" if cell else "the cell is empty"
    if text:
        return "", ""
    number = parse_number(cell)
    if number is None:
        comma = re.fullmatch(r"[-+]?[\d.' ]*,[\d.,' ]*", cell)
        hint = " (write decimals with a point, thousands without a comma)" if comma else ""
        return "text", f"'{shorten(cell)}' is not a number{hint}"
    if math.isnan(number):
        return "missing", f"the value is missing ('{cell}')"
    if abs(number) < TOO_LARGE:
        return "", ""
    if "inf" in cell.casefold():
        return "size", f"'{cell}' is infinite"
    return "size", f"'{shorten(cell)}' is too large, the largest possible number is 3.4e38"
