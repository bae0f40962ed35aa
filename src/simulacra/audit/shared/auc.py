"""The area under the ROC curve, with its interval, as an estimate."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.intervals import wilson
from simulacra.metrics.roc import delong, logit_interval


def auc(score: np.ndarray, member: np.ndarray, level: float = LEVEL) -> Estimate:
    """How often a member has a higher score than a non-member, ties half; interval of DeLong et al. 1988.

    >>> auc(np.array([1, 2, 3, 4.0, 5, 6]), np.array([0, 0, 1, 0, 1, 1], bool)).value
    0.8888888888888888

    Args:
        score: `(N,)`.
        member: bool `(N,)`; at least two of each.
    """
    area, error = delong(score, member)
    if error == 0:
        # all pairs alike: as many people of the smaller side as there are say so
        n = min(int(member.sum()), int((~member).sum()))
        return Estimate(area, *wilson(round(area * n), n, level).ends)
    return Estimate(area, *logit_interval(area, error, float(norm.ppf((1 + level) / 2))))
