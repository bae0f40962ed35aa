"""Rows of a table as columns of NumPy, and sums of them by group, without pandas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


class Rows:
    """Columns of the same length; `index` has the number of each row in its table, which counts from 1.

    >>> rows = Rows({"g": np.array(["a", "b", "a"], dtype=object), "x": np.arange(3)})
    >>> len(rows), rows.where(rows["g"] == "a")["x"].tolist()
    (3, [0, 2])
    """

    def __init__(self, columns: Mapping[str, np.ndarray], index: np.ndarray | None = None) -> None:
        self.columns = dict(columns)
        n = len(next(iter(self.columns.values()))) if self.columns else 0
        self.index = np.arange(1, n + 1) if index is None else index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __setitem__(self, name: str, values: np.ndarray) -> None:
        self.columns[name] = values

    def where(self, use: Any) -> Rows:
        """The rows that a mask `(N,)` or a slice chooses."""
        return Rows({name: values[use] for name, values in self.columns.items()}, self.index[use])

    def frame(self) -> pd.DataFrame:
        """The same for pandas, which has to be there."""
        import pandas as pd

        return pd.DataFrame(self.columns, index=self.index)


class Sums:
    """Sums of numbers for every combination of keys that occurs, over the parts of a table.

    What is kept does not grow with the table.

    >>> sums = Sums(["g"], ["x"])
    >>> for g, x in ((["b", "a", "b"], [1, 2, 3]), (["a"], [4])):
    ...     sums.add({"g": np.array(g, dtype=object), "x": np.array(x)})
    >>> rows = sums.rows()
    >>> rows["g"].tolist(), rows["x"].tolist(), rows["n"].tolist()
    (['a', 'b'], [6.0, 4.0], [2, 2])

    Args:
        keys: columns that are combined.
        numbers: columns that are summed; rows are counted as `n` besides.
    """

    def __init__(self, keys: Sequence[str], numbers: Sequence[str] = ()) -> None:
        self.keys, self.numbers = list(keys), list(numbers)
        self._kinds: list[Any] = []
        self._sums: dict[tuple[Any, ...], np.ndarray] = {}

    def add(self, part: Any) -> None:
        """Add rows: something that gives a column `(N,)` for each key and number."""
        columns = [np.asarray(part[key]) for key in self.keys]
        if not len(columns[0]):
            return
        self._kinds = [column.dtype for column in columns]
        levels, codes = zip(*(np.unique(column, return_inverse=True) for column in columns), strict=True)
        sizes = tuple(len(level) for level in levels)
        cells, place = np.unique(np.ravel_multi_index(codes, sizes), return_inverse=True)
        sums = [np.bincount(place, np.asarray(part[name], float), len(cells)) for name in self.numbers]
        table = np.stack([*sums, np.bincount(place, minlength=len(cells)).astype(float)], axis=1)
        for row, *where in zip(table, *np.unravel_index(cells, sizes), strict=True):
            key = tuple(level[i] for level, i in zip(levels, where, strict=True))
            self._sums[key] = self._sums.get(key, 0.0) + row

    def rows(self) -> Rows:
        """A row for each combination, in their order: keys, sums, and how many rows as `n`, int."""
        found = sorted(self._sums)
        columns = {
            key: np.array([each[i] for each in found], dtype=kind)
            for i, (key, kind) in enumerate(zip(self.keys, self._kinds, strict=False))
        }
        table = np.array([self._sums[key] for key in found]).reshape(len(found), len(self.numbers) + 1)
        columns |= dict(zip(self.numbers, table.T, strict=False))
        return Rows(columns | {"n": np.rint(table[:, -1]).astype(int)})
