"""Random rows of a table, for what needs them all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from simulacra.audit.shared.source import Field, Source
from simulacra.data.tables.text import MISSING

# rows of a table that are drawn at random
SAMPLE = 20_000


def sampled(
    source: Source, fields: Mapping[str, Field], most: int = SAMPLE, drop: bool = True, shuffle: bool = False
) -> pd.DataFrame:
    """At most so many random rows, in the order of the table; the index counts from 1.

    Args:
        source: the table.
        fields: as in `Source.parts`.
        most: rows; every row is as likely to be among them.
        drop: as in `Source.parts`.
        shuffle: in random order instead.

    Raises:
        DataError: as in `Source.parts`.
    """
    rng = np.random.default_rng(0)
    kept, order = pd.DataFrame(), np.empty(0)
    for part in source.parts(fields, drop):
        kept = pd.concat([kept, part]) if len(kept) else part
        order = np.concatenate([order, rng.random(len(part))])
        if len(kept) > most:
            chosen = np.sort(np.argpartition(order, most)[:most])
            kept, order = kept.iloc[chosen], order[chosen]
    return kept.iloc[np.argsort(order)] if shuffle else kept


class Loose(Field):
    """Numbers, whatever else the column holds: NaN for the rest.

    Attributes:
        odd: the first cell that is neither a number nor missing.
    """

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.odd: str | None = None

    def read(self, cells: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        if self.odd is not None:
            return np.full(len(cells), np.nan), np.ones(len(cells), dtype=bool)
        values = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(dtype=np.float64)
        values = np.where(np.isfinite(values), values, np.nan)
        lacks = np.isnan(values)
        self.odd = next(
            (c for c, no in zip(cells, lacks, strict=True) if no and c.casefold() not in MISSING), None
        )
        return values, lacks
