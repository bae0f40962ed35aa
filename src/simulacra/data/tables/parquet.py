"""Tables in Apache Parquet, as pandas writes them; needs pyarrow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulacra import limits
from simulacra.data.paths import find
from simulacra.data.tables.cells import MIDNIGHT, Cells, as_words
from simulacra.data.tables.reader import Table, all_numbers, check_columns
from simulacra.data.tables.schema import as_option
from simulacra.errors import DataError, LimitError


def pyarrow(title: str) -> Any:
    """The library.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise DataError(f"{title}: Parquet needs pyarrow; pip install 'simulacra[parquet]'") from None
    return pyarrow


def _check_size(title: str, about: Any) -> None:
    """Refuse a table that does not fit in memory, as far as the description in the file tells it.

    Raises:
        DataError: it has too many columns.
        LimitError: it does not fit.
    """
    check_columns(title, about.num_columns)
    groups = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    # a dictionary makes a column of any length of a few bytes
    needed = max(groups, 8 * about.num_rows * about.num_columns)
    limits.check_memory(
        needed, f"{about.num_rows:,} rows of {about.num_columns:,} columns", "use a part of it"
    )


@dataclass(frozen=True)
class ParquetTable(Table):
    """The columns of a Parquet file: categories and booleans are text, dates are written in ISO's form.

    Attributes:
        table: of pyarrow.
    """

    table: Any

    @classmethod
    def open(cls, title: str, path: str) -> ParquetTable:
        """Read a file, found as `simulacra.data.paths.find` does.

        Raises:
            DataError: it is missing or no Parquet, or pyarrow is not installed.
        """
        place = find(path)
        if not path or not place.exists():
            raise DataError(f"{title}: there is no file '{path}'; write parquet:PATH with the file")
        arrow = pyarrow(title)
        try:
            with limits.open_regular(place, limits.TABLE_BYTES) as file:
                opened = arrow.parquet.ParquetFile(file)
                _check_size(title, opened.metadata)
                table = opened.read()
        except LimitError as error:
            raise DataError(f"{title}: {error}") from error
        # a damaged or hostile file gives errors of many types
        except (arrow.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{title}: cannot be read as Parquet ({reason})") from error
        # the index of a DataFrame is no column
        index = {name for name in table.column_names if name.startswith("__index_level_")}
        table = table.drop_columns(sorted(index))
        return cls(title, table.column_names, table)

    def read(self, columns: Sequence[str], words: Collection[str] = ()) -> dict[str, Cells]:
        if not self.table.num_rows:
            raise self.error("there are no rows; add some")
        read: dict[str, Cells] = {}
        nested = {}
        for name in columns:
            column = self.table.column(self.names.index(name))
            kinds = pyarrow(self.title).types
            if kinds.is_nested(column.type) or kinds.is_binary(column.type):
                nested[name] = str(column.type)
            elif kinds.is_integer(column.type) or kinds.is_floating(column.type):
                numbers = column.to_numpy().astype(np.float64)
                read[name] = as_words(numbers) if name in words else numbers
            else:
                cells = self.cells(name)
                if name in words:
                    read[name] = as_words(cells)
                    continue
                numbers = all_numbers(cells)
                read[name] = self.as_numbers(name, as_words(cells)) if numbers is None else numbers
        if nested:
            held = ", ".join(f"'{name}' ({kind})" for name, kind in nested.items())
            raise self.error(f"columns of other kinds: {held}; leave them out: --drop {as_option(nested)}")
        return read

    @property
    def categorical(self) -> list[str]:
        # codes that are numbers lose their type in the file, but not in what pandas writes beside it
        about = (self.table.schema.pandas_metadata or {}).get("columns", [])
        named = {column["name"] for column in about if column["pandas_type"] == "categorical"}
        types = pyarrow(self.title).types
        return [f.name for f in self.table.schema if f.name in named or types.is_dictionary(f.type)]

    def cells_at(self, place: int) -> list[str]:
        arrow = pyarrow(self.title)
        column = self.table.column(place)
        if arrow.types.is_timestamp(column.type):
            column = column.cast(arrow.timestamp("s"), safe=False)
        kinds = arrow.types
        # booleans as in a CSV of pandas, and what has no text of its own
        if kinds.is_boolean(column.type) or kinds.is_nested(column.type) or kinds.is_binary(column.type):
            return ["" if value is None else str(value) for value in column.to_pylist()]
        cells = ["" if cell is None else cell.strip() for cell in column.cast(arrow.string()).to_pylist()]
        dates = arrow.types.is_timestamp(column.type) and all(not c or c.endswith(MIDNIGHT) for c in cells)
        return [cell.removesuffix(MIDNIGHT) for cell in cells] if dates else cells
