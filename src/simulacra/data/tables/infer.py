"""What the columns of a table hold: numbers, dates or categories, and which columns cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from simulacra.data.tables.cells import (
    FORMS,
    Cells,
    as_words,
    decimals_of,
    missing,
    number_cells,
    parse_date,
    parse_number,
)
from simulacra.data.tables.notation import looks_like_numbers
from simulacra.data.tables.schema import MISSING_CELL, Column
from simulacra.data.tables.text import MOST_CATEGORIES
from simulacra.errors import shorten

# a column of text with more different values, or with fewer rows a value, is names or free text
MOST_VALUES, ROWS_PER_VALUE = 256, 2
# A value of a number that this share of the rows has, in a column of more than MOST_CATEGORIES values, has a
# probability of its own.
SPIKE = 0.2
# cells that the form of a date is guessed from
GUESSED = 50


def infer(
    cells: Mapping[str, Cells], categorical: Collection[str] = (), missing_state: bool = True
) -> tuple[list[Column], dict[str, str]]:
    """The columns of a table, and why others are left out.

    A column whose cells are numbers, but for a few of many, is a number; the caller finds the few. A number
    with two values is a category, and a value that many rows have is a special one; not so in a table of
    numbers alone, without missing cells.

    >>> cells = {"age": np.array([31, 44, 52, np.nan]), "sex": ["f", "m", "f", "m"], "id": list("abcd")}
    >>> columns, left_out = infer(cells)
    >>> [(column.kind, column.states) for column in columns], left_out
    ([('number', ('value', '')), ('category', ('f', 'm'))], {'id': "4 different texts ('a', 'b', 'c', ...)"})

    Args:
        cells: the cells of each column.
        categorical: the columns that are categories, whatever they hold.
        missing_state: whether a missing number is a state of its own.
    """
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    for name, values in cells.items():
        found = _column(name, values, name in categorical)
        if isinstance(found, str):
            left_out[name] = found
            continue
        if missing_state and found.continuous and missing(values).any():
            found = replace(found, special=(MISSING_CELL,))
        columns.append(found)
    if any(column.kind != "number" or column.special for column in columns):
        columns = [_discrete(column, cells[column.name]) for column in columns]
    return columns, left_out


def _column(name: str, cells: Cells, categorical: bool) -> Column | str:
    """A column, or why it cannot be used."""
    if missing(cells).all():
        return "no value in any row"
    if not categorical and isinstance(cells, np.ndarray):
        return _number(name, cells)
    words = as_words(cells)
    values = [word for word in dict.fromkeys(words) if word]
    rows = sum(map(bool, words))
    few = len(values) <= max(2, rows // ROWS_PER_VALUE)
    if not categorical:
        if (form := date_form(values)) is not None:
            days = [parse_date(value, form) or 0.0 for value in values]
            return Column(name, "date", low=min(days), high=max(days), form=form)
        numbers = [number for value in values if (number := parse_number(value.replace(",", ""))) is not None]
        if len(numbers) == len(values) or (
            2 * len(numbers) > len(values) and not (few and len(values) <= MOST_CATEGORIES)
        ):
            return Column(name, "number", low=min(numbers), high=max(numbers))
    if len(values) > MOST_VALUES or not (few or categorical):
        found = f"{len(values):,} different texts ({examples(values)})"
        if looks_like_numbers(values):
            found += ", most of them numbers: write all with the same sign or unit, or with none"
        return found
    every_number = all(parse_number(value) is not None for value in values)
    values.sort(key=lambda value: (parse_number(value) if every_number else 0.0, value))
    return Column(name, "category", (*values, *([MISSING_CELL] if "" in words else [])))


def _number(name: str, numbers: np.ndarray) -> Column:
    present = numbers[np.isfinite(numbers)]
    low, high = (float(present.min()), float(present.max())) if len(present) else (0.0, 0.0)
    return Column(name, "number", decimals=decimals_of(present), low=low, high=high)


def examples(values: Collection[str]) -> str:
    """A few of many texts, for a message."""
    shown = ", ".join(f"'{shorten(value, 20)}'" for value in list(values)[:3])
    return f"{shown}, ..." if len(values) > 3 else shown


def date_form(values: Collection[str]) -> str | None:
    """The form in which most values are dates, the first of `FORMS` among equals; None if most are none.

    >>> date_form(["03/04/2020", "03/14/2020"]), date_form(["2020-01-31", "soon"]), date_form(["3", "4"])
    ('%m/%d/%Y', None, None)
    """
    some = list(values)[:GUESSED]
    fits = {form: sum(parse_date(value, form) is not None for value in some) for form in FORMS}
    likely = sorted((form for form in FORMS if 2 * fits[form] > len(some)), key=lambda form: -fits[form])
    counts = {form: sum(parse_date(value, form) is not None for value in values) for form in likely}
    best = max(likely, key=lambda form: counts[form], default=None)
    return best if best is not None and 2 * counts[best] > len(values) else None


def is_ambiguous(values: Collection[str], form: str) -> bool:
    """Whether dates with the day first could as well have the month first.

    >>> is_ambiguous(["03/04/2020", ""], "%d/%m/%Y"), is_ambiguous(["13/04/2020"], "%d/%m/%Y")
    (True, False)
    """
    other = "%m" + form[2] + "%d" + form[5:] if form.startswith(("%d/%m", "%d-%m")) else ""
    return other in FORMS and all(not value or parse_date(value, other) is not None for value in values)


def _discrete(column: Column, cells: Cells) -> Column:
    """A number with what it has of probabilities instead of a density: two values, or values of many rows."""
    if column.kind != "number" or not isinstance(cells, np.ndarray):
        return column
    values, counts = np.unique(cells[~np.isnan(cells)], return_counts=True)
    if len(values) <= 2:
        words = as_words(values)
        return Column(column.name, "category", (*words, *column.special))
    if len(values) <= MOST_CATEGORIES + 1:
        return column
    spikes = number_cells(values[counts >= SPIKE * counts.sum()], column.decimals)
    return replace(column, special=(*spikes, *column.special))
