"""What was found in the columns of a table, for people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulacra.data.tables.rows import Rows
from simulacra.data.tables.schema import Column
from simulacra.errors import shorten

# letters of a list of categories
LISTED = 60


@dataclass(frozen=True)
class ColumnSummary:
    """What was found in a column.

    Attributes:
        name: of the column.
        role: `input`, `target` or `left out`.
        kind: `number`, `date` or `category`; empty where it is left out.
        values: the range or the values in words, or why it is left out.
        missing: how many of its cells are missing.
        categories: the values of a category.
        special: the values of a number that have a probability of their own.
    """

    name: str
    role: str
    kind: str
    values: str
    missing: int
    categories: tuple[str, ...] = ()
    special: tuple[str, ...] = ()


def summaries(rows: Rows) -> tuple[ColumnSummary, ...]:
    """What was found in each column, in the order of the table."""
    schema = rows.everything.spec.schema
    inputs = set() if schema is None else {column.name for column in schema.columns}
    found = {}
    for column in rows.columns:
        role = "input" if column.name in inputs else "target"
        missing = rows.missing[column.name]
        values = describe(column)
        found[column.name] = ColumnSummary(
            column.name, role, column.kind, values, missing, column.categories, column.special
        )
    for name, reason in rows.left_out.items():
        found[name] = ColumnSummary(name, "left out", "", reason, rows.missing.get(name, 0))
    return tuple(found[name] for name in dict.fromkeys(rows.table.names) if name in found)


def describe(column: Column) -> str:
    """The range of a number or a date, or the values of a category.

    >>> describe(Column("gain", "number", special=("0", ""), high=99999))
    '0 to 99999, often 0'
    >>> describe(Column("sex", "category", ("female", "male", "")))
    '2: female, male'
    """
    if column.kind == "category":
        present = [category for category in column.categories if category]
        return f"{len(present)}: {shorten(', '.join(present), LISTED)}"
    often = [value for value in column.special if value]
    return " to ".join(column.cells(np.array([column.low, column.high]))) + (
        f", often {', '.join(often)}" if often else ""
    )
