"""The reader of tables: a `Table` gives the cells of columns, or names those that cannot be used."""

from __future__ import annotations

import csv
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from simulacra import limits
from simulacra.data.paths import find
from simulacra.data.tables.cells import Cells, as_numbers, date_cells, is_missing, parse_date, parse_number
from simulacra.data.tables.notation import plain_numbers
from simulacra.data.tables.schema import Column, no_columns
from simulacra.data.tables.text import csv_reader, decode, delimiter, read_rows, unescape
from simulacra.errors import DataError, LimitError, printable, shorten

# rows parsed at a time: 2,048 took three quarters of the time of 8,192 and hold fewer strings in memory
ROWS = 2048
# float32 rounds numbers below this to its largest, and those from it on to infinity
TOO_LARGE = 2.0**128 - 2.0**103
# columns with faults that a message shows
FAULTS = 3


@dataclass(frozen=True)
class Table(ABC):
    """The columns of a file.

    Attributes:
        title: the name of the table in messages.
        names: of the columns.
        notations: of the columns read so far whose numbers have a unit, a decimal comma or marks between
            thousands: a cell, and its number.
    """

    title: str
    names: list[str]
    notations: dict[str, tuple[str, str]] = field(default_factory=dict, kw_only=True, compare=False)

    @abstractmethod
    def read(self, columns: Sequence[str], words: Collection[str] = ()) -> dict[str, Cells]:
        """The cells of columns: float64 `(N,)`, NaN where missing, if all of them are numbers, else text.

        Args:
            columns: their names.
            words: those whose cells are text, whatever they hold.

        Raises:
            DataError: there are no rows, or some cannot be read.
        """

    def cells(self, column: str) -> list[str]:
        """The text of every cell of a column."""
        return self.cells_at(self.names.index(column))

    def all_cells(self) -> dict[str, list[str]]:
        """The text of every cell of every column that has a name; of several of one name, the first."""
        return {name: self.cells(name) for name in dict.fromkeys(self.names) if name}

    @abstractmethod
    def cells_at(self, place: int) -> list[str]:
        """The text of every cell of the column at a place, from 0."""

    @property
    def delimiter(self) -> str:
        """What separates the cells of the file; a comma where nothing does."""
        return ","

    def plain_cells(self, column: str) -> list[str]:
        """The text of every cell of a column, its numbers without unit and marks between thousands."""
        cells = self.cells(column)
        plain = self._plain(cells)
        return [plain.get(cell, cell) for cell in cells] if plain else cells

    def as_numbers(self, name: str, words: Sequence[str]) -> Cells:
        """Words, empty where missing, as float64 `(N,)` if all of them are numbers in one notation."""
        plain = self._plain(words)
        if not plain:
            return words
        self.notations[name] = max(plain.items(), key=lambda item: len(item[0]))
        return as_numbers([plain.get(word, "") for word in words])

    def _plain(self, cells: Sequence[str]) -> dict[str, str]:
        return plain_numbers(sorted(cell for cell in set(cells) if not is_missing(cell)), self.delimiter)

    def row(self, number: int) -> str:
        """Where a row is, for a message; rows count from 1, below the header."""
        return f"row {number}"

    def hint(self) -> str:
        """What may be wrong with the names of columns, for the end of a message."""
        return ""

    @property
    def categorical(self) -> list[str]:
        """The columns that the file itself calls categories."""
        return []

    @property
    def where(self) -> str:
        """Where the names of the columns are, for a message."""
        return ""

    def error(self, message: str) -> DataError:
        """An error about this table, printable on any terminal."""
        return DataError(f"{self.title}: {printable(message)}")

    def check_unique(self, wanted: Collection[str]) -> None:
        """Check that columns which are `wanted` have names of their own, or the same cells.

        Raises:
            DataError: they have not.
        """
        seen: dict[str, int] = {}
        for i, name in enumerate(self.names):
            if name in seen and name in wanted and self.cells_at(i) != self.cells_at(seen[name]):
                raise self.error(
                    f"columns {seen[name] + 1} and {i + 1} have the same name, '{shorten(name)}'{self.where}"
                    f"; rename one{self.hint()}"
                )
            seen.setdefault(name, i)

    def check_columns(self, kind: str, wanted: Sequence[str]) -> None:
        """Check that there are columns of these names; a message calls each a `kind`.

        Raises:
            DataError: a column is missing.
        """
        if lost := [column for column in wanted if column not in self.names]:
            raise self.error(no_columns(lost, self.names, kind) + self.hint())

    def fault(self, columns: Iterable[Column], required: Collection[str], more: str) -> DataError:
        """The error about the cells that are no numbers or dates: the first of each column, and their count.

        Args:
            columns: those with such cells.
            required: the columns in which no cell may be missing.
            more: what can be done besides correcting them.
        """
        first: dict[str, str] = {}
        remedies = set()
        count = 0
        for column in columns:
            for row, cell in enumerate(self.plain_cells(column.name), 1):
                fault, remedy = _cell_fault(cell, column, column.name in required)
                if not fault:
                    continue
                count += 1
                remedies.add(remedy)
                if column.name not in first:
                    first[column.name] = f"column '{column.name}', {self.row(row)}: {fault}"
        shown = "; ".join(list(first.values())[:FAULTS])
        if len(first) > FAULTS:
            shown += f"; and {len(first) - FAULTS} more columns"
        remedy = remedies.pop() if len(remedies) == 1 else "correct them"
        spread = f" in {len(first)} columns" if len(first) > 1 else ""
        counted = f" ({count:,} such cells{spread})" if count > 1 else ""
        return self.error(f"{shown}; {remedy}{more}{self.hint() if len(self.names) == 1 else ''}{counted}")


@dataclass(frozen=True)
class TextTable(Table):
    """A file of text, with cells that are separated by commas, semicolons or tabs.

    Attributes:
        text: the whole file.
        line: where the names of the columns are, from 1.
    """

    text: str
    line: int

    @classmethod
    def open(cls, title: str, path: str) -> TextTable:
        """Read a file, found as `simulacra.data.paths.find` does.

        Raises:
            DataError: it is missing, empty or not text.
        """
        place = find(path)
        if path and place.is_dir():
            raise DataError(f"{title}: '{path}' is a folder; name the file of the table")
        if not path or not place.exists():
            raise DataError(f"{title}: there is no file '{path}'; write csv:PATH with the file of a table")
        try:
            with limits.open_regular(place, limits.TABLE_BYTES) as file:
                needed = limits.TEXT_MEMORY * place.stat().st_size
                limits.check_memory(needed, "the table's rows", "use a part of it, or save it as Parquet")
                raw = limits.read_part(file, limits.TABLE_BYTES)
            if raw.startswith(b"PK\3\4"):
                raise ValueError("a spreadsheet or another zip, not text; save the sheet as CSV (UTF-8)")
            text = decode(raw)
            line, names = next(read_rows(text), (0, []))
        except OSError as error:
            raise DataError(f"{title}: cannot be read ({error.strerror})") from error
        except (ValueError, LimitError) as error:
            raise DataError(f"{title}: {error}") from error
        check_columns(title, len(names))
        if not line:
            raise DataError(f"{title}: the file is empty; its first line must name the columns")
        table = cls(title, [unescape(name) for name in names], text, line)
        numeric = [name for name in names if parse_number(name) is not None]
        if numeric and all(name in numeric or is_missing(name) for name in names):
            raise table.error(
                f"the first line must name the columns, but it holds only numbers, "
                f"{shorten(', '.join(names))}{table.where}; add a line of names above it, or choose names "
                "that are not numbers"
            )
        return table

    @property
    def where(self) -> str:
        return f" (line {self.line})"

    @property
    def delimiter(self) -> str:
        return delimiter(self.text)

    def read(self, columns: Sequence[str], words: Collection[str] = ()) -> dict[str, Cells]:
        place = {name: self.names.index(name) for name in columns}
        text = {name: _Words() for name in words}
        while True:
            parts: dict[str, list[Cells]] = {name: [] for name in columns}
            again = False
            for by_column in self._parts():
                for name in columns:
                    cells = [cell.strip() for cell in by_column[place[name]]]
                    if name not in text:
                        if (numbers := all_numbers(cells)) is not None:
                            parts[name].append(numbers)
                            continue
                        # the parts before were read as numbers
                        again |= bool(parts[name])
                        text[name] = _Words()
                    parts[name].append([text[name][cell] for cell in cells])
            if not again:
                break
        if not all(parts.values()):
            raise self.error("there are no rows below the column names; add some")
        read: dict[str, Cells] = {}
        for name, found in parts.items():
            if name not in text:
                read[name] = np.concatenate(found)
                continue
            written = [cell for part in found for cell in part]
            read[name] = written if name in words else self.as_numbers(name, written)
        return read

    def _parts(self) -> Iterator[list[tuple[str, ...]]]:
        """The cells of each column, `ROWS` rows at a time."""
        rows = filter(any, csv_reader(self.text))
        next(rows)
        try:
            while chunk := list(islice(rows, ROWS)):
                by_column = list(zip(*chunk, strict=True))
                if len(by_column) != len(self.names):
                    raise ValueError
                yield by_column
        except (ValueError, csv.Error) as error:
            raise self._row_fault() from error

    def cells_at(self, place: int) -> list[str]:
        return [cell.strip() for part in self._parts() for cell in part[place]]

    def all_cells(self) -> dict[str, list[str]]:
        place = {name: self.names.index(name) for name in dict.fromkeys(self.names) if name}
        cells: dict[str, list[str]] = {name: [] for name in place}
        for part in self._parts():
            for name, i in place.items():
                cells[name] += [cell.strip() for cell in part[i]]
        return cells

    def row(self, number: int) -> str:
        line, _ = next(islice(read_rows(self.text), number, None))
        return f"row {number} (line {line})"

    def _row_fault(self) -> DataError:
        """The error about the rows with too many or too few cells, or about quotes that do not match."""
        rows = read_rows(self.text)
        next(rows)
        first, count = "", 0
        try:
            for row, (line, cells) in enumerate(rows, 1):
                if len(cells) != len(self.names):
                    count += 1
                    first = first or f"row {row} (line {line}): {self._about_row(cells)}"
        except ValueError as error:
            # the count ends where quotes do not match
            first = first or str(error)
        return self.error(first + (f" ({count:,} such rows)" if count > 1 else ""))

    def _about_row(self, cells: list[str]) -> str:
        n, columns = len(cells), len(self.names)
        if n < columns:
            return f"{n} of {columns} cells, none for column '{self.names[n]}'; complete the row or remove it"
        mark = {"\t": "tab"}.get(separator := self.delimiter, f"'{separator}'")
        return (
            f"{n} cells, but '{self.names[-1]}' is the last of {columns} columns; put a cell that contains a "
            f"{mark} in quotes"
        )

    def hint(self) -> str:
        # the header may have been read as a row, or as a single cell
        if len(self.names) == 1:
            return " (cells are separated by a comma, a semicolon or a tab)"
        numeric = any(parse_number(name) is not None for name in self.names)
        return " (or does the file lack a line of column names?)" if numeric else ""


def check_columns(title: str, columns: int) -> None:
    """Raises DataError for more columns than a table may have."""
    if columns > limits.TABLE_COLUMNS:
        raise DataError(f"{title}: has {columns:,} columns, more than {limits.TABLE_COLUMNS:,}, the limit")


class _Words(dict[str, str]):
    """The text of a cell -> its word, empty where missing; equal words are one object."""

    def __missing__(self, cell: str) -> str:
        word = self[cell] = "" if is_missing(cell) else unescape(cell)
        return word


def all_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Cells as float64 `(N,)`, NaN where missing; None if one is text."""
    # float() accepts 1_000
    if "_" in "".join(cells):
        return None
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        with suppress(ValueError):
            return np.array([math.nan if is_missing(cell) else float(cell) for cell in cells])
    return None


def _cell_fault(cell: str, column: Column, required: bool) -> tuple[str, str]:
    """What is wrong with a cell, and what to do, for a message; both empty when it can be used."""
    number = parse_number(cell)
    if is_missing(cell) or (number is not None and math.isnan(number)):
        if not required:
            return "", ""
        return f"the value is missing ('{cell}')" if cell else "the cell is empty", "fill it in"
    if column.kind == "date":
        if parse_date(cell, column.form) is not None:
            return "", ""
        return f"'{shorten(cell)}' is not a date like {date_cells([0.0], column.form)[0]}", "write a date"
    if number is None:
        comma = re.fullmatch(r"[-+]?[\d.' ]*,[\d.,' ]*", cell)
        hint = " (write decimals with a point, thousands without a comma)" if comma else ""
        return f"'{shorten(cell)}' is not a number{hint}", "write a number"
    if abs(number) < TOO_LARGE:
        return "", ""
    if "inf" in cell.casefold():
        return f"'{cell}' is infinite", "correct it"
    return f"'{shorten(cell)}' is too large, the largest possible number is 3.4e38", "correct it"
