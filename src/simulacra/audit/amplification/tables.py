"""The two tables of `amplify`, counted: what a model was trained on, and its predictions.

Rows have an object (a verb, a job, whatever is predicted of somebody) and a group, as in Zhao et al. 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from simulacra.audit.shared.phrasing import shorten
from simulacra.audit.shared.rows import Sums
from simulacra.audit.shared.source import Field, Group, Source
from simulacra.errors import nearest

# a column with more different values does not hold objects
MOST_OBJECTS = 2000
OBJECT, GROUP = "object", "group"


@dataclass(frozen=True)
class Tables:
    """Counts of training data and predictions.

    Attributes:
        train: `object`, `group`, and how often (`n`) they occur together.
        preds: the same of the predictions, with `true object` and `true group` where they are known.
        groups: of the training data, most common first.
        names: `object` and `group` -> the column's name.
        predicted: which of the two were predicted.
    """

    train: pd.DataFrame
    preds: pd.DataFrame
    groups: tuple[str, ...]
    names: dict[str, str]
    predicted: frozenset[str]

    @property
    def n(self) -> int:
        """Rows of predictions."""
        return int(self.preds["n"].sum())

    def known(self, key: str) -> bool:
        """Whether the predictions' table has the truth too."""
        return f"true {key}" in self.preds


def read(train: Source, preds: Source, columns: dict[str, str], true: Mapping[str, str | None]) -> Tables:
    """Count two tables.

    Args:
        train: what the model was trained on.
        preds: its predictions.
        columns: of objects and groups, with the same names in both tables.
        true: columns of `preds` with the true objects and groups; None where they are unknown. The same
            column as in `columns`: it was not predicted.

    Raises:
        DataError: a column or a cell cannot be used, or the tables have nothing in common.
    """
    seen = _counts(train, columns)
    truth = {f"true {key}": name for key, name in true.items() if name is not None}
    said = _counts(preds, {**columns, **truth})
    groups = most_common(seen, GROUP)
    if len(groups) < 2:
        raise train.error(f"column '{columns[GROUP]}' holds one group only, '{groups[0]}'")
    objects = sorted(set(seen[OBJECT]))
    for key, column in {**columns, **truth}.items():
        if key.endswith(GROUP) and (lost := sorted(set(said[key]) - set(groups))):
            raise preds.error(
                f"column '{column}' holds '{lost[0]}', a group that {train.title} does not have, "
                f"{nearest(lost[0], groups)}; leave the cell empty where no group was predicted"
            )
        if key.endswith(OBJECT) and not set(objects) & set(said[key]):
            raise preds.error(f"column '{column}' holds no object of {train.title} ({shorten(objects, 5)})")
    predicted = frozenset(key for key in columns if true[key] != columns[key])
    return Tables(seen, said, tuple(groups), columns, predicted)


def _counts(source: Source, columns: Mapping[str, str]) -> pd.DataFrame:
    fields: dict[str, Field] = {
        key: Group(source.column(name), MOST_OBJECTS) if key.endswith(OBJECT) else source.group(name)
        for key, name in columns.items()
    }
    sums = Sums(list(columns))
    for part in source.read(fields):
        sums.add(part)
    return sums.rows().frame()


def most_common(counts: pd.DataFrame, key: str) -> list[str]:
    """The values of a column, most common first."""
    sizes = counts.groupby(key)["n"].sum().sort_values(ascending=False, kind="stable")
    return [str(name) for name in sizes.index]
