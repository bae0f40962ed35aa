"""The arguments of sources that are generated: how many examples, and settings by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from simulacra.errors import DataError, nearest

# the default, the lowest and the highest value; whole numbers, or floats
Range = tuple[int, int, int] | tuple[float, float, float]


def read(name: str, argument: str, N: Range, **settings: Range) -> tuple[str, dict[str, Any]]:
    """Read the argument `[N][,KEY=VALUE]...` of a source.

    Args:
        name: of the source.
        argument: as the user wrote it.
        N: the range of the number of examples.
        settings: the range of each key.

    Returns:
        The source as the user wrote it, and the value of `N` and of each key.

    Raises:
        DataError: a key is unknown or given twice, or a value is out of range.

    >>> read("robot-arm", "20000,joints=3", (50_000, 10, 10_000_000), joints=(2, 1, 8))
    ('robot-arm:20000,joints=3', {'N': 20000, 'joints': 3})
    """
    source = f"{name}:{argument}" if argument else name
    ranges = {"N": N, **settings}
    values: dict[str, Any] = {}
    for part in argument.split(",") if argument else ():
        key, equals, text = part.partition("=") if "=" in part else ("N", "", part)
        if equals and key not in settings:
            hint = nearest(key, settings) if settings else f"write {name}:20000 for 20,000 examples"
            raise DataError(f"{source}: unknown setting '{key}', {hint}")
        default, low, high = ranges[key]
        kind, pattern = (float, "[0-9]*[.]?[0-9]+") if isinstance(default, float) else (int, "[0-9]+")
        valid = re.fullmatch(pattern, text) and len(text) < 20
        if not valid or not low <= kind(text) <= high:
            what = "number" if kind is float else "whole number"
            example = ",".join([f"{name}:20000", *(f"{k}={one[0]}" for k, one in settings.items())])
            raise DataError(
                f"{source}: {key} is a {what} from {low:,} to {high:,}, not '{text}'; write {example}"
            )
        if key in values:
            raise DataError(f"{source}: {key} is given twice; leave one out")
        values[key] = kind(text)
    return source, {key: values.get(key, default) for key, (default, *_) in ranges.items()}


@contextmanager
def in_memory(source: str) -> Iterator[None]:
    """Turn a MemoryError into a DataError that names the source."""
    try:
        yield
    except MemoryError:
        raise DataError(f"{source}: so many examples do not fit in memory; ask for fewer") from None
