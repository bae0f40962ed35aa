"""Attributes as classes: the columns `race=Asian`, `race=Black`, ... as `race`; `glasses`; `age>=60`."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulacra.data.spec import SPLITS, Data
from simulacra.data.tables.text import MOST_CATEGORIES
from simulacra.errors import DataError, nearest

# sign -> comparison, opposite sign
SIGNS = {
    ">=": (operator.ge, "<"),
    "<=": (operator.le, ">"),
    ">": (operator.gt, "<="),
    "<": (operator.lt, ">="),
}
# the name of the classes that the data have already
CLASS = "class"


def classes(
    title: str, names: Sequence[str], values: np.ndarray | None, attribute: str
) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names, and the class of every example, int64 `(N,)`.

    `race` takes the columns `race=...`, one of which is 1 in every row; a column of zeros and ones gives
    the classes `without NAME` and `NAME`, another with at most 20 different values `NAME=VALUE`;
    `NAME>=NUMBER` (also `>`, `<`, `<=`) compares any column.

    >>> classes("faces", ["age", "glasses"], np.array([[20, 1], [70, 0]], np.float32), "age>=60")
    (('age<60', 'age>=60'), array([0, 1]))

    Args:
        title: the name of the data in messages.
        names: of the attributes, one per column.
        values: float32 `(N, A)`, or None without attributes.
        attribute: the attribute, or a comparison.

    Raises:
        DataError: there is no such attribute, or it does not define classes.
    """
    table = dict(zip(names, range(len(names)), strict=True))
    condition = re.fullmatch(r"(.+?)\s*(>=|<=|>|<)\s*(\S+)", attribute)
    if values is None or not len(names):
        raise DataError(f"{title}: the data have no attributes; leave out '{attribute}'")
    if attribute in table:
        return _of_values(title, attribute, values[:, table[attribute]])
    members = [name for name in names if name.startswith(f"{attribute}=")]
    if members:
        picked = values[:, [table[name] for name in members]]
        if not (np.isin(picked, (0, 1)).all() and (picked.sum(axis=1) == 1).all()):
            raise DataError(
                f"{title}: '{attribute}' is not an attribute: not exactly one of {', '.join(members)} is 1"
            )
        found = tuple(name.removeprefix(f"{attribute}=") for name in members)
        return _more_than_one(title, attribute, found, picked.argmax(axis=1).astype(np.int64))
    if condition and condition[1] in table:
        column, sign, text = condition.groups()
        try:
            number = np.float32(text)
        except ValueError:
            raise DataError(f"{title}: '{text}' in '{attribute}' is not a number") from None
        holds, opposite = SIGNS[sign]
        y = holds(values[:, table[column]], number).astype(np.int64)
        if len(y) and y.min() == y.max():
            low, high = (f"{end(values[:, table[column]]):g}" for end in (np.min, np.max))
            raise DataError(
                f"{title}: '{attribute}' is the same in every example; choose another threshold: '{column}'"
                f" goes from {low} to {high}"
            )
        return _more_than_one(title, attribute, (f"{column}{opposite}{text}", f"{column}{sign}{text}"), y)
    raise DataError(
        f"{title}: unknown attribute '{condition[1] if condition else attribute}', "
        f"{nearest(condition[1] if condition else attribute, known(names))}"
    )


def known(names: Sequence[str]) -> list[str]:
    """The attributes: single columns, and groups of columns `NAME=VALUE`.

    >>> known(["age", "race=Asian", "race=Black"])
    ['age', 'race']
    """
    return list(dict.fromkeys(name.partition("=")[0] for name in names))


def with_classes(data: Data, attribute: str) -> Data:
    """The data with the classes of an attribute, as `classes` makes them; of `class` as they are.

    >>> from simulacra.data import Options, load
    >>> with_classes(load("faces:50", Options(image_size=32)), "glasses").spec.classes
    ('without glasses', 'glasses')

    Raises:
        DataError: there is no such attribute, or it does not define classes.
    """
    spec, parts = data.spec, [data.split(name) for name in SPLITS]
    if attribute == CLASS and CLASS not in known(spec.attributes):
        if not spec.classes:
            raise DataError(f"{data.name}: the data have no classes; choose an attribute")
        return data
    tables = [part.attributes for part in parts if part.attributes is not None]
    values = np.concatenate(tables) if tables else None
    found, y = classes(data.name, spec.attributes, values, attribute)
    spec = replace(spec, classes=found)
    cuts = np.cumsum([len(part) for part in parts])[:-1]
    train, validation, test = (
        replace(part, spec=spec, y=part_y) for part, part_y in zip(parts, np.split(y, cuts), strict=True)
    )
    return replace(data, train=train, validation=validation, test=test)


def _of_values(title: str, name: str, column: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    values, y = np.unique(column, return_inverse=True)
    if len(values) > MOST_CATEGORIES:
        middle = f"{float(np.median(values)):.2g}"
        raise DataError(
            f"{title}: attribute '{name}' has {len(values):,} different values; "
            f"split them in two, e.g. '{name}>={middle}'"
        )
    if values.tolist() == [0, 1]:
        return (f"without {name}", name), y.astype(np.int64)
    return _more_than_one(title, name, tuple(f"{name}={v:g}" for v in values), y.astype(np.int64))


def _more_than_one(
    title: str, attribute: str, names: tuple[str, ...], y: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    there = np.unique(y)
    if len(there) < 2:
        raise DataError(f"{title}: '{attribute}' is the same in every example; choose another attribute")
    return names, y
