"""Tables that are written: types in Parquet, and text that no spreadsheet takes for a formula in CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from simulacra.data import load
from simulacra.data.tables.rows import schema_of
from simulacra.data.tables.writer import write_table
from tests import tables
from tests.data.tables.test_rows import everything

pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


def test_parquet_has_types_and_is_read_as_the_csv_is(tmp_path: Path) -> None:
    data = load(tables.write(tables.adult(200), tmp_path / "a.csv"))
    schema = schema_of(data.spec)
    write_table(schema.decode(everything(data)), tmp_path / "a.parquet", schema)
    frame = pandas.read_parquet(tmp_path / "a.parquet")
    assert str(frame["age"].dtype) == "int64"
    assert str(frame["wage"].dtype) == "float64"
    assert frame["hired"][0].isoformat() == tables.adult(200)["hired"][0]
    assert frame["workclass"].isna().sum() == tables.adult(200)["workclass"].count("?")
    again = load(f"parquet:{tmp_path / 'a.parquet'}")
    assert schema_of(again.spec) == schema
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(again.split(split).x, data.split(split).x)


def test_columns_of_a_data_frame(tmp_path: Path) -> None:
    n = 40
    frame = pandas.DataFrame(
        {
            "flag": [True, False, None, True] * 10,
            "code": pandas.Categorical([1, 2, 3, 2] * 10),
            "day": pandas.date_range("2024-01-01", periods=n),
            "minute": pandas.date_range("2024-01-01", periods=n, freq="min"),
            "count": pandas.array([1, None, *range(n - 2)], dtype="Int64"),
            "size": np.linspace(0, 1, n, dtype=np.float32),
            "number": [str(i) for i in range(n)],
        },
        index=[f"row {i}" for i in range(n)],
    )
    frame.to_parquet(tmp_path / "a.parquet")
    columns = {
        column.name: column for column in schema_of(load(f"parquet:{tmp_path / 'a.parquet'}").spec).columns
    }
    assert list(columns) == list(frame)
    assert columns["flag"].categories == ("False", "True", "")
    assert columns["code"].categories == ("1", "2", "3")
    assert (columns["day"].form, columns["day"].low) == ("%Y-%m-%d", 19723)
    assert columns["minute"].form == "%Y-%m-%d %H:%M:%S"
    assert columns["count"].special == ("",)
    assert columns["size"].high == 1
    assert columns["number"].kind == "number"
    schema = schema_of(load(f"parquet:{tmp_path / 'a.parquet'}").spec)
    write_table(
        schema.decode(everything(load(f"parquet:{tmp_path / 'a.parquet'}"))), tmp_path / "b.parquet", schema
    )
    again = pandas.read_parquet(tmp_path / "b.parquet")
    assert again["flag"].tolist() == frame["flag"].tolist()
    assert again["count"].isna().tolist() == frame["count"].isna().tolist()


def test_parquet_that_cannot_be_read(tmp_path: Path) -> None:
    from simulacra.errors import DataError

    pandas.DataFrame({"a": [[1], [2]], "b": [b"x", b"y"], "c": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"columns of other kinds: 'a' \(list<.*>\), 'b' \(binary\); leave them out"
    ):
        load(f"parquet:{tmp_path / 'a.parquet'}")
    (tmp_path / "b.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"b\.parquet: cannot be read as Parquet"):
        load(f"parquet:{tmp_path / 'b.parquet'}")
    with pytest.raises(DataError, match="there is no file"):
        load(f"parquet:{tmp_path / 'c.parquet'}")


def test_csv_is_no_formula_and_is_read_again(tmp_path: Path) -> None:
    words = ["=HYPERLINK(1)", "+x", "-x", "@x", "-1.5", "a=b"] * 4
    write_table({"=n": [str(i) for i in range(24)], "word": words}, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=n", "word"]
    assert [row[1] for row in rows[1:7]] == ["'=HYPERLINK(1)", "'+x", "'-x", "'@x", "-1.5", "a=b"]
    schema = schema_of(load(f"csv:{tmp_path / 'a.csv'}").spec)
    assert schema.columns[0].name == "=n"
    assert schema.columns[1].categories == tuple(sorted(set(words)))
