"""Strengths of an edit, as people write them: `-2..2`, or `-1,0,2`. Imports no torch."""

from __future__ import annotations

from math import isfinite

from simulacra.errors import ConfigError

# numbers that a range is divided into
STEPS = 5


def parse_strengths(text: str, steps: int = STEPS) -> list[float]:
    """The strengths of a range with both ends, or of a list.

    >>> parse_strengths("-2..2"), parse_strengths("-1,0,2"), parse_strengths("1")
    ([-2.0, -1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 2.0], [1.0])
    >>> parse_strengths("0..1", steps=3)
    [0.0, 0.5, 1.0]

    Args:
        text: as written.
        steps: numbers that a range is divided into, at least 2.

    Raises:
        ConfigError: it cannot be read.
    """
    parts = text.split("..") if ".." in text else text.split(",")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = []
    if not values or not all(map(isfinite, values)) or (".." in text and len(values) != 2):
        raise ConfigError(f"strength: '{text}' is neither a range nor numbers; write -2..2 or -1,0,2")
    if ".." not in text:
        return values
    if steps < 2:
        raise ConfigError(f"steps: must be at least 2, not {steps}")
    low, high = values
    # the ends are exact
    return [low + (high - low) * i / (steps - 1) for i in range(steps - 1)] + [high]
