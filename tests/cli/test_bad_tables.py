"""Tables as people really have them: what is wrong is said plainly, and nothing of theirs is harmed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulacra.cli.main import main

Capture = pytest.CaptureFixture[str]

ROWS = [[str(i), f"{i}.5", str(3 * i)] for i in range(1, 31)]


def table(*changes: tuple[int, int, str], header: str = "age,size,y", separator: str = ",") -> str:
    """30 rows of three columns; changes are (row from 1, column from 0, what stands there)."""
    rows = [list(row) for row in ROWS]
    for row, column, cell in changes:
        rows[row - 1][column] = cell
    return "\n".join([header.replace(",", separator), *map(separator.join, rows)]) + "\n"


def column(values: list[str]) -> str:
    return "age,y\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values))


# name -> (the file, --target, all that has to be said)
BAD: dict[str, tuple[str | bytes, str | None, list[str]]] = {
    "text": (
        table((3, 0, "Oslo")),
        "y",
        ["column 'age', row 3 (line 4): 'Oslo' is not a number; write a number"],
    ),
    "a number with a unit": (
        table((3, 1, "5 cm")),
        "y",
        ["column 'size', row 3 (line 4): '5 cm' is not a number"],
    ),
    "a number of Python": (
        table((3, 1, "1_000")),
        "y",
        ["column 'size', row 3 (line 4): '1_000' is not a number"],
    ),
    "decimal commas": (
        table((3, 1, "3,14"), separator=";"),
        "y",
        ["column 'size', row 3 (line 4): '3,14' is not a number", "write decimals with a point"],
    ),
    "decimal commas in the target": (
        "age,y\n" + "".join(f'{i},"{i % 3},5"\n' for i in range(30)),
        "y",
        ["column 'y', row 1 (line 2): '0,5' is not a number", "write decimals with a point", "(30 such"],
    ),
    "thousands": (
        table((3, 1, '"1,23,567"')),
        "y",
        ["column 'size', row 3 (line 4): '1,23,567' is not a number", "thousands without a comma"],
    ),
    "a typing error in the target": (
        table((3, 2, "1O")),
        "y",
        ["column 'y', row 3 (line 4): '1O' is not a number; write a number, or remove the row"],
    ),
    "text in one of two targets": (
        table((3, 2, "high")),
        "size,y",
        ["column 'y', row 3 (line 4): 'high' is not a number", "only a single target may be text"],
    ),
    "text in two targets": (
        table(*((i, 1, "ab"[i % 2]) for i in range(1, 31))),
        "y,size",
        ["column 'size', row 1 (line 2): 'b' is not a number", "only a single target may be text (30 such"],
    ),
    "no value of the target": (
        column(["?"] * 9),
        "y",
        ["no row can be used: 9 rows are left out: no value of 'y'"],
    ),
    "infinity": (table((3, 1, "-Inf")), "y", ["column 'size', row 3 (line 4): '-Inf' is infinite"]),
    "infinity in the target": (table((3, 2, "inf")), "y", ["column 'y', row 3 (line 4): 'inf' is infinite"]),
    "too large": (table((3, 1, "1e300")), "y", ["column 'size', row 3 (line 4): '1e300' is too large"]),
    "too large for a double": (table((3, 1, "1e999")), "y", ["column 'size', row 3 (line 4)", "too large"]),
    "too large a target": (table((3, 2, "4e38")), "y", ["column 'y', row 3 (line 4): '4e38' is too large"]),
    "a constant target": (
        column(["7", "7.0", "7"]),
        "y",
        ["target column 'y' is 7 in every row", "nothing to"],
    ),
    "a constant of two targets": (
        table(*((i, 1, "0.5") for i in range(1, 31))),
        "y,size",
        ["target column 'size' is 0.5 in every row", "nothing to learn"],
    ),
    "one class": (column(["a"] * 9), "y", ["target column 'y' is 'a' in every row", "nothing to learn"]),
    "21 classes": (
        column([f"t{i}" for i in range(21)]),
        "y",
        ["column 'y' holds 21 different texts ('t0', 't1'"],
    ),
    "one row": ("age,y\n1,2\n", "y", ["only one row"]),
    "no rows": ("age,y\n", "y", ["no rows below the column names"]),
    "no header": (
        "1,2\n3,4\n",
        "y",
        ["the first line must name the columns, but it holds only numbers, 1, 2 (line 1)"],
    ),
    "no header, a value missing": ("1,NA\n3,4\n", "y", ["the first line must name the columns"]),
    "no header, a class": (
        "5.1,3.5,setosa\n4.9,3.0,setosa\n",
        "species",
        ["no target column 'species'", "does the file lack a line of column names?"],
    ),
    "a name twice": (table(header="age,y,y"), "y", ["columns 2 and 3 have the same name, 'y' (line 1)"]),
    "a feature's name twice": ("\n" + table(header="age,age,y"), "y", ["columns 1 and 2", "'age' (line 2)"]),
    "too many cells": (
        table((3, 1, "3,14"), (9, 1, "1,1")),
        "y",
        [
            "row 3 (line 4): 4 cells, but 'y' is the last of 3 columns",
            "contains a ',' in quotes",
            "(2 such rows)",
        ],
    ),
    "too many cells between tabs": (
        table((3, 1, "3\t14"), separator="\t"),
        "y",
        ["row 3 (line 4): 4 cells", "put a cell that contains a tab in quotes"],
    ),
    "too few cells": (
        table().replace("\n3,3.5,9\n", "\n3,3.5\n"),
        "y",
        ["row 3 (line 4): 2 of 3 cells, none for column 'y'"],
    ),
    "a target that is not there": (table(), "yy", ["no target column 'yy', did you mean 'y'?"]),
    "targets that are not there": (
        table(),
        "a,b,y",
        ["target columns 'a', 'b'; choose from age, size, y"],
    ),
    "a target twice": (table(), "y,size,y", ["'y,size,y' names column 'y' twice"]),
    "every column a target": (table(), "y,size,age", ["every column is a target"]),
    "an empty name for target": (table(), "y,,age", ["the target 'y,,age' is not a list of columns"]),
    "no name for target": (table(), "", ["the target '' is not a list of columns"]),
    "an open quote for target": (table(), '"y', ["is not a list of columns"]),
    "spaces between cells": (
        "a y\n1 2\n3 4\n",
        "y",
        ["no target column 'y'", "cells are separated by a comma"],
    ),
    "a quote left open": (table((3, 1, '"3')), "y", ["line 4: a cell's quotes", "do not match"]),
    "a quote inside a cell": (table((3, 1, '"3" cm"')), "y", ["line 4: a cell's quotes", "do not match"]),
    "a letter a terminal cannot show": (
        table((3, 1, "\x1b[2J")),
        "y",
        ["column 'size', row 3 (line 4): '?[2J' is not a number"],
    ),
    "a whole page in a cell": (
        table((3, 1, '"' + "page\n" * 999 + '"')),
        "y",
        ["column 'size', row 3 (line 4): 'page?page?", "...' is not a number"],
    ),
    "an empty file": (b"", "y", ["the file is empty"]),
    "blank lines only": (b"\xef\xbb\xbf\r\n  \r\n", "y", ["the file is empty"]),
    "Latin-1": (
        table((3, 1, "größe")).encode("latin-1"),
        "y",
        ["not UTF-8 text (see line 4)", "save it again"],
    ),
    "UTF-16": (table().encode("utf-16"), "y", ["UTF-16 text; save it again as UTF-8"]),
    "a zero byte": (table((3, 1, "3\0")), "y", ["a zero byte in line 4"]),
    "a image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "y", ["not text"]),
    "a spreadsheet": (b"PK\x03\x04\x14\0\x06\0", "y", ["spreadsheet", "save the sheet as CSV"]),
}


@pytest.mark.parametrize(("text", "target", "said"), BAD.values(), ids=BAD.keys())
def test_refused_in_plain_words(
    text: str | bytes, target: str | None, said: list[str], tmp_path: Path, capsys: Capture
) -> None:
    raw = text.encode() if isinstance(text, str) else text
    path = tmp_path / "bad.csv"
    path.write_bytes(raw)
    code = main(["data", "check", f"csv:{path}", *(["--target", target] if target is not None else [])])
    out, err = capsys.readouterr()
    assert code == 1
    assert out == ""
    assert err.startswith(f"simulacra: csv:{path}: ")
    assert all(words in err for words in said), err
    assert len(err.splitlines()) <= 2
    assert len(err) < 400
    assert err.strip().isprintable()
    assert path.read_bytes() == raw
    assert list(tmp_path.iterdir()) == [path]


def test_no_file(tmp_path: Path, capsys: Capture) -> None:
    for source, said in [
        (f"csv:{tmp_path / 'no.csv'}", "there is no file"),
        (f"csv:{tmp_path}", "is a folder"),
        ("csv", "there is no file ''; write csv:PATH"),
    ]:
        assert main(["data", "check", source]) == 1
        assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_target_for_what_has_none(tmp_path: Path, capsys: Capture) -> None:
    for source in ("digits", "iris"):
        assert main(["data", "check", source, "--target", "y"]) == 1
        assert "--target does not apply here; only faces" in capsys.readouterr().err
    assert main(["data", "preview", "digits", "--target", "y", "--out", str(tmp_path / "a.png")]) == 1
    assert "--target does not apply here" in capsys.readouterr().err


def test_a_sound_table(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "good.csv"
    path.write_text("age,one,kind\n" + "".join(f"{i},1,{'ab'[i % 2]}\n" for i in range(40)))
    assert main(["data", "check", f"csv:{path}", "--target", "kind"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "note: the same value in every example: column one" in out
    assert "vectors of 2 numbers" in out
    assert "  age     number                      0 to 39" in out
    assert "  kind    category (target)           2: a, b" in out
    assert "classes: a 20, b 20" in out
    assert not any(line.startswith("target") for line in out)
    assert out[-1] == f"csv:{path}: 40 of 40 can be used: ok"
    path.write_text("age,y,z\n" + "".join(f"{i},{i / 2},{-i}\n" for i in range(40)))
    assert main(["data", "check", f"csv:{path}", "--target", "z,y"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert "vectors of 1 number" in out
    assert "target: z, y (numbers)" in out


def test_a_table_as_json(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "good.csv"
    path.write_text(table())
    assert main(["data", "check", f"csv:{path}", "--target", "y", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["columns"] == ["age", "size"]
    assert report["target"]["columns"] == ["y"]
    assert (report["target"]["kind"], report["target"]["shape"]) == ("vector", [1])
    assert main(["data", "check", "digits", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["columns"] == []
    assert report["target"] is None
