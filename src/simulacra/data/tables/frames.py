"""pandas DataFrames as tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulacra.data.tables.cells import MIDNIGHT, Cells, as_words
from simulacra.data.tables.reader import Table, all_numbers

# kinds of numbers in numpy's letters
NUMBERS = "iuf"


def is_frame(data: Any) -> bool:
    """Whether data is a DataFrame; pandas need not be installed."""
    return hasattr(data, "columns") and hasattr(data, "dtypes") and hasattr(data, "iloc")


@dataclass(frozen=True)
class FrameTable(Table):
    """The columns of a DataFrame, with text as in the CSV that pandas writes.

    >>> import pandas as pd
    >>> table = FrameTable.of(pd.DataFrame({"n": [1, None], "sex": ["f", "m"]}))
    >>> table.read(["n", "sex"])
    {'n': array([ 1., nan]), 'sex': ['f', 'm']}

    Attributes:
        frame: of pandas.
    """

    frame: Any

    @classmethod
    def of(cls, frame: Any, title: str = "data") -> FrameTable:
        """The table of a DataFrame; its index is no column."""
        return cls(title, [str(name) for name in frame.columns], frame)

    def read(self, columns: Sequence[str], words: Collection[str] = ()) -> dict[str, Cells]:
        if not len(self.frame):
            raise self.error("there are no rows; add some")
        read: dict[str, Cells] = {}
        for name in columns:
            series = self.frame.iloc[:, self.names.index(name)]
            # of pandas' own dtypes, which have missing integers, too
            if getattr(series.dtype, "kind", "O") in NUMBERS:
                numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
                read[name] = as_words(numbers) if name in words else numbers
                continue
            cells = self.cells(name)
            if name in words:
                read[name] = as_words(cells)
                continue
            parsed = all_numbers(cells)
            read[name] = self.as_numbers(name, as_words(cells)) if parsed is None else parsed
        return read

    @property
    def categorical(self) -> list[str]:
        return [
            name
            for name, dtype in zip(self.names, self.frame.dtypes, strict=True)
            if str(dtype) == "category"
        ]

    def cells_at(self, place: int) -> list[str]:
        series = self.frame.iloc[:, place]
        lacking = series.isna()
        cells = ["" if lost else str(value).strip() for value, lost in zip(series, lacking, strict=True)]
        dates = getattr(series.dtype, "kind", "O") == "M" and all(
            not c or c.endswith(MIDNIGHT) for c in cells
        )
        return [cell.removesuffix(MIDNIGHT) for cell in cells] if dates else cells
