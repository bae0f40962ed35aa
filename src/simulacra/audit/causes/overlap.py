"""Where a table has rows to compare with: what lies outside of it is extrapolated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# of the rows, so many may lie outside the data before a mean over all of them is withheld
OUTSIDE = 0.1


def comparable(x: np.ndarray, cells: np.ndarray, value: float) -> np.ndarray:
    """Rows of groups that reach the value of x, and in which no row alone decides a line; bool `(N,)`."""
    frame = pd.DataFrame({"x": x, "cell": cells})
    by = frame.groupby("cell")["x"]
    low, high, n, mean = (by.transform(name).to_numpy() for name in ("min", "max", "size", "mean"))
    away = (x - mean) ** 2
    total = pd.Series(away).groupby(cells).transform("sum").to_numpy()
    # leverage 1 / n + (x - mean)^2 / sum (x - mean)^2: at 1 a line meets the row, whatever it holds
    leverage = 1 / n + np.divide(away, total, out=np.ones_like(away), where=total > 0)
    alone = pd.Series(leverage).groupby(cells).transform("max").to_numpy() > 1 - 1e-9
    return np.asarray((low <= value) & (value <= high) & ~alone)


def outside(
    x: np.ndarray, values: Sequence[float], cells: np.ndarray, numbers: np.ndarray
) -> tuple[float, np.ndarray]:
    """For which share of rows a mean at values of x is extrapolated, and values for which it is for few.

    A row's number u is inside the data where (value, u) lies in the convex hull of all (x, u) (King and Zeng
    2006), for every column of numbers and for the prediction of x by all columns (the common support of
    the propensity score, Dehejia and Wahba 1999).

    Args:
        x: `(N,)`.
        values: of x; a row must be inside for all of them.
        cells: group of each row, int `(N,)`.
        numbers: `(N, K)`.

    Returns:
        The share, and the percentiles of x, without the others, for which it is at most `OUTSIDE`.
    """
    if not numbers.shape[1]:
        return 0.0, x
    phi = np.hstack([(cells[:, None] == np.arange(cells.max() + 1)).astype(float), numbers])
    score = phi @ np.linalg.lstsq(phi, x, rcond=None)[0]
    tried = np.r_[values, np.quantile(x, np.linspace(0, 1, 101))]
    inside = np.ones((len(x), len(tried)), dtype=bool)
    for u in (*numbers.T, score):
        slack = 1e-9 * (1 + float(np.abs(u).max()))
        inside &= u[:, None] <= envelope(x, u, tried) + slack
        inside &= u[:, None] >= -envelope(x, -u, tried) - slack
    k = len(values)
    share = inside.mean(axis=0)
    return 1 - float(inside[:, :k].all(axis=1).mean()), tried[k:][share[k:] >= 1 - OUTSIDE]


def envelope(x: np.ndarray, u: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The upper edge of the convex hull of points (x, u) at other x, `(M,)`.

    >>> envelope(np.array([0.0, 1, 2, 2]), np.array([0.0, 5, 0, 1]), np.array([0.5, 1.5]))
    array([2.5, 3. ])
    """
    order = np.lexsort((-u, x))
    x, u = x[order], u[order]
    first = np.r_[True, x[1:] > x[:-1]]
    hull: list[tuple[float, float]] = []
    for px, pu in zip(x[first].tolist(), u[first].tolist(), strict=True):
        # the last corner lies below the line from the one before it (Andrew 1979)
        while len(hull) > 1:
            (ax, au), (bx, bu) = hull[-2:]
            if (bx - ax) * (pu - au) < (bu - au) * (px - ax):
                break
            hull.pop()
        hull.append((px, pu))
    corners = np.array(hull)
    return np.asarray(np.interp(at, corners[:, 0], corners[:, 1]))
