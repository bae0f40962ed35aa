"""What the columns of a table hold is found from their cells."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.tables.cells import Cells
from simulacra.data.tables.infer import MOST_VALUES, date_form, infer
from simulacra.data.tables.schema import Column

NUMBERS = np.arange(100.0)


def one(cells: Cells, **options: object) -> Column | str:
    """The column of these cells in a table with words, or why it is left out."""
    words = ["a", "b"] * (len(cells) // 2) + ["a"] * (len(cells) % 2)
    columns, left_out = infer({"x": cells, "words": words}, **options)  # type: ignore[arg-type]
    return left_out["x"] if "x" in left_out else columns[0]


def test_a_number_has_decimals_and_a_range() -> None:
    assert one(NUMBERS / 4 - 1) == Column("x", "number", decimals=2, low=-1, high=23.75)
    assert one(NUMBERS) == Column("x", "number", low=0, high=99)


def test_a_missing_number_is_a_state_unless_it_is_imputed() -> None:
    cells = np.where(NUMBERS == 7, np.nan, NUMBERS)
    assert one(cells) == Column("x", "number", special=("",), low=0, high=99)
    assert one(cells, missing_state=False) == Column("x", "number", low=0, high=99)


@pytest.mark.parametrize(
    ("cells", "special"),
    [
        (np.where(NUMBERS < 20, -0.5, NUMBERS), ("-0.5",)),
        (np.where(NUMBERS < 19, -0.5, NUMBERS), ()),
        (np.where(NUMBERS < 30, 0, np.where(NUMBERS < 60, 40, NUMBERS)), ("0", "40")),
        (np.where(NUMBERS < 79, 0, NUMBERS), ("0",)),
        # few values beside it: no density
        (np.where(NUMBERS < 80, 0, NUMBERS), ()),
    ],
)
def test_a_value_of_many_rows_is_special(cells: np.ndarray, special: tuple[str, ...]) -> None:
    column = one(cells)
    assert isinstance(column, Column)
    assert column.special == special


def test_a_number_of_two_values_is_a_category() -> None:
    assert one(NUMBERS % 2) == Column("x", "category", ("0", "1"))
    assert one(np.where(NUMBERS < 9, np.nan, NUMBERS % 2)) == Column("x", "category", ("0", "1", ""))
    assert one(NUMBERS % 3) == Column("x", "number", low=0, high=2)


def test_tables_of_numbers_alone_stay_as_they_are() -> None:
    columns, left_out = infer({"flag": NUMBERS % 2, "gain": np.where(NUMBERS < 50, 0, NUMBERS)})
    assert all(column.width == 1 and column.kind == "number" for column in columns)
    assert not left_out


@pytest.mark.parametrize(
    ("values", "categories"),
    [
        (["yes", "no"], ("no", "yes")),
        (["true", "", "false", "NA"], ("false", "true", "")),
        (["10", "9", "3+"], ("10", "3+", "9")),
        (["only"], ("only",)),
    ],
)
def test_words_are_categories(values: list[str], categories: tuple[str, ...]) -> None:
    assert one(values * 10) == Column("x", "category", categories)


def test_codes_are_categories_on_request() -> None:
    assert one(["10", "9", ""] * 10, categorical=["x"]) == Column("x", "category", ("9", "10", ""))


def test_names_and_free_text_are_left_out() -> None:
    assert one([f"n{i}" for i in range(40)]) == "40 different texts ('n0', 'n1', 'n2', ...)"
    assert isinstance(one([f"n{i % 20}" for i in range(40)]), Column)
    assert isinstance(one([f"n{i % 21}" for i in range(40)]), str)
    many = [f"n{i % (MOST_VALUES + 1)}" for i in range(5 * MOST_VALUES)]
    assert one(many) == "257 different texts ('n0', 'n1', 'n2', ...)"
    assert isinstance(one([cell if cell != "n0" else "n1" for cell in many]), Column)
    assert one(["", "?", "n/a"] * 5) == "no value in any row"
    assert one(np.full(9, np.nan)) == "no value in any row"


def test_numbers_with_a_few_mistakes_are_numbers() -> None:
    """The caller names the mistakes."""
    column = one([*map(str, range(40)), "none", "1O"])
    assert isinstance(column, Column)
    assert column.kind == "number"


@pytest.mark.parametrize(
    ("cells", "form", "low", "high"),
    [
        (["1970-01-02", "1969-12-31", ""], "%Y-%m-%d", -1, 1),
        (["02.01.1970", "11.01.1970"], "%d.%m.%Y", 1, 10),
        (["01/13/1970", "01/02/1970"], "%m/%d/%Y", 1, 12),
        (["13/01/1970", "02/01/1970"], "%d/%m/%Y", 1, 12),
        (["1970-01-02T06:00:00", "1970-01-01T00:00:00"], "%Y-%m-%dT%H:%M:%S", 0, 1.25),
        (["Jan 02, 1970", "Feb 01, 1970"], "%b %d, %Y", 1, 31),
    ],
)
def test_dates(cells: list[str], form: str, low: float, high: float) -> None:
    column = one(cells)
    assert isinstance(column, Column)
    assert (column.kind, column.form, column.low, column.high) == ("date", form, low, high)
    # none is a number of days
    assert date_form(["17", "18"]) is None
