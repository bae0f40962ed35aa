"""Tables are loaded as they are: words, dates, missing cells, chosen columns, targets, new rows by name."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from simulacra.data import SPLITS, Data, Options, load
from simulacra.data.tables.reader import TextTable
from simulacra.data.tables.rows import read, read_inputs, schema_of
from simulacra.errors import DataError
from tests import tables

ADULT = tables.adult(600)


@pytest.fixture
def adult(tmp_path: Path) -> str:
    return tables.write(ADULT, tmp_path / "adult.csv")


def everything(data: Data) -> np.ndarray:
    """x of all splits in the order of the table."""
    rows = np.concatenate([data.split(split).rows for split in SPLITS])  # type: ignore[arg-type]
    return np.concatenate([data.split(split).x for split in SPLITS])[np.argsort(rows)]


@pytest.mark.parametrize("table", [ADULT, tables.german(), tables.ricci()])
def test_what_goes_in_comes_out(table: tables.Table, tmp_path: Path) -> None:
    data = load(tables.write(table, tmp_path / "a.csv"))
    schema = schema_of(data.spec)
    assert [column.name for column in schema.columns] == list(table)
    assert data.spec.shape == (schema.width,)
    assert data.spec.columns == schema.names
    read = {name: ["" if cell == "?" else cell for cell in cells] for name, cells in table.items()}
    assert schema.decode(everything(data)) == read


def test_the_schema_of_a_census(adult: str) -> None:
    data = load(adult)
    kinds = {column.name: column.kind for column in schema_of(data.spec).columns}
    assert kinds["hired"] == "date"
    assert sum(kind == "category" for kind in kinds.values()) == 8
    special = {column.name: column.special for column in schema_of(data.spec).columns if column.special}
    assert special == {
        "capital-gain": ("0",),
        "capital-loss": ("0",),
        "hours-per-week": ("40",),
        "wage": ("",),
    }
    assert data.notes == ()


def test_a_target_of_words_and_one_of_numbers(adult: str) -> None:
    data = load(adult, Options(target="income"))
    assert data.spec.classes == ("<=50K", ">50K")
    assert not any(name.startswith("income") for name in data.spec.columns)
    labels = np.concatenate([data.split(split).y for split in SPLITS])  # type: ignore[arg-type]
    assert np.bincount(labels).tolist() == [ADULT["income"].count(name) for name in data.spec.classes]
    data = load(adult, Options(target="age,hired"))
    assert data.spec.target is not None
    assert data.spec.target.columns == ("age", "hired")
    assert data.train.target is not None
    assert data.train.target.shape == (len(data.train), 2)


def test_rows_without_a_target_are_left_out_and_counted(adult: str) -> None:
    data = load(adult, Options(target="wage"))
    lost = ADULT["wage"].count("")
    assert data.notes == (f"{lost} rows are left out: no value of 'wage'",)
    rows = np.concatenate([data.split(split).rows for split in SPLITS])  # type: ignore[arg-type]
    assert sorted(rows) == [i for i, cell in enumerate(ADULT["wage"]) if cell]
    data = load(adult, Options(target="workclass", group="hired"))
    assert len(everything(data)) == 600 - ADULT["workclass"].count("?")


def test_missing_cells_are_dropped_or_imputed(adult: str) -> None:
    whole = [i for i in range(600) if not {ADULT[name][i] for name in ADULT} & {"", "?"}]
    data = load(adult, Options(missing="drop"))
    assert len(everything(data)) == len(whole)
    assert data.notes == (f"{600 - len(whole)} rows are left out: a cell is missing",)
    assert not any("is missing" in name for name in data.spec.columns)

    data = load(adult, Options(missing="mean"))
    assert "wage is missing" not in data.spec.columns
    assert "workclass is missing" in data.spec.columns
    wage = data.spec.columns.index("wage")
    rows = data.train.rows
    assert rows is not None
    present = [float(ADULT["wage"][row]) for row in rows if ADULT["wage"][row]]
    mean = np.float32(np.mean(np.float32(present), dtype=np.float64))
    assert everything(data)[[not cell for cell in ADULT["wage"]], wage].tolist() == [mean] * ADULT[
        "wage"
    ].count("")


def test_splits_do_not_depend_on_what_a_missing_cell_becomes(adult: str) -> None:
    """So that a run which is evaluated on its own table meets its own splits."""
    data = load(adult, Options(missing="mean"))
    again = load(adult, Options(missing="mean"), data.spec)
    for split in SPLITS:
        np.testing.assert_array_equal(data.split(split).rows, again.split(split).rows)
        np.testing.assert_array_equal(data.split(split).x, again.split(split).x)


def test_equal_rows_of_words_are_in_all_splits(tmp_path: Path) -> None:
    """Not so equal rows of measurements, which are copies."""
    words = {"a": ["x", "y"] * 200, "b": ["p", "q", "q", "p"] * 100}
    data = load(tables.write(words, tmp_path / "a.csv"))
    assert [len(np.unique(data.split(split).x, axis=0)) for split in SPLITS] == [4, 4, 4]
    assert len(data.train) == pytest.approx(320, abs=25)
    # those that are there stay where they are
    more = load(
        tables.write({name: [*cells, *cells[:50]] for name, cells in words.items()}, tmp_path / "b.csv")
    )
    assert data.test.rows is not None
    assert more.test.rows is not None
    assert data.test.rows.tolist() == [row for row in more.test.rows.tolist() if row < 400]

    both = load(tables.write({**words, "n": [str(i % 7) for i in range(400)]}, tmp_path / "c.csv"))
    held = [{row.tobytes() for row in both.split(split).x} for split in SPLITS]
    assert not held[0] & held[2]


def test_columns_are_chosen(adult: str) -> None:
    data = load(adult, Options(columns="sex,age", target="income"))
    assert data.spec.columns == ("age", "sex is Female", "sex is Male")
    data = load(adult, Options(columns="age,education-num,sex", drop="sex", categorical="education-num"))
    years = sorted(set(ADULT["education-num"]), key=int)
    assert data.spec.columns == ("age", *(f"education-num is {year}" for year in years))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"columns": "agee", "drop": "sexx,wage", "target": "incom"},
            "there is no target column 'incom', did you mean 'income'?; columns: there is no column 'agee', "
            "did you mean 'age'?; drop: there is no column 'sexx', did you mean 'sex'?",
        ),
        (
            {"categorical": "zip,agee"},
            "categorical: there are no columns 'zip', 'agee' (did you mean 'age'?); choose",
        ),
        ({"target": "age", "drop": "age"}, "column 'age' is a target and cannot be dropped"),
        ({"columns": "age", "target": "age"}, "every column is a target or left out"),
        ({"missing": "meen"}, "missing: cannot be 'meen', did you mean 'mean'?"),
        ({"columns": "age,age"}, "the columns 'age,age' names column 'age' twice"),
    ],
)
def test_names_that_do_not_fit(options: dict[str, str], said: str, adult: str) -> None:
    with pytest.raises(DataError) as caught:
        load(adult, Options(**options))  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_columns_that_cannot_be_used_are_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [["", str(i), f"name {i}", "", "ab"[i % 2]] for i in range(40)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["", "x", "name", "empty", "word"], *rows])
    data = load(f"csv:{tmp_path / 'a.csv'}")
    assert data.spec.columns == ("x", "word is a", "word is b")
    assert data.notes == (
        "column 'name' is left out: 40 different texts ('name 0', 'name 1', 'name 2', ...)",
        "column 'empty' is left out: no value in any row",
        "column '' is left out: it has no name",
        "column 'x' numbers the rows; if it means nothing else, leave it out: --drop x",
    )
    with pytest.raises(
        DataError, match="no column can be used: column 'name' is left out: 40 different texts"
    ):
        load(f"csv:{tmp_path / 'a.csv'}", Options(columns="name"))


def test_columns_of_one_name_may_hold_the_same(tmp_path: Path) -> None:
    tables.write({"a": ["1", "2", "3"] * 9, "b": ["x", "y", "z"] * 9}, tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join(f"{line},{line.partition(',')[0]}" for line in text))
    assert load(f"csv:{tmp_path / 'a.csv'}").spec.columns == ("a", "b is x", "b is y", "b is z")


def test_new_rows_are_read_by_name(adult: str, tmp_path: Path) -> None:
    data = load(adult, Options(target="income"))
    new = {name: cells[:5] for name, cells in reversed(ADULT.items()) if name != "income"}
    new |= {
        "note": ["=1"] * 5,
        "sex": ["Male", "unknown", "", "Male", "Female"],
        "age": ["1e1", *new["age"][1:]],
    }
    tables.write(new, tmp_path / "new.csv")
    x, notes = read_inputs(TextTable.open("new", str(tmp_path / "new.csv")), data.spec)
    assert notes == ("unseen categories, encoded as none of the known ones: 'sex' in 2 rows",)
    expected = everything(data)[:5]
    sex = slice(data.spec.columns.index("sex is Female"), data.spec.columns.index("sex is Male") + 1)
    expected[:, sex] = [[0, 1], [0, 0], [0, 0], [0, 1], [1, 0]]
    expected[0, 0] = 10
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        (
            "age",
            "",
            r"column 'age', row 2 \(line 3\): the cell is empty; fill it in, or remove the row, or train",
        ),
        (
            "age",
            "old",
            r"column 'age', row 2 \(line 3\): 'old' is not a number; write a number, or remove the row$",
        ),
        (
            "hired",
            "soon",
            r"column 'hired', row 2 \(line 3\): 'soon' is not a date like 1970-01-01; write a date",
        ),
        ("wage", "", None),
    ],
)
def test_cells_of_new_rows(name: str, cell: str, said: str | None, adult: str, tmp_path: Path) -> None:
    spec = load(adult).spec
    new = {column: cells[:3] for column, cells in ADULT.items()}
    new[name] = [new[name][0], cell, new[name][2]]
    tables.write(new, tmp_path / "new.csv")
    table = TextTable.open("new", str(tmp_path / "new.csv"))
    if said is None:
        assert read_inputs(table, spec)[0].shape == (3, *spec.shape)
        return
    with pytest.raises(DataError, match=said):
        read_inputs(table, spec)


def test_a_single_new_row_is_enough(adult: str, tmp_path: Path) -> None:
    data = load(adult)
    path = tables.write({name: cells[:1] for name, cells in ADULT.items()}, tmp_path / "new.csv")
    rows = read(TextTable.open("new", path.removeprefix("csv:")), Options(), data.spec)
    np.testing.assert_array_equal(schema_of(data.spec).impute(rows.everything.x), everything(data)[:1])
    with pytest.raises(DataError, match="there is only one row"):
        load(path)


def test_classes_that_no_training_row_has(adult: str, tmp_path: Path) -> None:
    data = load(adult, Options(target="income"))
    new = tables.adult(50, seed=1)
    new["income"] = [f"{cell}." for cell in new["income"]]
    with pytest.raises(
        DataError, match=r"target column 'income' holds '<=50K.', '>50K.' in 50 rows, and the"
    ):
        load(tables.write(new, tmp_path / "new.csv"), Options(target="income"), data.spec)


def test_dates_of_two_meanings_are_noted(tmp_path: Path) -> None:
    days = [f"{1 + i % 12:02}/{1 + i % 9:02}/2020" for i in range(40)]
    data = load(tables.write({"day": days, "n": ["1", "2", "3", "5"] * 10}, tmp_path / "a.csv"))
    assert data.notes == (
        "column 'day': no date shows whether the day or the month is first; the day is taken to be",
    )
    assert schema_of(data.spec).columns[0].form == "%d/%m/%Y"
    data = load(tables.write({"day": [*days, "31/01/2020"], "n": ["1"] * 41}, tmp_path / "a.csv"))
    assert data.notes == ()


def test_formulas_are_words(tmp_path: Path) -> None:
    """As they are written, and as `escape` writes them."""
    words = ["=HYPERLINK(1)", "-high", "'+low"] * 5
    data = load(tables.write({"word": words, "n": [str(i) for i in range(15)]}, tmp_path / "a.csv"))
    assert data.spec.columns == ("word is +low", "word is -high", "word is =HYPERLINK(1)", "n")


def test_rising_whole_numbers_are_noted_as_ids(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids, size = np.cumsum(rng.integers(1, 9, 50)), rng.normal(size=50).round(3)
    lines = ["customer,level,size", *(f"{i},{i // 9},{s}" for i, s in zip(ids, size, strict=True))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert load(f"csv:{tmp_path / 'a.csv'}").notes == (
        "column 'customer' is a larger whole number in each row, as an id is; if it means nothing else, "
        "leave it out: --drop customer",
    )
