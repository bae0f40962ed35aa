"""What to predict for: every example of a source or picture by path, with what is known about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from simulacra import data as sources
from simulacra.data.images.decode import BadImage, decode
from simulacra.data.images.files import open_image_files
from simulacra.data.sources.tables import open_table
from simulacra.data.spec import SPLITS, Data, Dataset, DataSpec, is_arrays
from simulacra.data.splits import content_shares
from simulacra.data.tables.rows import read_complete as read_rows
from simulacra.data.tables.rows import schema_of
from simulacra.errors import DataError
from simulacra.run import Run

# of an example that the run has not been trained, validated or tested on
NEW = "new"


@dataclass(frozen=True)
class Inputs:
    """N examples.

    Attributes:
        x: as a `Dataset` holds them, `(N, ...)`.
        rows: the place of each in its source, from 0, int64 `(N,)`.
        split: of the run, in which each is: `train`, `validation`, `test` or `new`; strings `(N,)`.
        files: the name of each, `(N,)`; empty for sources that are no files.
        columns: those of a table, as text, by their names.
        true: what is to be predicted, where it is known, by the names of columns.
        notes: remarks about what could not be read or compared.
        left_out: rows of the source with empty cells, for which nothing can be predicted.
    """

    x: np.ndarray
    rows: np.ndarray
    split: np.ndarray
    files: Sequence[str] = ()
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    true: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Inputs:
        """The examples at `index`."""

        def pick(values: Sequence[Any]) -> list[Any]:
            return [values[i] for i in index.tolist()]

        return Inputs(
            self.x[index],
            self.rows[index],
            self.split[index],
            pick(self.files) if self.files else (),
            {name: pick(values) for name, values in self.columns.items()},
            {name: pick(values) for name, values in self.true.items()},
            self.notes,
            self.left_out,
        )


def read_source(run: Run, source: str) -> Inputs:
    """Every example of a source in its order; of `SOURCE@SPLIT` those of its split.

    Raises:
        DataError: the source is not there, or its examples have another shape.
    """
    name, path, split = sources.parse(source)
    own = not is_arrays(run.config.source) and (name, path) == sources.parse(run.config.source)[:2]
    if name in sources.TABLES:
        inputs = _table(run, name, path, own)
    else:
        inputs = _examples(run, run.data(source, whole=True), own)
    if split is None:
        return inputs
    rows = run.data(source).split(split).rows
    assert rows is not None
    return inputs.take(np.flatnonzero(np.isin(inputs.rows, rows)))


def read_files(run: Run, paths: Sequence[Path]) -> tuple[Inputs, dict[str, str]]:
    """Pictures, and those of folders and .zip files; and why others cannot be read.

    Raises:
        DataError: the model does not take square images, or nothing can be read.
    """
    x, files, bad = read_images(run, paths)
    split, notes = _split_by_content(run, x)
    return Inputs(x, np.arange(len(x)), split, files, notes=notes), bad


def read_images(run: Run, paths: Sequence[Path]) -> tuple[np.ndarray, list[str], dict[str, str]]:
    """Pictures, and those of folders and .zip files, as a run takes them.

    Returns:
        uint8 `(N, C, H, W)`, the name of each, and why others cannot be read, by their names.

    Raises:
        DataError: the model does not take square images, or nothing can be read.
    """
    spec = run.config.spec
    if spec.kind != "image" or spec.shape[1] != spec.shape[2]:
        raise DataError(f"{run}: was not trained on square images; name a source with --data")
    files, images, bad = [], [], {}
    for file, raw in _raw(paths):
        try:
            images.append(decode(raw, spec.shape[1], spec.shape[0]))
            files.append(file)
        except BadImage as error:
            bad[file] = str(error)
    if not images:
        file, reason = next(iter(bad.items()))
        raise DataError(f"none of the files can be read (first: {file}: {reason})")
    return np.stack(images), files, bad


def _raw(paths: Sequence[Path]) -> Iterator[tuple[str, bytes | Path]]:
    """The name of every picture, and its bytes or where they are."""
    for path in paths:
        if path.is_dir() or path.suffix.lower() == ".zip":
            with open_image_files(str(path), str(path)) as found:
                yield from ((f"{path}/{name}", found.read(name)) for name in found.names)
        else:
            yield str(path), path


def _table(run: Run, name: str, path: str, own: bool) -> Inputs:
    spec, options = run.config.spec, run.config.options
    table = open_table(name, path)
    x, rows, notes = read_rows(table, spec)
    if own:
        split = _split_by_row(run.data(), rows)
    else:
        split, more = _split_by_content(run, x)
        notes += more
    targets = [column.name for column in schema_of(spec.target).columns] if spec.target else []
    if not targets and options.target:
        targets = [options.target]
    cells = table.plain_cells if spec.target else table.cells
    places = rows.tolist()
    true = {
        f"{target}_true": [known[i] for i in places]
        for target in targets
        if target in table.names
        for known in [cells(target)]
    }
    every = table.all_cells()
    left_out = len(next(iter(every.values()))) - len(rows)
    columns = {name: [column[i] for i in places] for name, column in every.items()}
    return Inputs(x, rows, split, columns=columns, true=true, notes=notes, left_out=left_out)


def _examples(run: Run, data: Data, own: bool) -> Inputs:
    """The examples of all splits, in the order of the source."""
    parts = [data.split(name) for name in SPLITS]
    rows = [part.rows for part in parts if part.rows is not None]
    if len(rows) < len(parts):
        raise DataError(f"{data.name}: its examples have no order; choose a split: {data.name}@test")
    order = np.argsort(np.concatenate(rows))
    y, target = (_joined([getattr(part, name) for part in parts], order) for name in ("y", "target"))
    x = np.concatenate([part.x for part in parts])[order]
    every = Dataset(data.spec, x, y, target=target, rows=np.concatenate(rows)[order])
    assert every.rows is not None
    notes: tuple[str, ...] = ()
    if own:
        split = _split_by_row(data, every.rows)
    else:
        split, notes = _split_by_content(run, every.x)
    files = [data.names[row] for row in every.rows] if data.names else ()
    return Inputs(every.x, every.rows, split, files, true=_true(every, run.config.spec), notes=notes)


def _joined(arrays: Sequence[np.ndarray | None], order: np.ndarray) -> np.ndarray | None:
    there = [array for array in arrays if array is not None]
    return np.concatenate(there)[order] if len(there) == len(arrays) else None


def _true(dataset: Dataset, spec: DataSpec) -> dict[str, Sequence[Any]]:
    """What a run predicts, where the examples have it."""
    if spec.target is not None:
        if dataset.target is None or dataset.target.ndim != 2 or dataset.spec.target is None:
            return {}
        names = dataset.spec.target.columns or tuple(f"y_{i + 1}" for i in range(dataset.target.shape[1]))
        return {f"{name}_true": dataset.target[:, i].tolist() for i, name in enumerate(names)}
    if dataset.y is None:
        return {}
    return {"true": [dataset.spec.classes[k] for k in dataset.y]}


def _split_by_row(data: Data, rows: np.ndarray) -> np.ndarray:
    """The split that holds each row of a run's own source."""
    split = np.full(len(rows), NEW, dtype="<U10")
    for name in SPLITS:
        held = data.split(name).rows
        if held is not None:
            split[np.isin(rows, held)] = name
    return split


def _split_by_content(run: Run, x: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The split of a run's own data that holds an example with the same content as each of x."""
    split = np.full(len(x), NEW, dtype="<U10")
    try:
        data = run.data()
    except DataError as error:
        return split, (f"whether examples were trained on is unknown, all count as new ({error})",)
    shares = content_shares(x)
    # training last: what is in several splits has been trained on
    for name in reversed(SPLITS):
        with suppress(ValueError):
            split[np.isin(shares, content_shares(data.split(name).x))] = name
    return split, ()
