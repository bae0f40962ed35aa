"""The cells of a column, as text and as numbers: numbers, dates and words, and how each is written again."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import numpy as np

from simulacra.data.tables.text import MISSING
from simulacra.errors import shorten

# the cells of a column: text, or float64 with NaN for missing
Cells = Sequence[str] | np.ndarray

EPOCH = datetime(1970, 1, 1)
# the time of a date, as libraries write it
MIDNIGHT = " 00:00:00"
# up to so many digits after the point, every number of a column is written with all of them
FIXED = 6
# digits after the point that are looked for
MOST_DECIMALS = 30
# how dates are written; the first form that fits every cell is taken, and of 03/04/2020 the day is first
FORMS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d-%b-%Y",
    "%Y-%m",
)


def is_missing(cell: str) -> bool:
    """Whether a cell has no value: it is empty, or NA, ?, null, ..."""
    return cell.casefold() in MISSING


def missing(cells: Cells) -> np.ndarray:
    """Which cells are missing, bool `(N,)`."""
    if isinstance(cells, np.ndarray):
        return np.isnan(cells)
    return np.array([is_missing(cell) for cell in cells], dtype=bool)


def parse_number(cell: str) -> float | None:
    """The number in a cell, which may be NaN or infinite; None if it is text."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def parse_date(cell: str, form: str) -> float | None:
    """Days from 1970-01-01 to the date in a cell; None if it is no date in this form.

    >>> parse_date("1970-01-02 12:00", "%Y-%m-%d %H:%M"), parse_date("soon", "%Y-%m-%d")
    (1.5, None)
    """
    try:
        date = datetime.strptime(cell, form)
        offset = date.utcoffset() or timedelta()
        return (date.replace(tzinfo=None) - offset - EPOCH) / timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def as_numbers(cells: Cells) -> np.ndarray:
    """Cells as float64 `(N,)`, NaN where missing.

    >>> as_numbers(["1.5", "?", "-2"])
    array([ 1.5,  nan, -2. ])

    Raises:
        ValueError: a cell is text; a sentence.
    """
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    return _parsed(cells, parse_number, "not a number")


def as_days(cells: Cells, form: str) -> np.ndarray:
    """Cells as days since 1970-01-01, float64 `(N,)`, NaN where missing.

    >>> as_days(["03.01.1970", ""], "%d.%m.%Y")
    array([ 2., nan])

    Raises:
        ValueError: a cell is no date in this form; a sentence.
    """
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    return _parsed(
        cells, lambda cell: parse_date(cell, form), f"not a date like {date_cells([0.0], form)[0]}"
    )


def as_days_in_any_form(cells: Cells, form: str) -> np.ndarray:
    """As `as_days`; cells that are not in the form may all be in another one, if it leaves no doubt.

    >>> as_days_in_any_form(["03.01.1970"], "%Y-%m-%d")
    array([2.])

    Raises:
        ValueError: a cell is no date, or could be two; a sentence.
    """
    try:
        return as_days(cells, form)
    except ValueError:
        read = []
        for other in FORMS:
            with suppress(ValueError):
                read.append((other, as_days(cells, other)))
        # with day and month exchanged one mistake would change every date
        if any(sorted(other) == sorted(form) for other, _ in read):
            raise
        if len({days.tobytes() for _, days in read}) != 1:
            raise
        return read[0][1]


def _parsed(cells: Sequence[str], parse: Callable[[str], float | None], fault: str) -> np.ndarray:
    values: dict[str, float] = {}
    for cell in set(cells):
        value = math.nan if is_missing(cell) else parse(cell)
        if value is None:
            raise ValueError(f"'{shorten(cell)}' is {fault}")
        values[cell] = value
    return np.array([values[cell] for cell in cells], dtype=np.float64)


def as_words(cells: Cells) -> list[str]:
    """Cells as text, empty where missing; numbers as they are written.

    >>> as_words(["red", "NA"]), as_words(np.array([1.0, np.nan]))
    (['red', ''], ['1', ''])
    """
    if isinstance(cells, np.ndarray):
        return ["" if math.isnan(value) else f"{value:.15g}" for value in cells]
    words = {cell: "" if is_missing(cell) else cell for cell in set(cells)}
    return [words[cell] for cell in cells]


def number_cells(numbers: np.ndarray, decimals: int) -> list[str]:
    """Numbers as text with so many digits after the point; with more than six, with those that float32 has.

    >>> number_cells(np.float32([3.14159, -0.001, 41]), 2), number_cells(np.float32([0.1, 1e-20]), 25)
    (['3.14', '0.00', '41.00'], ['0.1', '1e-20'])
    """
    rounded = np.round(np.asarray(numbers, dtype=np.float64), decimals) + 0.0
    if decimals <= FIXED:
        return [f"{value:.{decimals}f}" for value in rounded]
    return rounded.astype(np.float32).astype(str).tolist()


def date_cells(days: Sequence[float] | np.ndarray, form: str) -> list[str]:
    """Days since 1970-01-01 as dates in a form, to the nearest day or second, with years of four digits.

    NaN is empty.

    >>> date_cells([0.4, 18262.0, float("nan")], "%d %b %Y")
    ['01 Jan 1970', '01 Jan 2020', '']
    """
    unit = 86400 if "%H" in form else 1
    low, high = ((date - EPOCH).days for date in (datetime(1000, 1, 2), datetime(9999, 12, 30)))
    whole = np.clip(np.asarray(days, dtype=np.float64), low, high)
    values, place = np.unique(np.round(whole * unit), return_inverse=True)
    # days are those of UTC
    form = form.replace("%z", "Z")
    written = [
        "" if math.isnan(value) else (EPOCH + timedelta(days=value / unit)).strftime(form) for value in values
    ]
    return [written[k] for k in place]


def decimals_of(numbers: np.ndarray) -> int:
    """Digits after the point that write each of the numbers; NaN aside.

    >>> decimals_of(np.array([1.0, 2.25, np.nan])), decimals_of(np.array([3.0]))
    (2, 0)
    """
    present = numbers[~np.isnan(numbers)]
    for decimals in range(MOST_DECIMALS):
        # few numbers refuse most counts of digits
        if all(_written(part, decimals) for part in (present[:100], present)):
            return decimals
    return MOST_DECIMALS


def _written(numbers: np.ndarray, decimals: int) -> bool:
    return bool(np.isclose(np.round(numbers, decimals), numbers, rtol=1e-14, atol=0).all())
