"""Sentences that a program passes: a list, an array or a pandas column of `str`."""

from __future__ import annotations

from typing import Any


def texts_of(value: Any) -> list[str] | None:
    """The sentences, or None for anything else.

    >>> import numpy as np
    >>> texts_of(np.array(["a cat", "a dog"])), texts_of([1, 2]), texts_of("a cat")
    (['a cat', 'a dog'], None, None)
    """
    if isinstance(value, list | tuple):
        found = list(value)
    elif getattr(value, "ndim", 0) == 1 and getattr(getattr(value, "dtype", None), "kind", "") in tuple("UO"):
        found = value.tolist()
    else:
        return None
    return list(map(str, found)) if found and all(isinstance(one, str) for one in found) else None
