"""Tables as files: CSV, which no spreadsheet takes for formulas, and Parquet with types."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from simulacra.data.tables.parquet import pyarrow
from simulacra.data.tables.schema import Column, Schema
from simulacra.data.tables.text import escape
from simulacra.files import replacing

# the endings of the files
SUFFIXES = (".csv", ".parquet")
BOOLEANS = {"True": True, "False": False, "true": True, "false": False}


def write_table(
    columns: Mapping[str, Sequence[object]], out: Path, schema: Schema | None = None, overwrite: bool = True
) -> None:
    """Write columns as a file of a table, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table({"n": [1.5, -2], "word": ["a,b", "=1+1"]}, Path(folder, "a.csv"))
    ...     print(Path(folder, "a.csv").read_text())
    n,word
    1.5,"a,b"
    -2,'=1+1
    <BLANKLINE>

    Args:
        columns: name -> the cells: of CSV any values, of Parquet text, which its schema describes.
        out: a file that ends in `.csv` or `.parquet`.
        schema: of the columns, which become numbers, dates, booleans and text in Parquet.
        overwrite: whether a file that is there is replaced.

    Raises:
        DataError: Parquet without pyarrow.
        RunError: the file cannot be written, or is there and stays.
    """
    if out.suffix == ".parquet":
        arrow = pyarrow(str(out))
        kinds = {} if schema is None else {column.name: column for column in schema.columns}
        table = arrow.table({name: _typed(cells, kinds.get(name)) for name, cells in columns.items()})
        with replacing(out, overwrite) as file:
            arrow.parquet.write_table(table, file)
        return
    with replacing(out, overwrite) as file, file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([escape(name) for name in columns])
        rows = zip(*columns.values(), strict=True)
        writer.writerows([escape(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def _typed(cells: Sequence[Any], column: Column | None) -> list[object]:
    """Text as the values of a column; None where a cell is missing."""
    if column is None:
        return list(cells)
    if column.kind == "category":
        # booleans are words in a schema
        words = BOOLEANS if set(column.categories) <= {*BOOLEANS, ""} else {}
        return [words.get(cell, cell) if cell else None for cell in cells]
    if column.kind == "date":
        dates = [datetime.strptime(cell, column.form) if cell else None for cell in cells]
        return [date.date() if date and "%H" not in column.form else date for date in dates]
    numbers = [float(cell) if cell else None for cell in cells]
    whole = not column.decimals and all(n is None or abs(n) < 2**63 for n in numbers)
    return [None if n is None else int(n) for n in numbers] if whole else list(numbers)
