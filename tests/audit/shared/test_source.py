"""Tables read in parts: what is understood, and plain words for what is not."""

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from simulacra import limits
from simulacra.audit.shared import source as module
from simulacra.audit.shared.source import Source
from simulacra.errors import DataError

Write = Callable[[str], Source]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str) -> Source:
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return Source(tmp_path / "t.csv")

    return written


def read(source: Source, **texts: str) -> pd.DataFrame:
    return pd.concat(source.parts({name: source.condition(text) for name, text in texts.items()}))


@pytest.mark.parametrize(
    ("cells", "condition"),
    [
        ("1,0,1.0,0.0", "c"), ("yes,no,Y,n", "c"), ("True,false,t,F", "c"), ("a,b,c,d", "c=a,c"),
        ("5,4,5.5,-1", "c>=5"), ("6,5,5.5,-1", "c>5"), ("4,5,-2,9", "c<5"), ("5,6,5.0,9", "c <= 5"),
    ],
)  # fmt: skip
def test_conditions(write: Write, cells: str, condition: str) -> None:
    source = write("c\n" + cells.replace(",", "\n"))
    assert read(source, y=condition)["y"].tolist() == [True, False, True, False]


def test_a_column_may_be_called_like_a_condition(write: Write) -> None:
    assert read(write("a=b,x\n1,5\n0,6\n"), y="a=b")["y"].tolist() == [True, False]


def test_rows_without_a_value_are_left_out_and_counted(write: Write) -> None:
    source = write("g;y\na;1\n;1\nb;NA\nc;0\n")
    table = pd.concat(source.parts({"g": source.group("g"), "y": source.condition("y")}))
    assert table["g"].tolist() == ["a", "c"]
    assert table.index.tolist() == [1, 4]
    assert source.about() == {
        "table": source.title, "rows": 4, "rows left out": "2, without a value (g 1, y 1)",
    }  # fmt: skip
    numbers = write("x\n1\n?\n3\n")
    kept = pd.concat(numbers.parts({"x": numbers.number("x")}, drop=False))["x"]
    assert kept.isna().tolist() == [False, True, False]


def test_predictions_for_people_that_the_model_was_fitted_to_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("split,y\ntrain,1\ntest,0\nnew,1\nvalidation,0\ntest,\n")
    source = Source(tmp_path / "t.csv", predictions=True)
    assert read(source, y="y")["y"].to_dict() == {2: False, 3: True}
    assert source.about() == {
        "table": source.title, "rows": 5, "rows of the training or validation split, left out": "2",
        "rows left out": "1, without a value (y 1)",
    }  # fmt: skip
    # other tables, and comparisons of the splits, have all
    assert len(read(Source(tmp_path / "t.csv"), y="y")) == 4
    assert len(read(source, y="y", of="split=train")) == 4
    (tmp_path / "t.csv").write_text("split,y\ntrain,1\n")
    with pytest.raises(DataError, match="every row is of the training or validation split"):
        read(Source(tmp_path / "t.csv", predictions=True), y="y")


def test_text_that_is_no_formula_for_a_spreadsheet_is_as_it_was(write: Write) -> None:
    source = write("'=a,b\n'=HYPERLINK(1),1\nno,0\n")
    assert source.names == ["=a", "b"]
    table = pd.concat(source.parts({"g": source.group("=a")}))
    assert table["g"].tolist() == ["=HYPERLINK(1)", "no"]


def test_text_that_nobody_explained(write: Write) -> None:
    source = write("risk\n" + "Low\n" * 5 + "High\n" * 2 + "Medium\n" * 3)
    with pytest.raises(DataError) as error:
        read(source, y="risk")
    assert str(error.value).endswith(
        "column 'risk' holds 'Low' (5), 'Medium' (3), 'High' (2); say which of them is positive: 'risk=High'"
    )


@pytest.mark.parametrize(
    ("text", "condition", "said"),
    [
        ("risk\nLow\nHigh\n", "risk=Hihg", "column 'risk': no row holds 'Hihg', did you mean 'High'?"),
        ("risk,y\nLow,1\n", "rsik", "there is no column 'rsik', did you mean 'risk'?"),
        ("score\n3\nhigh\n", "score>=2", "column 'score', row 2: 'high' is not a number"),
        ("score;y\n3,5;1\n", "score>=2", "row 1: '3,5' is not a number; write a point, not a comma"),
        ("score\n1_0\n", "score>=2", "'1_0' is not a number"),
        ("score\n3\n", "score>=two", "'score>=two': what follows the sign must be a number"),
        ("a,b\n1,2\n1\n", "a", "row 2: 1 cells, but 2 columns"),
        ("a,b\n1,2,3\n", "a", "row 1: 3 cells, but 2 columns"),
        ('a,b\n1,"2\n3,4\n', "a", "cannot be cut into cells"),
        ("a,b\n", "a", "there are no rows to use"),
        ("a,b\n", "a=x", "there are no rows to use"),
        ("a,b\n,1\nNA,2\n", "a=x", "there are no rows to use; each of 2 lacks one of 'a'"),
        ("a,b\nz,1\nNA,2\n", "a=x", "no row holds 'x', choose from z"),
        ("a,b\n,1\n,2\n", "a", "there are no rows to use; each of 2 lacks one of 'a'"),
        ("a,b,a\n1,2,1\n1,2,0\n", "a", "columns 1 and 3 are both called 'a', and differ in row 2"),
    ],
)  # fmt: skip
def test_bad_tables(write: Write, text: str, condition: str, said: str) -> None:
    with pytest.raises(DataError) as error:
        read(write(text), y=condition)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_files(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for raw, said in (
        (b"", "is empty"), (b"PK\3\4...", "spreadsheet"), (b"a,b\n\xff,1\n", "not UTF-8"),
        (b"\xff\xfea\0", "UTF-16"),
    ):  # fmt: skip
        file.write_bytes(raw)
        with pytest.raises(DataError, match=said):
            Source(file)
    with pytest.raises(DataError, match="no such file"):
        Source(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        Source(tmp_path)
    # beyond what is looked at first
    file.write_bytes(b"a\n" + (b"0" * 1000 + b"1\n") * (module.HEAD // 1000) + b"\xff\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read(Source(file), y="a")


def test_columns_of_one_name_may_hold_the_same(write: Write) -> None:
    assert read(write("a,b,a\n1,2,1\n0,2,0\n"), y="a")["y"].tolist() == [True, False]


def test_scores_are_probabilities(write: Write) -> None:
    source = write("s\n0.5\n7\n")
    with pytest.raises(DataError, match=r"column 's', row 2: 7 is not a probability; a score lies"):
        list(source.parts({"s": source.probability("s")}))


def test_groups_are_few(write: Write) -> None:
    source = write("age\n" + "\n".join(map(str, range(60))))
    with pytest.raises(DataError, match="more than 50 different values"):
        list(source.parts({"g": source.group("age")}))
    with pytest.raises(DataError, match="named twice"):
        source.groups("age,age")


def test_quotes_and_byte_order_marks(write: Write) -> None:
    source = write('\ufeff"name, full",y\n"Doe, Jane",1\n"a\nb",0\n')
    assert source.names == ["name, full", "y"]
    table = pd.concat(source.parts({"g": source.group("name, full"), "y": source.condition("y")}))
    assert table["g"].tolist() == ["Doe, Jane", "a\nb"]


def test_memory_does_not_grow_with_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 2000)

    def peak(rows: int) -> int:
        with (tmp_path / "big.csv").open("w") as file:
            file.write("y,g,note\n")
            for i in range(rows):
                file.write(f"{i % 2},g{i % 3},{'x' * 60}{i}\n")
        source = Source(tmp_path / "big.csv")
        tracemalloc.start()
        n = sum(len(part) for part in source.parts({"y": source.condition("y"), "g": source.group("g")}))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n == rows
        return most

    # the second table is four times as long
    assert peak(8 * module.ROWS) < 1.2 * peak(2 * module.ROWS)


def test_what_is_too_large_is_refused(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=r"pipe\.csv: is a pipe, a device or a socket, not a file"):
        Source(pipe)
    source = write("a,b\n1,0\n" + "2" * 500 + ",1\n")
    monkeypatch.setattr(limits, "TABLE_LINE", 100)
    with pytest.raises(DataError, match="has a line of more than 100 letters, the limit"):
        list(source.read({"b": source.condition("b")}))
    monkeypatch.setattr(limits, "TABLE_COLUMNS", 1)
    with pytest.raises(DataError, match="has 2 columns, more than 1, the limit"):
        write("a,b\n1,0\n")
    monkeypatch.setattr(limits, "TABLE_BYTES", 5)
    with pytest.raises(DataError, match="is larger than 5 bytes, the limit"):
        write("a,b\n1,0\n")
