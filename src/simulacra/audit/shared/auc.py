"""The area under the ROC curve, with its interval."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
from scipy.stats import norm, rankdata

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.intervals import wilson


def auc(score: np.ndarray, member: np.ndarray, level: float = LEVEL) -> Estimate:
    """How often a member has a higher score than a non-member, ties half; interval of DeLong et al. 1988.

    The interval is built on the logit scale, so that it stays inside 0 and 1.

    >>> auc(np.array([1, 2, 3, 4.0, 5, 6]), np.array([0, 0, 1, 0, 1, 1], bool)).value
    0.8888888888888888

    Args:
        score: `(N,)`.
        member: bool `(N,)`; at least two of each.
    """
    m, n = int(member.sum()), int((~member).sum())
    everybody = rankdata(score)
    # placements: the share of the others that a member is above, and of members that another is below
    above = (everybody[member] - rankdata(score[member])) / n
    below = 1 - (everybody[~member] - rankdata(score[~member])) / m
    a = float(above.mean())
    error = sqrt(float(above.var(ddof=1)) / m + float(below.var(ddof=1)) / n)
    if error == 0:
        # all pairs alike: as many people of the smaller side as there are say so
        return Estimate(a, *wilson(round(a * min(m, n)), min(m, n), level).ends)
    centre, half = log(a / (1 - a)), float(norm.ppf((1 + level) / 2)) * error / (a * (1 - a))
    return Estimate(a, *(1 / (1 + exp(-x)) for x in (centre - half, centre + half)))
