"""Numbers beside their standard errors."""

from __future__ import annotations

import numpy as np


def share(key: str, p: float, n: int) -> dict[str, float]:
    """A share p of n examples, and its standard error (p (1 - p) / n)^(1/2).

    >>> share("right", 0.5, 100)
    {'right': 0.5, 'right_error': 0.05}
    """
    return {key: p, f"{key}_error": float((p * (1 - p) / n) ** 0.5)}


def mean(key: str, values: np.ndarray) -> dict[str, float]:
    """The mean of values `(N,)`, N at least 2, and its standard error.

    >>> mean("length", np.array([1.0, 3.0]))
    {'length': 2.0, 'length_error': 1.0}
    """
    return {key: float(values.mean()), f"{key}_error": float(values.std(ddof=1) / len(values) ** 0.5)}
