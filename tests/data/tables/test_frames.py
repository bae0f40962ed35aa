"""DataFrames are tables, read as their CSV is."""

from __future__ import annotations

import pytest

from simulacra.data import Options, load
from simulacra.data.arrays import read_arrays
from simulacra.data.tables.rows import schema_of
from simulacra.errors import DataError
from tests import tables
from tests.data.tables.test_rows import everything

pd = pytest.importorskip("pandas")

FRAME = pd.DataFrame(tables.adult(300)).replace("?", None)
for number in ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week", "wage"):
    FRAME[number] = pd.to_numeric(FRAME[number])


def test_a_frame_is_read_as_its_csv(tmp_path) -> None:  # type: ignore[no-untyped-def]
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    for frame in (FRAME, FRAME.convert_dtypes(), FRAME.assign(hired=pd.to_datetime(FRAME["hired"]))):
        data, again = read_arrays(frame, Options()), load(f"csv:{tmp_path / 'a.csv'}")
        assert data.spec == again.spec
        assert (everything(data) == everything(again)).all()


def test_types_of_columns() -> None:
    n = 40
    frame = pd.DataFrame(
        {
            "flag": [True, False, None, True] * 10,
            "sure": [True, False] * 20,
            "code": pd.Categorical([1, 2, 3, 2] * 10),
            "minute": pd.date_range("2024-01-01", periods=n, freq="min"),
            "count": pd.array([1, None, *range(n - 2)], dtype="Int64"),
        }
    )
    columns = {column.name: column for column in schema_of(read_arrays(frame, Options()).spec).columns}
    assert columns["flag"].categories == ("False", "True", "")
    assert columns["sure"].categories == ("False", "True")
    assert columns["code"].categories == ("1", "2", "3")
    assert columns["minute"].form == "%Y-%m-%d %H:%M:%S"
    assert columns["count"].special == ("",)


def test_targets_of_a_frame() -> None:
    expected = read_arrays(FRAME, Options(target="income"))
    x, y = FRAME.drop(columns="income"), FRAME["income"]
    for labels in (y, y.tolist(), y.to_numpy()):
        data = read_arrays((x, labels), Options())
        assert data.spec == expected.spec
        assert (data.test.y == expected.test.y).all()
    two = read_arrays((FRAME.drop(columns=["age", "wage"]), FRAME[["age", "wage"]]), Options())
    assert two.spec.target is not None
    assert two.spec.target.columns == ("age", "wage")
    assert any("no value of 'age', 'wage'" in note for note in two.notes)


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ((FRAME, FRAME["income"]), {}, "'income' is a column of x and of y"),
        ((FRAME, [1, 2]), {}, "x has 300 rows and y 2"),
        (FRAME, {"target": "incom"}, "there is no target column 'incom', did you mean 'income'?"),
        (FRAME, {"image_size": 8}, "image_size: does not apply to a DataFrame"),
        (FRAME.iloc[:0], {}, "there are no rows"),
    ],
)
def test_frames_that_do_not_fit(data, options, said) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError) as caught:
        read_arrays(data, Options(**options))
    assert said in str(caught.value)
