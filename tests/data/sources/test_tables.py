"""Tables: what stands in the file is what is loaded, and what cannot be used is named by column and row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulacra.data import Data, Options, load
from simulacra.data.spec import SPLITS, DataSpec
from simulacra.data.tables import rows
from simulacra.data.tables.reader import ROWS, TextTable
from simulacra.errors import DataError

RNG = np.random.default_rng(0)


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return f"csv:{path}"


def table(path: Path, target: str | None, text: str | bytes) -> Data:
    return load(write(path / "a.csv", text), Options(target=target))


def read_inputs(title: str, path: str, columns: list[str]) -> np.ndarray:
    spec = DataSpec("vector", (len(columns),), columns=tuple(columns))
    return rows.read_inputs(TextTable.open(title, path), spec)[0]


def lines(header: str, rows: Any) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def together(data: Data, what: str = "x") -> np.ndarray:
    """One array of every split, the splits one after the other."""
    return np.concatenate([getattr(data.split(split), what) for split in SPLITS])


def by_first(data: Data) -> dict[float, tuple[list[float], list[float]]]:
    """First number of x -> (x, target), whatever the split."""
    pairs = zip(together(data), together(data, "target"), strict=True)
    return {float(x[0]): (x.tolist(), t.tolist()) for x, t in pairs}


def class_of(data: Data) -> dict[float, str]:
    pairs = zip(together(data), together(data, "y"), strict=True)
    return {float(x[0]): data.spec.classes[y] for x, y in pairs}


def test_values_are_exact_and_rows_stay_together(tmp_path: Path) -> None:
    values = RNG.normal(size=(60, 4)) * 10.0 ** RNG.integers(-30, 30, (60, 4))
    data = table(tmp_path, "d,b", lines("a,b,c,d", values.tolist()))
    exact = values.astype(np.float32)
    assert data.spec.kind == "vector"
    assert data.spec.shape == (2,)
    assert data.spec.columns == ("a", "c")
    assert data.spec.target is not None
    assert data.spec.target.columns == ("d", "b")  # in the order of the option
    assert data.spec.target.shape == (2,)
    assert data.spec.classes == ()
    assert data.train.y is None
    assert data.train.x.dtype == np.float32
    assert data.train.x.flags.c_contiguous
    assert data.train.target is not None
    assert data.train.target.dtype == np.float32
    assert by_first(data) == {float(row[0]): (row[[0, 2]].tolist(), row[[3, 1]].tolist()) for row in exact}


def test_without_a_target_every_column_is_x(tmp_path: Path) -> None:
    data = table(tmp_path, None, lines("a,b", [(i, -i) for i in range(50)]))
    assert data.spec.columns == ("a", "b")
    assert data.spec.target is None
    assert data.train.target is None
    assert data.train.y is None
    assert sorted(together(data).tolist()) == [[i, -i] for i in range(50)]


PLAIN = lines("a,b,y", [(i, i / 4, i * i) for i in range(30)])


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " ,  ").replace("\n", " \n "),
        PLAIN.replace("\n", "\n\n  \n"),
        "\n\n" + PLAIN,
        PLAIN + ",,\n",
        PLAIN.removesuffix("\n"),
        '"' + PLAIN.strip().replace(",", '","').replace("\n", '"\n"') + '"',
        '"' + PLAIN.strip().replace(",", '" ; "').replace("\n", '" \n "') + '"',
    ],
)
def test_ways_to_write_a_table(text: str | bytes, tmp_path: Path) -> None:
    plain, other = table(tmp_path, "y", PLAIN), table(tmp_path, "y", text)
    assert plain.spec == other.spec
    for split in SPLITS:
        np.testing.assert_array_equal(plain.split(split).x, other.split(split).x)
        np.testing.assert_array_equal(plain.split(split).target, other.split(split).target)


def test_names_may_be_quoted_and_hold_separators(tmp_path: Path) -> None:
    text = lines('"height, cm","a ""b"" ",größe', [(i, 2 * i, 3 * i) for i in range(30)])
    assert table(tmp_path, '"height, cm",größe', text).spec.columns == ('a "b"',)
    assert table(tmp_path, "height, cm", text).spec.columns == ('a "b"', "größe")
    assert table(tmp_path, " größe ", text).spec.columns == ("height, cm", 'a "b"')
    semicolons = text.replace(",", ";").replace("height;", "height,")
    assert table(tmp_path, "größe", semicolons).spec.columns == ("height, cm", 'a "b"')


def test_rows_with_equal_x_are_in_one_split(tmp_path: Path) -> None:
    rows = [(zero, b, b / 7) for b in range(40) for zero in ("0", "-0", "0.0", "1e-99")]
    data = table(tmp_path, "y", lines("a,b,y", rows))
    held = [data.split(split).x[:, 1].tolist() for split in SPLITS]
    assert all(held)
    assert sum(len(set(part)) for part in held) == 40
    assert sum(map(len, held)) == 160


def test_a_target_of_text_is_classes(tmp_path: Path) -> None:
    rows = [(i, ("no", "yes", " maybe ")[i % 3]) for i in range(60)]
    data = table(tmp_path, "answer", lines("a,answer", rows))
    assert data.spec.classes == ("maybe", "no", "yes")
    assert data.spec.target is None
    assert data.train.target is None
    assert data.train.y is not None
    assert data.train.y.dtype == np.int64
    assert class_of(data) == {float(i): text.strip() for i, text in rows}


def test_few_whole_numbers_are_classes_too(tmp_path: Path) -> None:
    rows = [(i, ("10", "9", "9.0", "-1")[i % 4]) for i in range(80)]
    data = table(tmp_path, "y", lines("a,y", rows))
    assert data.spec.classes == ("-1", "9", "10")
    assert data.spec.target is not None
    assert data.spec.target.columns == ("y",)
    assert class_of(data) == {float(i): text.removesuffix(".0") for i, text in rows}
    assert by_first(data) == {float(i): ([i], [float(text)]) for i, text in rows}


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([i % 20 for i in range(80)], 20),
        ([i % 21 for i in range(80)], 0),
        ([i % 3 + 0.5 for i in range(80)], 0),
        ([i % 3 / 2 for i in range(80)], 0),
    ],
)
def test_other_numbers_are_no_classes(values: list[float], classes: int, tmp_path: Path) -> None:
    data = table(tmp_path, "y", lines("a,y", enumerate(values)))
    assert len(data.spec.classes) == classes
    assert (data.train.y is not None) == (classes > 0)
    assert by_first(data) == {float(i): ([i], [value]) for i, value in enumerate(values)}


def test_several_targets_are_no_classes(tmp_path: Path) -> None:
    data = table(tmp_path, "y,z", lines("a,y,z", [(i, i % 2, i % 3) for i in range(50)]))
    assert data.spec.classes == ()
    assert data.train.y is None


def test_twenty_texts_are_classes(tmp_path: Path) -> None:
    data = table(tmp_path, "y", lines("a,y", [(i, f"t{i % 20}") for i in range(80)]))
    assert len(data.spec.classes) == 20
    # numbers among few texts are texts
    data = table(tmp_path, "y", lines("a,y", [(i, ("1", "2", "3+")[i % 3]) for i in range(80)]))
    assert data.spec.classes == ("1", "2", "3+")
    assert data.spec.target is None


def test_a_constant_feature_is_no_error(tmp_path: Path) -> None:
    data = table(tmp_path, "y", lines("a,b,y", [(i, 7, -i) for i in range(50)]))
    assert (data.train.x[:, 1] == 7).all()


def test_more_rows_than_are_parsed_at_a_time(tmp_path: Path) -> None:
    n = 2 * ROWS + 5
    rows = [[i, i + 0.5, -i] for i in range(n)]
    data = table(tmp_path, "y", lines("a,b,y", rows))
    assert by_first(data) == {float(i): ([i, i + 0.5], [-i]) for i in range(n)}
    rows[n - 2][1] = "oops"
    with pytest.raises(DataError, match=rf"column 'b', row {n - 1} \(line {n}\): 'oops' is not a number"):
        table(tmp_path, "y", lines("a,b,y", rows))


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = 'note,a,b\n\n"two\nlines",1,2\n\n\n1,"x",3\n'
    write(tmp_path / "a.csv", text)
    with pytest.raises(DataError, match=r"column 'a', row 2 \(line 7\): 'x' is not a number"):
        read_inputs("t", str(tmp_path / "a.csv"), ["a", "b"])
    with pytest.raises(DataError, match=r"column 'note', row 1 \(line 3\): 'two\?lines' is not a number"):
        read_inputs("t", str(tmp_path / "a.csv"), ["note"])


def test_the_largest_numbers(tmp_path: Path) -> None:
    largest = float(np.finfo(np.float32).max)
    rows = [(i, largest, 3.4028235e38, -largest) for i in range(30)]
    data = table(tmp_path, None, lines("a,b,c,d", rows))
    assert (np.abs(data.train.x[:, 1:]) == largest).all()
    with pytest.raises(DataError, match=r"column 'b', row 2 \(line 3\): '3\.4028236e38' is too large"):
        table(tmp_path, None, lines("a,b", [(0, largest), (1, "3.4028236e38")]))


def test_faults_of_all_columns_are_reported_at_once(tmp_path: Path) -> None:
    rows: list[list[Any]] = [[i, i, i, i, i, i] for i in range(40)]
    rows[4][1] = rows[9][1] = "one"
    rows[9][2] = "two"
    rows[20][0] = 1e300
    with pytest.raises(
        DataError,
        match=r"column 'a', row 21 \(line 22\): '1e\+300' is too large, .*; "
        r"column 'b', row 5 \(line 6\): 'one' is not a number; "
        r"column 'c', row 10 \(line 11\): 'two' is not a number; correct them, or remove the row, or leave "
        r"out the column: --drop a,b,c \(4 such cells in 3 columns\)$",
    ):
        table(tmp_path, "d", lines("a,b,c,d,e,f", rows))
    rows[9][3] = "three"
    with pytest.raises(DataError, match=r"; and 1 more columns; .* \(5 such cells in 4 columns\)$"):
        table(tmp_path, "d", lines("a,b,c,d,e,f", rows))


def test_the_header_alone_may_lack_in_inputs(tmp_path: Path) -> None:
    """What the named columns hold is all that counts."""
    write(tmp_path / "new.csv", ',a,note,b,note\n0,1,"x, y",2.5,\n1,-0,NA,1e3,\n')
    x = read_inputs("new rows", str(tmp_path / "new.csv"), ["b", "a"])
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert x.tolist() == [[2.5, 1.0], [1000.0, 0.0]]


def test_inputs_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    values = RNG.normal(size=(ROWS + 9, 3))
    write(tmp_path / "new.csv", lines("a,b,c", values.tolist()).encode("utf-8-sig"))
    x = read_inputs("t", str(tmp_path / "new.csv"), ["c", "a"])
    np.testing.assert_array_equal(x, values[:, [2, 0]].astype(np.float32))
    write(tmp_path / "one.csv", "a\n3\n")
    assert read_inputs("t", str(tmp_path / "one.csv"), ["a"]).tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("a,b\n1,2\n", ["a", "c"], "there is no column 'c', choose from a, b"),
        ("age,b\n1,2\n", ["agee"], "there is no column 'agee', did you mean 'age'?"),
        ("a,b\n1,2\n", ["c", "a", "d"], "there are no columns 'c', 'd'; choose from a, b"),
        ("a,b\n1,2\n1,?\n", ["b"], "column 'b', row 2 (line 3): the value is missing ('?')"),
        ("a,b\n1,2\n1,x\n", ["b"], "column 'b', row 2 (line 3): 'x' is not a number"),
        ("a,b\n1,2\n1,2,3\n", ["b"], "row 2 (line 3): 3 cells, but 'b' is the last of 2 columns"),
        ("a,b,b\n1,2,3\n", ["b"], "columns 2 and 3 have the same name, 'b' (line 1)"),
        ("1,2\n3,4\n", ["1"], "the first line must name the columns"),
        ("a,b\n", ["b"], "there are no rows"),
        ("", ["b"], "the file is empty"),
        ("a,b\n1,2\n3,4\n1,\n", ["b"], "column 'b', row 3 (line 4): the cell is empty; fill it in, or"),
        ("\n".join(["a,b", "1,2", '3,"4']), ["b"], "line 3: a cell's quotes"),
        (",".join(f"c{i}" for i in range(500)) + "\n" + ",".join("1" * 500), ["z"], "and 480 more"),
    ],
)
def test_bad_inputs(text: str, columns: list[str], said: str, tmp_path: Path) -> None:
    write(tmp_path / "new.csv", text)
    with pytest.raises(DataError) as caught:
        read_inputs("new rows", str(tmp_path / "new.csv"), columns)
    assert str(caught.value).startswith("new rows: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_no_advice_to_remove_a_column_that_is_needed(tmp_path: Path) -> None:
    text = lines("a,b,y", [(i, i if i else "x", i) for i in range(30)])
    with pytest.raises(DataError, match=r"or remove the row, or leave out the column: --drop b$"):
        table(tmp_path, "y", text)
    with pytest.raises(DataError, match=r"is not a number; write a number, or remove the row$"):
        table(tmp_path, "b", text)
    with pytest.raises(DataError, match=r"or remove the row; only a single target may be text$"):
        table(tmp_path, "y,b", text)
    with pytest.raises(DataError, match=r"remove the row$"):
        read_inputs("t", str(tmp_path / "a.csv"), ["a", "b"])


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(13, "Permission denied")

    source = write(tmp_path / "a.csv", PLAIN)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.csv: cannot be read \(Permission denied\)"):
        load(source)


def test_tables_are_found_below_simulacra_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.csv", PLAIN)
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))
    assert load("csv:a.csv").spec.columns == ("a", "b", "y")
    assert read_inputs("t", "a.csv", ["y"]).shape == (30, 1)
