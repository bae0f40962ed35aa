"""Data for a model that is trained: brought to the shape of its examples, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulacra.data.arrays import read_arrays
from simulacra.data.sources.registry import SOURCES, load, parse
from simulacra.data.spec import Data, DataSpec, Options
from simulacra.data.tables.frames import is_frame
from simulacra.errors import DataError


def fitting(data: Any, spec: DataSpec) -> Data:
    """Data for a model.

    >>> fitting("digits", DataSpec("image", (3, 16, 16))).spec.shape
    (3, 16, 16)

    Args:
        data: a source, whose images are brought to the model's size and channels; `Data`; or what
            `read_arrays` takes.
        spec: of the model.

    Raises:
        DataError: they cannot be used, or their examples have another shape.
    """
    if isinstance(data, str | Path):
        loaded = _load(str(data), spec)
    else:
        target = _target(spec) if is_frame(data) else None
        loaded = data if isinstance(data, Data) else read_arrays(data, Options(target=target), spec)
    theirs = loaded.spec
    if (theirs.kind, theirs.shape) != (spec.kind, spec.shape):
        raise DataError(
            f"{loaded.name}: its examples have shape {theirs.shape}; the model was trained on {spec.shape}"
        )
    if theirs.columns and spec.columns and theirs.columns != spec.columns:
        columns, ours = (", ".join(names[:10]) for names in (theirs.columns, spec.columns))
        raise DataError(f"{loaded.name}: its columns are {columns}; the model was trained on {ours}")
    return loaded


def _load(source: str, spec: DataSpec) -> Data:
    accepted = SOURCES[parse(source)[0]].options
    wanted: dict[str, Any] = {}
    if spec.kind == "image" and spec.shape[1] == spec.shape[2]:
        wanted = {"image_size": spec.shape[1], "channels": spec.shape[0]}
    wanted["target"] = _target(spec)
    options = Options(**{name: value for name, value in wanted.items() if name in accepted})
    return load(source, options, spec if spec.kind == "vector" else None)


def _target(spec: DataSpec) -> str | None:
    """The columns that the model predicts, where they have names."""
    names = () if spec.target is None else spec.target.columns
    return ",".join(f'"{name}"' for name in names) or None
