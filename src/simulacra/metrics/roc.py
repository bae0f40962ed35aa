"""The area under the ROC curve, with its interval."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from scipy.stats import rankdata

from simulacra.metrics.confusion import Share, Z


def delong(score: np.ndarray, member: np.ndarray) -> tuple[float, float]:
    """How often a member has a higher score than a non-member, ties half, and its standard error.

    DeLong et al. 1988, doi:10.2307/2531595.

    >>> area, error = delong(np.array([1, 2, 3, 4.0, 5, 6]), np.array([0, 0, 1, 0, 1, 1], bool))
    >>> round(area, 4), round(error, 4)
    (0.8889, 0.1571)

    Args:
        score: `(N,)`.
        member: bool `(N,)`; at least two of each.
    """
    m, n = int(member.sum()), int((~member).sum())
    everybody = rankdata(score)
    # placements: the share of the others that a member is above, and of members that another is below
    above = (everybody[member] - rankdata(score[member])) / n
    below = 1 - (everybody[~member] - rankdata(score[~member])) / m
    return float(above.mean()), sqrt(float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n)


def logit_interval(area: float, error: float, z: float = Z) -> tuple[float, float]:
    """An interval z standard errors wide to each side on the logit scale, which stays inside 0 and 1."""
    centre, half = log(area / (1 - area)), z * error / (area * (1 - area))
    return 1 / (1 + exp(half - centre)), 1 / (1 + exp(-half - centre))


def auc(score: np.ndarray, member: np.ndarray) -> tuple[float, float, float]:
    """`delong`'s area, and the ends of its 95% interval.

    Where all pairs are alike it is that of a share of as many pairs as the smaller side has members.
    """
    area, error = delong(score, member)
    if error == 0:
        n = min(int(member.sum()), int((~member).sum()))
        share = Share.of(np.array([round(area * n)]), np.array([n]))
        return area, float(share.low[0]), float(share.high[0])
    return area, *logit_interval(area, error)
