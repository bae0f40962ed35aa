"""Labels and attributes of image files: from their sub-folders, or from `labels.csv`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

import numpy as np

from simulacra.data.spec import encode_labels
from simulacra.data.tables.text import MOST_CATEGORIES, decode, read_rows
from simulacra.errors import printable

FILE_NAME = "labels.csv"
# rows read beyond one for each image
MOST_PROBLEMS = 10_000
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Labels:
    """Labels and attributes of N images.

    Attributes:
        classes: the names of the classes; empty without labels.
        y: int64 `(N,)`, or None without labels.
        attributes: the names of the columns of `values`.
        values: float32 `(N, A)`, or None without attributes.
        problems: errors in `labels.csv`, as sentences; with any of them there are no labels.
        notes: columns of `labels.csv` that are left out, as sentences.
        cells: the text of each column of `labels.csv`, one cell for each image.
    """

    classes: tuple[str, ...] = ()
    y: np.ndarray | None = None
    attributes: tuple[str, ...] = ()
    values: np.ndarray | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)


def from_folders(paths: Iterable[PurePosixPath]) -> Labels:
    """The first folder of each path is its class, if every path has one and there are at least two.

    >>> from_folders([PurePosixPath("dog/1.png"), PurePosixPath("cat/1.png")]).classes
    ('cat', 'dog')
    """
    parts = [path.parts for path in paths]
    folders = [part[0] for part in parts if len(part) > 1]
    if len(folders) < len(parts) or len(set(folders)) < 2:
        return Labels()
    classes, y = encode_labels(folders)
    return Labels(classes, y)


def from_csv(raw: bytes, paths: Sequence[str]) -> Labels:
    """Read `labels.csv`.

    The first column, `file`, holds the name or the path of each image, relative to the folder of the csv.
    A column `label` or `class` gives the classes. Of the others, numbers become attributes, and text with at
    most 20 different values becomes one attribute `column=value` for each of them, 1 or 0.

    Args:
        raw: the file's bytes, UTF-8.
        paths: the images' paths, relative to the folder of the csv.

    Returns:
        Labels of every path, in their order.
    """
    try:
        header, rows = _parse(raw, len(paths))
    except ValueError as error:
        return Labels(problems=(str(error),))
    table, problems = _match(header, rows, paths)
    columns: dict[str, list[float]] = {}
    classes: tuple[str, ...] = ()
    y = None
    notes = []
    for i, name in enumerate(header[1:]):
        column = [cells[i] for cells in table.values()]
        distinct = set(column)
        is_label = name.casefold() in ("label", "class")
        numbers = None if is_label else _numbers(column)
        if numbers is None and not is_label and len(distinct) > MOST_CATEGORIES:
            notes.append(f"column '{name}' is left out: {len(distinct)} different texts are not categories")
            continue
        if "" in distinct:
            problems.append(f"no value in column '{name}' for '{printable(list(table)[column.index('')])}'")
        elif is_label:
            classes, y = encode_labels(column)
        elif numbers is None:
            columns |= {f"{name}={v}": [float(w == v) for w in column] for v in sorted(distinct)}
        elif not all(abs(number) <= _LARGEST for number in numbers):
            problems.append(f"column '{name}' holds a number that is not finite, or too large")
        else:
            columns[name] = numbers
    if problems:
        return Labels(problems=tuple(problems), notes=tuple(notes))
    values = np.array(list(columns.values()), dtype=np.float32).T.copy() if columns else None
    text = {name: [cells[i] for cells in table.values()] for i, name in enumerate(header[1:])}
    return Labels(classes, y, tuple(columns), values, notes=tuple(notes), cells=text)


def _parse(raw: bytes, images: int) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the rows with their line numbers; ValueError in plain words."""
    rows = read_rows(decode(raw))
    # each row is of an image of its own: no more of them than that are read, but some that do not fit
    lines = list(islice(rows, images + MOST_PROBLEMS + 1))
    header = lines[0][1] if lines else [""]
    if header[0].casefold() != "file":
        raise ValueError(f"the first column must be named 'file', not '{header[0]}'")
    if "" in header:
        raise ValueError(f"column {header.index('') + 1} has no name")
    folded = ["label" if name.casefold() == "class" else name.casefold() for name in header]
    for i, name in enumerate(folded):
        if name in folded[:i]:
            other = header[folded.index(name)]
            raise ValueError(f"columns '{other}' and '{header[i]}' mean the same; keep one")
    if next(rows, None) is not None:
        raise ValueError(f"it has more than {len(lines) - 1:,} rows, but there are {images:,} images")
    return header, lines[1:]


def _match(
    header: list[str], rows: list[tuple[int, list[str]]], paths: Sequence[str]
) -> tuple[dict[str, list[str]], list[str]]:
    """The cells of each path, without the file, in the order of `paths`; and what could not be matched."""
    named: dict[str, list[str]] = {}
    for path in paths:
        named.setdefault(PurePosixPath(path).name, []).append(path)
    cells: dict[str, list[str]] = {path: [] for path in paths}
    missing = set(paths)
    problems = []
    for line, row in rows:
        wanted = PurePosixPath(row[0].replace("\\", "/")).as_posix()
        matches = [wanted] if wanted in cells else named.get(wanted, [])
        if not matches:
            problems.append(f"line {line}: there is no image '{printable(row[0])}'")
        elif len(matches) > 1:
            problems.append(f"line {line}: '{printable(row[0])}' is in several folders; write its path")
        elif matches[0] not in missing:
            problems.append(f"line {line}: '{printable(row[0])}' is listed twice")
        else:
            missing.remove(matches[0])
            if len(row) == len(header):
                cells[matches[0]] = row[1:]
            else:
                problems.append(f"line {line}: {len(row)} values, but {len(header)} columns")
    problems += [f"'{printable(path)}' is missing from it" for path in paths if path in missing]
    return {path: row for path, row in cells.items() if row or len(header) == 1}, problems


def _numbers(column: list[str]) -> list[float] | None:
    """The column as numbers (nan where it is empty), or None if any of it is text."""
    try:
        return [float(cell) if cell else math.nan for cell in column]
    except ValueError:
        return None
