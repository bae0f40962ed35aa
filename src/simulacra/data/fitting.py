"""Data for a model that is trained: brought to the shape of its examples and its classes, or refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from simulacra.data.arrays import fingerprint, read_arrays
from simulacra.data.sources.registry import SOURCES, load, parse
from simulacra.data.spec import SPLITS, Data, DataSpec, Options, Origin, is_arrays
from simulacra.data.splits import content_shares
from simulacra.data.tables.frames import is_frame
from simulacra.data.tables.infer import examples
from simulacra.errors import DataError


def fitting(
    data: Any, spec: DataSpec, origin: Origin | None = None, labels: bool = False, whole: bool = False
) -> Data:
    """Data for a model.

    >>> fitting("digits", DataSpec("image", (3, 16, 16))).spec.shape
    (3, 16, 16)

    Args:
        data: a source, whose images are brought to the model's size and channels; `Data`; or what
            `read_arrays` takes.
        spec: of the model.
        origin: what the model was trained on, which keeps its splits.
        labels: whether the model needs labels.
        whole: whether all examples are the test split, except those that the model was trained on, unless
            the source has splits of its own.

    Raises:
        DataError: they cannot be used, or their examples have another shape, or classes that the model does
            not have.
    """

    def read(split: str) -> Data:
        if isinstance(data, str | Path):
            return load_like(str(data), spec, _options(spec, origin), split=split)
        return read_arrays(data, _array_options(data, spec, origin, labels, split), spec)

    if isinstance(data, Data):
        return match(data, spec, labels)
    own = _own(data, origin, spec, read)
    if own is not None:
        return match(own, spec, labels)
    loaded = match(read("none" if whole else "hash"), spec, labels)
    return without_training(loaded, origin, spec) if whole and not len(loaded.train) else loaded


def match(data: Data, spec: DataSpec, labels: bool = False) -> Data:
    """Data whose shape and columns are those of a model, with labels in its order of classes, by name.

    Labels that a model does not have are left out where it does not need them.

    Raises:
        DataError: the data do not suit the model.
    """
    theirs = data.spec
    if (theirs.kind, theirs.shape) != (spec.kind, spec.shape):
        raise DataError(
            f"{data.name}: its examples have shape {theirs.shape}; the model was trained on {spec.shape}"
        )
    if theirs.columns and spec.columns and theirs.columns != spec.columns:
        columns, ours = (", ".join(names[:10]) for names in (theirs.columns, spec.columns))
        raise DataError(f"{data.name}: its columns are {columns}; the model was trained on {ours}")
    parts = [data.split(name) for name in SPLITS]
    if not spec.classes or theirs.classes in ((), spec.classes):
        return data
    counts = np.sum([part.class_counts for part in parts], axis=0).tolist()
    there = {name: n for name, n in zip(theirs.classes, counts, strict=True) if n}
    unknown = [name for name in there if name not in spec.classes]
    if unknown and labels:
        n = sum(there[name] for name in unknown)
        held = f"{examples(unknown)} in {n:,} row{'s' if n > 1 else ''}"
        raise DataError(
            f"{data.name}: its labels hold {held}, and the model knows only {examples(spec.classes)}; correct"
            " the labels, or remove the examples"
        )
    # -1: no example has it
    place = np.array([-1 if n not in spec.classes else spec.classes.index(n) for n in theirs.classes])
    found = replace(theirs, classes=() if unknown else spec.classes)
    train, validation, test = (
        replace(part, spec=found, y=None if unknown or part.y is None else place[part.y]) for part in parts
    )
    notes = (f"labels are left out: {examples(unknown)} are not the model's",) if unknown else ()
    return replace(data, train=train, validation=validation, test=test, notes=(*data.notes, *notes))


def without_training(data: Data, origin: Origin | None, spec: DataSpec) -> Data:
    """The data without the examples that a model was trained on, by content, and with those as `train`."""
    if origin is None or is_arrays(origin.source):
        return data
    try:
        own = match(load(origin.source, origin.options, spec), spec)
    except DataError as error:
        note = f"whether the model was trained on its examples is unknown ({error})"
        return replace(data, notes=(*data.notes, note))
    # equal rows of categories alone are no copies
    if spec.schema is not None and not any(column.continuous for column in spec.schema.columns):
        return replace(data, train=own.train)
    known = np.isin(content_shares(data.test.x), content_shares(own.train.x))
    n, total = int(known.sum()), len(known)
    if n == total:
        raise DataError(
            f"{data.name}: the model was trained on all of its examples; take others, or {data.name}@train"
        )
    note = f"{n:,} of {total:,} examples are left out: the model was trained on them"
    notes = (*data.notes, note) if n else data.notes
    return replace(data, train=own.train, test=data.test.take(np.flatnonzero(~known)), notes=notes)


def load_like(source: str, spec: DataSpec, options: Options, **changes: Any) -> Data:
    """Load a source as a model takes it.

    Args:
        source: as the user writes it.
        spec: of the model: size and channels of its images, and the schema of its rows.
        options: of the data that it was trained on; those about its splits do not apply to others.
        changes: other options.

    Raises:
        DataError: the source cannot be used.
    """
    square = spec.kind == "image" and spec.shape[1] == spec.shape[2]
    channels, size = spec.shape[:2] if square else (None, None)
    wanted = {
        "image_size": size,
        "channels": channels,
        "target": options.target,
        "swap": options.swap,
        "missing": options.missing,
        **changes,
    }
    accepted = SOURCES[parse(source)[0]].options
    chosen: dict[str, Any] = {name: value for name, value in wanted.items() if name in accepted}
    return load(source, Options(skip_bad=options.skip_bad, **chosen), spec if spec.kind != "image" else None)


def _own(data: Any, origin: Origin | None, spec: DataSpec, read: Callable[[str], Data]) -> Data | None:
    """The data with the splits of the training, if the model was trained on them; else None."""
    if origin is None:
        return None
    source = isinstance(data, str | Path)
    if not is_arrays(origin.source):
        own = source and parse(str(data))[:2] == parse(origin.source)[:2]
        return load(origin.source, origin.options, spec) if own else None
    # arrays are not stored, only the hash of their contents and splits
    with suppress(DataError):
        same = read("hash") if source else read_arrays(data, origin.options)
        if fingerprint(same) == origin.source:
            return same
    return None


def _options(spec: DataSpec, origin: Origin | None) -> Options:
    return Options(target=_target(spec)) if origin is None else origin.options


def _array_options(data: Any, spec: DataSpec, origin: Origin | None, labels: bool, split: str) -> Options:
    if not is_frame(data[0] if isinstance(data, tuple) and data else data):
        return Options(split=split)
    known = _options(spec, origin)
    target = None if isinstance(data, tuple) else known.target or _target(spec)
    if target is not None and not labels and spec.target is None and target not in data.columns:
        target = None
    return Options(target=target, missing=known.missing, split=split)


def _target(spec: DataSpec) -> str | None:
    """The columns that the model predicts, where they have names."""
    names = () if spec.target is None else spec.target.columns
    return ",".join(f'"{name}"' for name in names) or None
