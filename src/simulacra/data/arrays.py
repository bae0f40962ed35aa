"""Data that a program passes instead of a source: arrays, `Data` or a `Dataset`.

A run does not store them: its config names the hash of their contents, so that only the same data continue
it.
"""

from __future__ import annotations

import dataclasses
import json
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from simulacra.data.sources.npz import from_arrays
from simulacra.data.sources.registry import TEXT
from simulacra.data.spec import ARRAYS, SPLITS, Data, Dataset, DataSpec, Options
from simulacra.data.splits import content_shares, split_data
from simulacra.data.tables.frames import FrameTable, is_frame
from simulacra.data.tables.rows import read, read_inputs
from simulacra.data.text.given import texts_of
from simulacra.data.text.lines import Line
from simulacra.data.text.read import read as read_texts
from simulacra.errors import DataError

# a source, arrays X or (X, y), or loaded data
Trainable: TypeAlias = "str | Path | ArrayLike | tuple[ArrayLike, ArrayLike] | Data | Dataset"

# options that fit arrays, and sentences; those of Data and Dataset are read already
FITTING = ("image_size", "channels", "split")
FITTING_TEXTS = (*TEXT, "split")


def read_arrays(data: Any, options: Options, spec: DataSpec | None = None) -> Data:
    """Data of arrays, with three splits.

    >>> X, y = np.random.default_rng(0).random((50, 8, 8)), np.arange(50) % 2
    >>> spec = read_arrays((X, y), Options()).spec
    >>> spec.kind, spec.shape, spec.classes
    ('image', (1, 8, 8), ('0', '1'))

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"n": range(50), "word": ["a", "b"] * 25})
    >>> read_arrays(frame, Options(target="word")).spec.classes
    ('a', 'b')

    Args:
        data: `Data`; a `Dataset`, which is split; examples X, or a tuple (X, y): arrays or tensors, X images
            `(N, H, W)`, `(N, C, H, W)` or `(N, H, W, C)`, uint8 or floats in [0, 1], or vectors `(N, D)`; y
            classes `(N,)`, whole numbers or strings, or targets: floats `(N,)`, `(N, T)`, or images. Whole
            numbers that belong to vectors are both. X may be a pandas DataFrame, with words and dates, or
            sentences: a list or an array of `str`.
        options: how they are read.
        spec: of a model, whose schema encodes the rows of a DataFrame; inferred when not given.

    Raises:
        DataError: they cannot be used, or the options do not fit them.
    """
    frame = data[0] if isinstance(data, tuple) and data else data
    if is_frame(frame):
        return _titled(_frame(frame, data, options, spec))
    given, texts = isinstance(data, Data | Dataset), texts_of(frame)
    fitting = FITTING if texts is None else FITTING_TEXTS
    for field in dataclasses.fields(options):
        changed = getattr(options, field.name) != field.default
        splits = field.name == "split" and isinstance(data, Dataset) and options.split == "none"
        if changed and not splits and (given or field.name not in fitting):
            how = "pass it to sim.load_data" if given else "prepare the arrays so"
            raise DataError(f"{field.name}: does not apply to {type(data).__name__}; leave it out, or {how}")
    if isinstance(data, Dataset):
        _check("the data set", data)
        # a split of other data: the first bits of the hash are those that it was cut by
        return _titled(split_data("data", data, options, shares=content_shares(data.x) * 2**20 % 1))
    if isinstance(data, Data):
        for name in SPLITS:
            _check(f"the {name} split", data.split(name))
        return data
    if texts is not None:
        return _titled(read_texts("data", _lines(texts, data), options, spec))
    return _titled(from_arrays("data", _arrays(data), options))


def _lines(texts: list[str], data: Any) -> list[Line]:
    """Sentences with their classes."""
    if (empty := next((i for i, text in enumerate(texts) if not text.strip()), None)) is not None:
        raise DataError(f"data: sentence {empty} is empty (from 0); leave it out")
    labels: list[str | None] = [None] * len(texts)
    if isinstance(data, tuple):
        if len(data) != 2 or len(data[1]) != len(texts):
            raise DataError(f"data: pass (sentences, y), with one y for each of {len(texts):,} sentences")
        labels = [str(label) for label in data[1]]
    return [Line(" ".join(text.split()), label) for text, label in zip(texts, labels, strict=True)]


def _frame(frame: Any, data: Any, options: Options, spec: DataSpec | None) -> Data:
    """A DataFrame, or a tuple of one and the column to predict."""
    for option in ("image_size", "channels", "swap", "skip_bad"):
        if getattr(options, option) != getattr(Options(), option):
            raise DataError(f"{option}: does not apply to a DataFrame; leave it out")
    if isinstance(data, tuple):
        if len(data) != 2 or options.target is not None:
            raise DataError("data: pass (frame, y), or a frame with target='COLUMN'")
        y = np.asarray(data[1]).reshape(len(data[1]), -1)
        if len(y) != len(frame):
            raise DataError(f"data: x has {len(frame):,} rows and y {len(y):,}; pass one y for each row")
        named = getattr(data[1], "columns", None)
        names = [getattr(data[1], "name", None) or "y"] if named is None else named
        targets = {str(name): column for name, column in zip(names, y.T, strict=True)}
        if both := targets.keys() & set(map(str, frame.columns)):
            raise DataError(f"data: '{both.pop()}' is a column of x and of y; rename one")
        frame = frame.assign(**targets)
        options = dataclasses.replace(options, target=",".join(f'"{name}"' for name in targets))
    return read(FrameTable.of(frame), options, spec).split(options)


def frame_inputs(frame: Any, spec: DataSpec) -> np.ndarray:
    """The rows of a DataFrame as a model takes them, float32 `(N, D)`; columns are found by name.

    Raises:
        DataError: a column is missing, or a cell cannot be used.
    """
    return read_inputs(FrameTable.of(frame), spec)[0]


def fingerprint(data: Data) -> str:
    """The source that stands for data in a run: `arrays:` and the hash of their contents."""
    digest = blake2b(digest_size=8)
    for name in SPLITS:
        part = data.split(name)
        digest.update(json.dumps(dataclasses.asdict(part.spec)).encode())
        for array in (part.x, part.y, part.attributes, part.target):
            digest.update(b"none" if array is None else f"{array.dtype} {array.shape}".encode())
            for row in () if array is None else array:
                digest.update(np.ascontiguousarray(row).data)
    return f"{ARRAYS}:{digest.hexdigest()}"


def _titled(data: Data) -> Data:
    return dataclasses.replace(data, name=fingerprint(data))


def _arrays(data: Any) -> dict[str, np.ndarray]:
    """The arrays by the names that an archive has for them."""
    if not isinstance(data, tuple):
        return {"x": _array("x", data)}
    if len(data) != 2:
        raise DataError(f"data: a tuple must be (x, y), this one has {len(data)} parts")
    x, y = _array("x", data[0]), _array("y", data[1])
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind != "f":
        y = y[:, 0]
    if y.dtype.kind == "f" or y.ndim > 1:
        return {"x": x, "targets": y[:, None] if y.ndim == 1 else y}
    arrays = {"x": x, "y": y}
    # as in a table, whole numbers may be predicted as numbers or as classes
    if y.dtype.kind in "iu" and x.ndim == 2 and len(np.unique(y)) > 1:
        arrays["targets"] = y[:, None]
    return arrays


def _array(name: str, value: Any) -> np.ndarray:
    """Of an array, a tensor, a list or a pandas column."""
    if isinstance(value, str | bytes | dict | set) or value is None:
        raise DataError(
            f"data: {name} is a {type(value).__name__}; pass a source like 'digits', an array x, a tuple"
            " (x, y), or Data"
        )
    # a tensor may have gradients, or be on another device
    value = value.detach().cpu() if hasattr(value, "detach") else value
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise DataError(f"data: {name} is not an array of numbers; are its parts of one length?") from error
    if array.dtype.kind == "O" and all(isinstance(one, str) for one in array.flat):
        array = array.astype(str)
    if array.dtype.kind == "O":
        raise DataError(f"data: {name} holds Python objects; pass an array or a tensor of numbers")
    return array


def _check(what: str, dataset: Dataset) -> None:
    """Refuse a data set whose arrays are not what its spec says."""
    spec: DataSpec = dataset.spec
    n = len(dataset.x)
    parts: list[tuple[str, np.ndarray | None, DataSpec | None]] = [("x", dataset.x, spec)]
    if spec.target is not None or dataset.target is not None:
        parts.append(("target", dataset.target, spec.target))
    for name, array, of in parts:
        if array is None or of is None:
            raise DataError(f"{what}: {name} and its spec must both be given")
        dtype = np.dtype({"image": np.uint8, "vector": np.float32, "text": np.int32}[of.kind])
        if array.shape != (n, *of.shape) or array.dtype != dtype:
            raise DataError(
                f"{what}: {name} is {array.dtype} {array.shape}; its spec needs {dtype} {(n, *of.shape)}"
            )
        if dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{what}: {name} holds NaN or infinite values; remove or replace them")
    y = dataset.y
    if (y is None) != (not spec.classes):
        raise DataError(f"{what}: labels y and the classes of its spec must both be given")
    if y is None:
        return
    classes = len(spec.classes)
    if y.shape != (n,) or y.dtype != np.int64 or not ((y >= 0) & (y < classes)).all():
        raise DataError(f"{what}: y must be {n} labels, int64 from 0 to {classes - 1}")
