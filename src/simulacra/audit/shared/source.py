"""Tables that are read in parts, so that their size does not matter.

The first line names the columns; cells are separated by commas, semicolons or tabs, and may be quoted.
Only the columns that are asked for are kept, at most `ROWS` rows and `CELLS` cells at a time.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from simulacra import limits
from simulacra.audit.shared.phrasing import shorten
from simulacra.audit.shared.rows import Rows
from simulacra.data.paths import find
from simulacra.data.tables.reader import check_columns
from simulacra.data.tables.text import MISSING, MOST_CATEGORIES, decode, delimiter, read_rows, unescape
from simulacra.errors import DataError, LimitError, nearest, printable

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000
# of a part, whatever the number of columns
CELLS = 1_000_000
# bytes in which the header and the delimiter are searched for
HEAD = 1 << 22
# more than this, and it is no column of groups
MOST_GROUPS = 50
# values of a column that a message may list
REMEMBERED = 1000
# larger numbers have squares that overflow
LARGEST = 1e100
COMPARE = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
# the column in which `simulacra predict` writes the split of a row, and its values for rows that a model was
# fitted to
SPLIT, FITTED = "split", ("train", "validation")
YES, NO = {"1", "1.0", "yes", "y", "true", "t"}, {"0", "0.0", "no", "n", "false", "f"}


class _CellError(Exception):
    """A cell that cannot be used: its place in the part, and why."""


class Field:
    """What is read of a column. `read` gives an array and which of its cells are missing."""

    def __init__(self, column: str, text: str | None = None) -> None:
        self.column = column
        # how sentences call it
        self.text = text or column

    def read(self, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        missing = np.array([cell.casefold() in MISSING for cell in cells], dtype=bool)
        return np.array(cells, dtype=object), missing

    def end(self) -> None:
        """Called after the last row; _CellError for what only all rows together show."""


class Group(Field):
    """The name of a group, text; at most 50 different ones, or `most`."""

    def __init__(self, column: str, most: int = MOST_GROUPS) -> None:
        super().__init__(column)
        self.most = most
        self.seen: set[str] = set()

    def read(self, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        self.seen.update(cells)
        if len(self.seen) > self.most:
            raise _CellError(
                f"holds more than {self.most:,} different values ('{shorten(sorted(self.seen)[:3])}', ...), "
                "too many for groups; write a column of ranges or of fewer groups"
            )
        return super().read(cells)


class Number(Field):
    """A finite number; `probability`: one in [0, 1]."""

    def __init__(self, column: str, probability: bool = False) -> None:
        super().__init__(column)
        self.probability = probability

    def read(self, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        values = np.array([_number(cell, i) for i, cell in enumerate(cells)], dtype=np.float64)
        missing = np.isnan(values)
        if (large := np.abs(values) > LARGEST).any():
            i = int(large.argmax())
            raise _CellError(f"{cells[i][:40]} is too large; use another unit", i)
        if self.probability and (off := ~missing & ~((values >= 0) & (values <= 1))).any():
            i = int(off.argmax())
            raise _CellError(
                f"{cells[i]} is not a probability; a score lies between 0 and 1: divide it by its largest "
                "value if it is one, or calibrate it first",
                i,
            )
        return values, missing


class Condition(Field):
    """Yes or no of every row, bool: `COL` (1 or 0, yes or no, ...), `COL=A,B`, `COL>=5` (also >, <, <=)."""

    def __init__(self, column: str, sign: str = "", value: str = "") -> None:
        super().__init__(column, f"{column}{sign}{value}")
        self.sign = sign
        self.wanted = [part.strip() for part in value.split(",")] if sign == "=" else []
        self.compare = COMPARE.get(sign)
        try:
            self.bound = float(value) if self.compare else 0.0
        except ValueError:
            raise ValueError(
                f"'{self.text}': what follows the sign must be a number, not '{value}'"
            ) from None
        self.seen: set[str] = set()

    def read(self, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        if self.compare:
            values = np.array([_number(cell, i) for i, cell in enumerate(cells)], dtype=np.float64)
            return self.compare(values, self.bound), np.isnan(values)
        different = set(cells)
        if len(self.seen) < REMEMBERED:
            self.seen |= different
        missing = {cell for cell in different if cell.casefold() in MISSING and cell not in self.wanted}
        if self.sign == "=":
            yes = different & set(self.wanted)
        else:
            yes = {cell for cell in different if cell.casefold() in YES}
            if unknown := {c for c in different - yes - missing if c.casefold() not in NO}:
                raise _UnclearError(self.column, next(iter(unknown)))
        return (
            np.array([cell in yes for cell in cells], dtype=bool),
            np.array([cell in missing for cell in cells], dtype=bool),
        )

    def end(self) -> None:
        held = sorted(value for value in self.seen if value.casefold() not in MISSING)
        # an empty table is refused for that
        if held and (lost := [value for value in self.wanted if value not in self.seen]):
            raise _CellError(f"no row holds '{lost[0]}', {nearest(lost[0], held[:MOST_CATEGORIES])}")


class _UnclearError(Exception):
    """A column of text whose positive value is not given."""


class Source:
    """A table on the disk.

    Attributes:
        names: its columns.
        rows: how many the last pass has read.
        left_out: how many of them it left out, because a value is missing or the model was fitted to them.
        fitted: how many of them it left out because the model was fitted to them.
        lacking: column -> rows that lack its value.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("sex,score,late\\nf,3,no\\nm,8,yes\\nf,,no\\n")
    ...     source = Source(Path(folder, "a.csv"))
    ...     fields = {"sex": source.group("sex"), "high": source.condition("score>=5")}
    ...     for part in source.read(fields):
    ...         print(part["sex"], part["high"], part.index, source.rows, source.left_out)
    ['f' 'm'] [False  True] [1 2] 3 1

    Args:
        path: the file.
        predictions: whether rows are predictions of a model, which say little if it was fitted to them: leave
            out rows that the column `split` says are of its training or validation split.

    Raises:
        DataError: the file is missing, or no table.
    """

    def __init__(self, path: str | Path, predictions: bool = False) -> None:
        self.title = str(path)
        self.predictions = predictions
        self.path = find(str(path))
        if self.path.is_dir():
            raise self.error("is a folder; name the file of the table")
        if not self.path.exists():
            raise self.error("there is no such file; name a table as CSV (UTF-8)")
        try:
            with limits.open_regular(self.path, limits.TABLE_BYTES) as file:
                raw = file.read(HEAD)
            if raw.startswith(b"PK\3\4"):
                raise ValueError("is a spreadsheet or another zip, not text; save the sheet as CSV (UTF-8)")
            # a character may have been cut
            text = decode(raw if len(raw) < HEAD else raw[: raw.rfind(b"\n") + 1] or raw)
            _, found = next(read_rows(text.partition("\n")[0] if '"' not in text else text), (0, []))
        except OSError as error:
            raise self.error(f"cannot be read ({error.strerror})") from error
        except (ValueError, LimitError) as error:
            raise self.error(str(error)) from error
        check_columns(self.title, len(found))
        if not found:
            raise self.error("the file is empty; its first line must name the columns")
        self.names, self.separator = [unescape(name) for name in found], delimiter(text)
        self.rows = self.left_out = self.fitted = 0
        self.lacking: Counter[str] = Counter()

    def error(self, words: str) -> DataError:
        """What is wrong with the table."""
        return DataError(f"{self.title}: {printable(words)}")

    def column(self, name: str) -> str:
        """The name of a column that is there.

        Raises:
            DataError: it is not; the message names the nearest one.
        """
        name = name.strip()
        if name not in self.names:
            hint = nearest(name, self.names)
            if hint.startswith("choose"):
                hint = f"choose from {shorten(self.names, MOST_CATEGORIES)}"
            raise self.error(f"there is no column '{name}', {hint}")
        return name

    def group(self, column: str) -> Group:
        """A column of groups."""
        return Group(self.column(column))

    def groups(self, columns: str) -> list[Group]:
        """Columns of groups with commas between them, each once.

        Raises:
            DataError: a column is not there, or named twice.
        """
        names = [self.column(name) for name in columns.split(",")]
        if twice := [name for name in names if names.count(name) > 1]:
            raise self.error(f"column '{twice[0]}' is named twice; name it once")
        return [Group(name) for name in names]

    def number(self, column: str) -> Number:
        """A column of numbers."""
        return Number(self.column(column))

    def probability(self, column: str) -> Number:
        """A column of numbers from 0 to 1."""
        return Number(self.column(column), probability=True)

    def condition(self, text: str) -> Condition:
        """Yes or no: `COL`, `COL=VALUE[,VALUE]`, `COL>=NUMBER`.

        Raises:
            DataError: there is no such column, or no number behind the sign.
        """
        match = re.fullmatch(r"\s*(.+?)\s*(>=|<=|=|>|<)\s*(.+?)\s*", text)
        if match is None or text.strip() in self.names:
            return Condition(self.column(text))
        try:
            return Condition(self.column(match[1]), match[2], match[3])
        except ValueError as error:
            raise self.error(str(error)) from error

    def parts(self, fields: Mapping[str, Field], drop: bool = True) -> Iterator[pd.DataFrame]:
        """`read`, for pandas."""
        return (part.frame() for part in self.read(fields, drop))

    def read(self, fields: Mapping[str, Field], drop: bool = True) -> Iterator[Rows]:
        """The rows in order, `ROWS` at a time, a column for each of the fields; the index counts from 1.

        Args:
            fields: name in the result -> what is read.
            drop: leave out rows in which any value is missing. Otherwise numbers are NaN there, groups the
                text of the cell, and conditions False.

        Raises:
            DataError: a row or a cell cannot be used, or no row can.
        """
        self.rows = self.left_out = self.fitted = 0
        self.lacking = Counter()
        places = [self.names.index(field.column) for field in fields.values()]
        asked = any(field.column == SPLIT for field in fields.values())
        by_split = self.predictions and SPLIT in self.names and not asked
        places += [self.names.index(SPLIT)] if by_split else []
        for first, table in self._rows(places):
            if by_split:
                kept = np.array([cell not in FITTED for cell in table.pop()], dtype=bool)
            columns, missing = {}, np.zeros(len(table[0]), dtype=bool)
            for (name, field), cells in zip(fields.items(), table, strict=True):
                try:
                    columns[name], lacks = field.read(cells)
                except _CellError as error:
                    raise self._fault(field, first, *error.args) from error
                except _UnclearError as error:
                    raise self._unclear(field.column) from error
                self.lacking[field.column] += int(lacks.sum())
                missing |= lacks
            self.rows += len(missing)
            part = Rows(columns, np.arange(first, first + len(missing)))
            if by_split:
                self.fitted += int((~kept).sum())
                self.left_out += int((~kept).sum())
                part, missing = part.where(kept), missing[kept]
            if drop:
                self.left_out += int(missing.sum())
                part = part.where(~missing)
            yield part
        for field in fields.values():
            try:
                field.end()
            except _CellError as error:
                raise self._fault(field, 0, *error.args) from error
        if self.rows == self.left_out:
            if self.rows and self.rows == self.fitted:
                raise self.error(
                    "every row is of the training or validation split of the model; predict for new data, or"
                    " for --split test"
                )
            names = shorten(f"'{field.column}'" for field in fields.values())
            gone = f"; each of {self.rows:,} lacks one of {names}" if self.rows else ""
            raise self.error(f"there are no rows to use{gone}")

    def values(self, column: str) -> Counter[str]:
        """How many rows hold which text, over the whole table; no more than `REMEMBERED` different texts."""
        seen: Counter[str] = Counter()
        for _, (cells,) in self._rows([self.names.index(self.column(column))]):
            seen.update(cells if len(seen) < REMEMBERED else [cell for cell in cells if cell in seen])
        return seen

    def about(self) -> dict[str, str | int | float]:
        """What the last pass has read, for `Audit.inputs`."""
        about: dict[str, str | int | float] = {"table": self.title, "rows": self.rows}
        if self.fitted:
            about["rows of the training or validation split, left out"] = f"{self.fitted:,}"
        if self.left_out > self.fitted:
            lacking = [f"{column} {count:,}" for column, count in self.lacking.items() if count]
            about["rows left out"] = f"{self.left_out - self.fitted:,}, without a value ({shorten(lacking)})"
        return about

    def _rows(self, places: Sequence[int]) -> Iterator[tuple[int, list[list[str]]]]:
        """The number of the first row of a part, and its cells, a list for each of the places."""
        first, line = 1, 1
        most = max(1, min(ROWS, CELLS // len(self.names)))
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(
                self._lines(file), delimiter=self.separator, strict=True, skipinitialspace=True
            )
            rows = filter(any, reader)
            try:
                next(rows)
                while part := list(islice(rows, most)):
                    for i, row in enumerate(part):
                        if len(row) != len(self.names):
                            raise self.error(
                                f"row {first + i}: {len(row)} cells, but {len(self.names)} columns; put "
                                "quotes around cells that hold what separates them"
                            )
                    cells = [[unescape(row[place].strip()) for row in part] for place in places]
                    for place, column in zip(places, cells, strict=True):
                        self._refuse_twins(place, column, part, first)
                    yield first, cells
                    first, line = first + len(part), reader.line_num
            except csv.Error as error:
                raise self.error(f"below line {line}: cannot be cut into cells ({error})") from error
            except UnicodeDecodeError as error:
                raise self.error(f"below line {line}: is not UTF-8 text; save it again as UTF-8") from error

    def _lines(self, file: TextIO) -> Iterator[str]:
        while line := file.readline(limits.TABLE_LINE + 1):
            if len(line) > limits.TABLE_LINE:
                raise self.error(f"has a line of more than {limits.TABLE_LINE:,} letters, the limit")
            yield line

    def _refuse_twins(self, place: int, cells: list[str], rows: list[list[str]], first: int) -> None:
        """Columns may have the same name only if they hold the same values."""
        name = self.names[place]
        for other in range(place + 1, len(self.names)):
            if self.names[other] != name:
                continue
            for i, (cell, row) in enumerate(zip(cells, rows, strict=True)):
                if unescape(row[other].strip()) != cell:
                    raise self.error(
                        f"columns {place + 1} and {other + 1} are both called '{name}', and differ in row "
                        f"{first + i}; rename one"
                    )

    def _fault(self, field: Field, first: int, words: str, place: int | None = None) -> DataError:
        row = "" if place is None else f", row {first + place}"
        return self.error(f"column '{field.column}'{row}: {words}")

    def _unclear(self, column: str) -> DataError:
        """What a column holds whose positive value is not given."""
        values = self.values(column)
        held = [f"'{value}' ({count:,})" for value, count in values.most_common()]
        example = min(values, key=lambda value: (value.casefold() in MISSING | NO, values[value]))
        return self.error(
            f"column '{column}' holds {shorten(held, MOST_CATEGORIES)}; say which of them is positive: "
            f"'{column}={example}'"
        )


def _number(cell: str, place: int) -> float:
    with suppress(ValueError):
        # float() takes 1_000 for a number
        if math.isfinite(value := float(cell)) and "_" not in cell:
            return value
    if cell.casefold() in MISSING:
        return math.nan
    comma = "; write a point, not a comma" if "," in cell else ""
    raise _CellError(f"'{cell[:40]}' is not a number{comma}", place)
