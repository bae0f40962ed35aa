"""The schema of a table: what its columns hold, and the numbers that encode a row for a model.

A row becomes a vector x, column by column. A number or a date becomes one number, in its own units (days for
dates). A category of K values becomes K numbers, one of them 1 (one-hot). A number that is missing in some
rows, or that has one value in many rows (a capital gain of 0), becomes its number followed by a one-hot code
of its states: has a value of its own, is missing, is that value.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

# the state of a number that is none of its special values
ORDINARY = "value"
# how a missing cell is written among the states and categories
MISSING_CELL = ""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: as in the first line of the table.
        kind: `number`; `date`, days since 1970-01-01; or `category`.
        categories: the values of a category, as written; `MISSING_CELL` among them where cells are missing.
        special: the values of a number or date that have a probability of their own, as written;
            `MISSING_CELL` where cells are missing. Empty where the column has a density alone.
        decimals: digits after the point, of a number.
        low: the smallest number of the table.
        high: the largest number of the table.
    """

    name: str
    kind: Literal["number", "date", "category"]
    categories: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    decimals: int = 0
    low: float = 0.0
    high: float = 0.0

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
        """A name for every number of x."""
        names: list[str] = []
        for column in self.columns:
            names += [column.name] if column.continuous else []
            names += [f"{column.name} is {state or 'missing'}" for state in column.states]
        return tuple(names)
