"""The schema of a table: what its columns hold, and the numbers that encode a row for a model.

A row becomes a vector x, column by column. A number or a date becomes one number, in its own units (days
for dates). A category of K values becomes K numbers, one of them 1 (one-hot). A number that is missing in
some rows, or that has one value in many rows (a capital gain of 0), becomes its number followed by a one-hot
code of its states: has a value of its own, is missing, is that value.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from simulacra.data.tables.cells import (
    Cells,
    as_days_in_any_form,
    as_numbers,
    as_words,
    date_cells,
    number_cells,
)
from simulacra.errors import DataError, nearest

# the state of a number that is none of its special values
ORDINARY = "value"
# how a missing cell is written among the states and categories
MISSING_CELL = ""
# names of columns that a message lists
SHOWN = 20


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the first line of the table.
        kind: `number`; `date`, days since 1970-01-01; or `category`.
        categories: the values of a category, as written; `MISSING_CELL` is one where cells are missing.
        special: the values of a number or date that have a probability of their own, as written;
            `MISSING_CELL` where cells are missing. Empty where the column has a density alone.
        decimals: digits after the point, of a number.
        low: the smallest number of the table.
        high: the largest number of the table.
        mean: the mean of the training rows, which stands for a missing number in x; None where numbers may
            not be missing.
        form: how a date is written, in the codes of `datetime.strptime`.
    """

    name: str
    kind: Literal["number", "date", "category"]
    categories: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    decimals: int = 0
    low: float = 0.0
    high: float = 0.0
    mean: float | None = None
    form: str = ""

    @property
    def states(self) -> tuple[str, ...]:
        """What its one-hot code distinguishes: categories, or states of a number; empty without a code."""
        if self.kind == "category":
            return self.categories
        return (ORDINARY, *self.special) if self.special else ()

    @property
    def continuous(self) -> bool:
        """Whether it has a number of its own in x."""
        return self.kind != "category"

    @property
    def width(self) -> int:
        """The count of numbers that encode it."""
        return self.continuous + len(self.states)

    def numbers(self, cells: Cells) -> np.ndarray:
        """The cells of a number or a date as float64 `(N,)`, NaN where missing.

        Raises:
            DataError: a cell is no number or no date.
        """
        try:
            return as_days_in_any_form(cells, self.form) if self.kind == "date" else as_numbers(cells)
        except ValueError as error:
            raise DataError(f"column '{self.name}': {error}") from error

    def index(self, cells: Cells) -> np.ndarray:
        """The index of each cell in `states`, int64 `(N,)`; -1 for a category that is not among them."""
        if self.kind == "category":
            place = {state: k for k, state in enumerate(self.states)}
            return np.array([place.get(word, -1) for word in as_words(cells)], dtype=np.int64)
        # special values are written with the digits of float32
        numbers = self.numbers(cells).astype(np.float32)
        index = np.zeros(len(numbers), dtype=np.int64)
        for k, value in enumerate(self.special, 1):
            special = self.numbers([value]).astype(np.float32)
            index[np.isnan(numbers) if np.isnan(special) else numbers == special] = k
        return index

    def cells(self, numbers: np.ndarray) -> list[str]:
        """Numbers `(N,)` of a number or a date as it is written, rounded to its decimals."""
        return date_cells(numbers, self.form) if self.kind == "date" else number_cells(numbers, self.decimals)


@dataclass(frozen=True)
class Block:
    """The place of a column in x.

    Attributes:
        column: the column.
        start: index of its first number.
    """

    column: Column
    start: int

    @property
    def number(self) -> int | None:
        """The index of its number in x; None for a category."""
        return self.start if self.column.continuous else None

    @property
    def code(self) -> slice:
        """Where its one-hot code is in x; empty without one."""
        return slice(self.start + self.column.continuous, self.start + self.column.width)


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in the order in which x holds them.

    >>> age = Column("age", "number", special=("",), high=90)
    >>> schema = Schema((age, Column("sex", "category", ("female", "male"))))
    >>> schema.width, schema.names
    (5, ('age', 'age is value', 'age is missing', 'sex is female', 'sex is male'))
    >>> schema.attributes
    ('age', 'age=value', 'age=missing', 'sex=female', 'sex=male')
    >>> [(block.number, block.code) for block in schema.blocks]
    [(0, slice(1, 3, None)), (None, slice(3, 5, None))]
    """

    columns: tuple[Column, ...]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The place of every column in x."""
        blocks, start = [], 0
        for column in self.columns:
            blocks.append(Block(column, start))
            start += column.width
        return tuple(blocks)

    @property
    def width(self) -> int:
        """The count of numbers in x."""
        return sum(column.width for column in self.columns)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Where x has the numbers of numbers and dates."""
        return tuple(block.number for block in self.blocks if block.number is not None)

    @property
    def codes(self) -> tuple[slice, ...]:
        """Where x has one-hot codes."""
        return tuple(block.code for block in self.blocks if block.column.states)

    @property
    def continuous(self) -> bool:
        """Whether x has a density: every column is a number or a date without special values."""
        return all(not column.states for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for every number of x; in a table of numbers the names of its columns."""
        return self._names(" is ")

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the numbers of x as attributes: a category has one `NAME=VALUE` for each value."""
        return self._names("=")

    def _names(self, sign: str) -> tuple[str, ...]:
        names: list[str] = []
        for column in self.columns:
            names += [column.name] if column.continuous else []
            names += [f"{column.name}{sign}{state or 'missing'}" for state in column.states]
        return tuple(names)

    def encode(self, cells: Mapping[str, Cells]) -> np.ndarray:
        """Rows as float32 `(N, width)`; a category that is not in the schema is all zeros.

        Args:
            cells: the cells of each column by its name, as written, or as float64 with NaN for missing. Their
                order is free, and other columns are ignored.

        Raises:
            DataError: a column is missing, a cell is no number or no date, or is missing in a column without
                a state and a mean for that.
        """
        return self.impute(self.encode_present(cells))

    def encode_present(self, cells: Mapping[str, Cells]) -> np.ndarray:
        """As `encode`, with NaN for every missing number."""
        if lost := [column.name for column in self.columns if column.name not in cells]:
            raise DataError(no_columns(lost, cells))
        x = np.zeros((len(cells[self.columns[0].name]), self.width), dtype=np.float32)
        for block in self.blocks:
            column, values = block.column, cells[block.column.name]
            if block.number is not None:
                # -0 + 0 is 0
                x[:, block.number] = column.numbers(values) + 0.0
            if column.states:
                index = column.index(values)
                known = np.flatnonzero(index >= 0)
                x[known, block.code.start + index[known]] = 1
        return x

    def impute(self, x: np.ndarray) -> np.ndarray:
        """Rows `(N, width)` with the mean of its column for every NaN.

        Raises:
            DataError: a column has no mean.
        """
        x = x.copy()
        for block in self.blocks:
            if block.number is None:
                continue
            missing = np.isnan(x[:, block.number])
            if block.column.mean is not None:
                x[missing, block.number] = block.column.mean
            elif missing.any():
                raise DataError(
                    f"column '{block.column.name}': the value is missing in {missing.sum():,} rows, and "
                    "was in no training row; fill it in, or remove the rows"
                )
        return x

    def with_means(self, x: np.ndarray, every: bool) -> Schema:
        """The schema with the means of training rows `(N, width)`, which have NaN for missing numbers.

        Args:
            x: rows, from `encode_present`.
            every: give every number a mean, not only those with a state for missing.
        """
        columns = []
        for block in self.blocks:
            column = block.column
            if block.number is not None and (every or MISSING_CELL in column.special):
                present = x[:, block.number][~np.isnan(x[:, block.number])]
                mean = float(present.mean(dtype=np.float64)) if len(present) else column.low
                column = replace(column, mean=mean)
            columns.append(column)
        return Schema(tuple(columns))

    def unseen(self, x: np.ndarray) -> dict[str, int]:
        """The columns with categories that are not in the schema, and in how many rows of x `(N, width)`."""
        counts = {
            block.column.name: int((x[:, block.code] == 0).all(axis=1).sum())
            for block in self.blocks
            if not block.column.continuous
        }
        return {name: count for name, count in counts.items() if count}

    def decode(self, x: np.ndarray) -> dict[str, list[str]]:
        """Rows as a table: the cells of each column, as the table that was read has them.

        A category, or the state of a number, is the one with the largest number in the code. Numbers are
        rounded to the decimals of their column, and missing cells are empty. Numbers are not moved into
        [low, high]: what a model puts outside is its error, and stays visible.

        Args:
            x: rows `(N, width)`.
        """
        table = {}
        for block in self.blocks:
            column = block.column
            cells = [""] * len(x) if block.number is None else column.cells(x[:, block.number])
            if column.states:
                index = x[:, block.code].argmax(axis=1)
                fixed = column.categories if block.number is None else (None, *column.special)
                cells = [
                    cell if (state := fixed[k]) is None else state
                    for cell, k in zip(cells, index, strict=True)
                ]
            table[column.name] = cells
        return table


def as_option(names: Iterable[str]) -> str:
    """Columns as the value of an option like --drop, for a shell.

    >>> print(as_option(["age", "sex"]), as_option(["height, cm"]))
    age,sex '"height, cm"'
    """
    return shlex.quote(",".join(f'"{name}"' if set(name) & set(',;"') else name for name in names))


def no_columns(lost: Sequence[str], present: Collection[str], kind: str = "column") -> str:
    """A sentence about columns that are not there, each with the nearest name.

    >>> no_columns(["agee"], ["age", "sex"])
    "there is no column 'agee', did you mean 'age'?"
    >>> no_columns(["agee", "y"], ["age", "sex"])
    "there are no columns 'agee' (did you mean 'age'?), 'y'; choose from age, sex"

    Args:
        lost: the names.
        present: the names that there are.
        kind: what the sentence calls a column.
    """
    shown = list(present)
    names = ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else "")
    close = [nearest(name, present) for name in lost]
    if len(lost) == 1:
        return f"there is no {kind} '{lost[0]}', " + (
            f"choose from {names}" if close[0].startswith("choose") else close[0]
        )
    each = [
        f"'{name}'" + ("" if hint.startswith("choose") else f" ({hint})")
        for name, hint in zip(lost, close, strict=True)
    ]
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return f"there are no {kind}s {', '.join(each[:SHOWN])}{more}; choose from {names}"
