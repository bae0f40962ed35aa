"""Rows become vectors and rows again, in their own units and words."""

from __future__ import annotations

import numpy as np
import pytest

from simulacra.data.tables.cells import FORMS
from simulacra.data.tables.schema import MISSING_CELL, Column, Schema
from simulacra.errors import DataError

AGE = Column("age", "number", special=(MISSING_CELL,), decimals=1, mean=40.0)
GAIN = Column("gain", "number", special=("0", MISSING_CELL), mean=100.0)
BORN = Column("born", "date", form="%d.%m.%Y")
SEX = Column("sex", "category", ("female", "male"))
SCHEMA = Schema((AGE, GAIN, BORN, SEX))
ROWS = {
    "age": ["41.5", "", "3.0"],
    "gain": ["0", "7688", ""],
    "born": ["02.01.1970", "31.12.1969", "29.02.2024"],
    "sex": ["male", "female", "male"],
}


def test_a_row_is_numbers_and_one_hot_codes() -> None:
    x = SCHEMA.encode(ROWS)
    assert x.dtype == np.float32
    assert x.tolist() == [
        [41.5, *(1, 0), 0, *(0, 1, 0), 1, *(0, 1)],
        [40.0, *(0, 1), 7688, *(1, 0, 0), -1, *(1, 0)],
        [3.0, *(1, 0), 100, *(0, 0, 1), 19782, *(0, 1)],
    ]


def test_decoded_rows_are_those_that_were_encoded() -> None:
    assert SCHEMA.decode(SCHEMA.encode(ROWS)) == ROWS


def test_order_is_free_and_other_columns_are_ignored() -> None:
    shuffled = {"note": ["x", "y", "z"], **dict(reversed(ROWS.items()))}
    np.testing.assert_array_equal(SCHEMA.encode(shuffled), SCHEMA.encode(ROWS))


def test_missing_columns_are_all_named() -> None:
    cells = {"Age": ROWS["age"], "born": ROWS["born"], "zip": ["1", "2", "3"]}
    with pytest.raises(DataError, match=r"no columns 'age' \(did you mean 'Age'\?\), 'gain', 'sex'; choose"):
        SCHEMA.encode(cells)


def test_a_state_is_the_largest_number_of_its_code() -> None:
    x = np.array([[41.46, 0.2, 0.1, 6, 0.1, 0.3, 0.2, 0.6, -1.5, -1.4]], dtype=np.float32)
    assert SCHEMA.decode(x) == {"age": ["41.5"], "gain": ["0"], "born": ["02.01.1970"], "sex": ["male"]}


def test_an_unseen_category_is_all_zeros_and_counted() -> None:
    x = SCHEMA.encode({**ROWS, "sex": ["male", "?", "other"]})
    assert x[1:, -2:].tolist() == [[0, 0], [0, 0]]
    assert SCHEMA.unseen(x) == {"sex": 2}
    assert SCHEMA.unseen(SCHEMA.encode(ROWS)) == {}


@pytest.mark.parametrize(
    ("column", "cells", "said"),
    [
        (
            BORN,
            ["01.01.2000", ""],
            "column 'born': the value is missing in 1 rows, and was in no training row",
        ),
        (BORN, ["01.01.2000", "2000-01-01"], "column 'born': '2000-01-01' is not a date like 01.01.1970"),
        (AGE, ["1", "1_000"], "column 'age': '1_000' is not a number"),
    ],
)
def test_cells_that_do_not_fit(column: Column, cells: list[str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Schema((column,)).encode({column.name: cells})


def test_means_of_the_training_rows() -> None:
    schema = Schema((Column("a", "number", special=("0", MISSING_CELL)), Column("b", "number"), SEX))
    x = schema.encode_present({"a": ["0", "", "6"], "b": ["1", "2", "6"], "sex": ["male"] * 3})
    assert np.isnan(x[:, 0]).tolist() == [False, True, False]
    assert [column.mean for column in schema.with_means(x, every=False).columns] == [3.0, None, None]
    assert [column.mean for column in schema.with_means(x, every=True).columns] == [3.0, 3.0, None]
    assert schema.with_means(x, every=False).impute(x)[:, 0].tolist() == [0, 3, 6]


def test_arrays_of_numbers_are_cells_too() -> None:
    arrays = {**ROWS, "age": np.array([41.5, np.nan, 3]), "born": np.array([1.0, -1, 19782])}
    np.testing.assert_array_equal(SCHEMA.encode(arrays), SCHEMA.encode(ROWS))


@pytest.mark.parametrize("form", FORMS)
def test_dates_are_written_in_the_form_they_are_read_in(form: str) -> None:
    """Whatever a model makes of them; to the minute, in float32."""
    column = Column("day", "date", form=form)
    days = np.float32([-400000, -1, 0, 19782, 1e9, -1e9])
    cells = column.cells(days)
    again = column.numbers(cells)
    assert column.cells(again.astype(np.float32)) == cells
    assert np.abs(again - days)[1:4].max() <= (31 if form == "%Y-%m" else 0.5)


def test_dates_in_another_form_are_read_if_it_leaves_no_doubt() -> None:
    column = Column("day", "date", form="%Y-%m-%d")
    assert column.numbers(["13.01.1970", "", "02.01.1970"])[[0, 2]].tolist() == [12, 1]
    assert column.numbers(["01/14/1970"]).tolist() == [13]
    # the day or the month first, and a mistake among dates of the form
    for form, cells in (("%Y-%m-%d", ["03/04/1970"]), ("%m/%d/%Y", ["13/04/1970", "03/04/1970"])):
        with pytest.raises(DataError, match="is not a date like"):
            Column("day", "date", form=form).numbers(cells)
