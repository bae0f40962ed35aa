"""How good an edit is: how the attribute moves with strength, what else moves, and how much identity stays.

An edit adds `strength` times a direction to latents and decodes them. Attributes of the decoded examples are
predicted, before and after; a change is counted in standard deviations of the attribute over the data, so
that those of different attributes can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulacra.metrics.registry import Metric, describe

# draws of a bootstrap, and the level of its percentile intervals
DRAWS, LEVEL = 1000, 0.95
# an attribute that moves less than this share of the one that is edited counts as left alone
LITTLE = 0.15
# cosine of features above which an edited example still is the same one
IDENTITY = 0.8
# attributes that correlate more than this in the data are one and the same, as `smile` and `smiling`
SAME = 0.8


@dataclass(frozen=True)
class Band:
    """Numbers with the ends of their 95% intervals, all of one shape."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def holds(self, number: float) -> np.ndarray:
        """Whether each interval has room for a number, bool."""
        return np.asarray((self.low <= number) & (number <= self.high))


def bootstrap_means(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Means of examples drawn again with replacement: `(DRAWS, ...)` of `(N, ...)` (Efron 1979).

    >>> means = bootstrap_means(np.array([0.0, 1.0]))
    >>> bool(np.isin(means, [0, 0.5, 1]).all())
    True
    """
    n = len(values)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS)
    means = counts @ values.reshape(n, -1) / n
    return np.asarray(means.reshape(DRAWS, *values.shape[1:]))


def band(value: np.ndarray, draws: np.ndarray) -> Band:
    """Values with percentile intervals from bootstrap draws `(DRAWS, *shape of value)`."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Band(np.asarray(value), low, high)


def mean_change(change: np.ndarray, seed: int = 0) -> Band:
    """The mean over N examples at every strength, `(S, A)`, of changes `(S, N, A)`."""
    examples = change.swapaxes(0, 1)
    return band(examples.mean(axis=0), bootstrap_means(examples, seed))


def movement(change: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """How far the attributes of each example move per unit of strength, `(N, A)`: the slope of a line
    through 0.

        sum_s s change_s / sum_s s^2

    >>> movement(np.array([[[-3.0]], [[3.0]]]), np.array([-1.0, 1.0]))
    array([[3.]])

    Args:
        change: of the attributes at every strength, `(S, N, A)`.
        strengths: `(S,)`, not all 0.
    """
    return np.asarray(np.einsum("s,sna->na", strengths, change) / np.square(strengths).sum())


def leakage(moved: np.ndarray, target: int, seed: int = 0) -> Band | None:
    """How far each attribute moves for every standard deviation that the target moves: `(A,)`, the target 1.

    A ratio of means over examples, with percentile intervals of a bootstrap that draws whole examples.

    >>> moved = np.array([[2.0, 0.5], [4.0, 1.0]])
    >>> leakage(moved, target=0).value
    array([1.  , 0.25])

    Args:
        moved: `(N, A)`, of `movement`.
        target: the attribute that the edit is for.
        seed: random seed.

    Returns:
        None where the target may not move at all: its interval holds 0.
    """
    mean, draws = moved.mean(axis=0), bootstrap_means(moved, seed)
    if band(mean, draws).holds(0)[target]:
        return None
    return band(mean / mean[target], draws / draws[:, target, None])


def absolute_leakage(change: np.ndarray, target: int) -> np.ndarray:
    """How much each attribute changes, up or down, for every change of the target: `(A,)`, the target 1.

    The ratio of mean absolute changes `(S, N, A)`. It counts what `leakage` averages out, where an attribute
    rises in some examples and falls in others, and also the errors of predicted attributes.

    >>> absolute_leakage(np.array([[[2.0, 1.0], [2.0, -1.0]]]), target=0)
    array([1. , 0.5])
    """
    size = np.abs(change).mean(axis=(0, 1))
    return np.asarray(size / max(size[target], np.finfo(float).tiny))


def holders(values: np.ndarray, threshold: float, above: bool = True) -> np.ndarray:
    """Which examples have an attribute, bool: the value is above the threshold, or else at most as high."""
    return np.asarray((values > threshold) == above)


def success(before: np.ndarray, after: np.ndarray, strength: float) -> np.ndarray:
    """Of the examples that an edit is for, which ones it changes: bool, one for each.

    A positive strength is for examples without the attribute, and succeeds where they have it afterwards; a
    negative one is for those with it, and succeeds where they have lost it.

    >>> success(np.array([False, False, True]), np.array([True, False, True]), 1.0).tolist()
    [True, False]

    Args:
        before: which examples have the attribute, bool `(N,)`.
        after: the same after the edit.
        strength: of the edit.
    """
    return after[~before] if strength > 0 else ~after[before]


@dataclass(frozen=True)
class Flips:
    """What an edit at one strength does to examples whose attributes are known exactly.

    Attributes:
        tried: examples that the edit is for: without the attribute, or with it at a negative strength.
        valid: share of them that have attributes after the edit, as a sentence that is grammatical.
        success: share of them that have flipped the attribute.
        rest: of those, the share whose other attributes are all as before.
        unchanged: of the valid ones, the share in which each other attribute is as before.
    """

    tried: int
    valid: float
    success: float
    rest: float
    unchanged: list[float]

    @property
    def alone(self) -> float:
        """The share that has flipped the attribute and nothing else."""
        return self.success * self.rest


def flips(
    before: np.ndarray,
    after: np.ndarray,
    has: Callable[[np.ndarray], np.ndarray],
    strength: float,
    others: Sequence[int],
) -> Flips:
    """How often an edit flips an attribute that is known exactly, and what else it changes.

    >>> before, after = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[1.0, 1.0], [np.nan, np.nan]])
    >>> flips(before, after, lambda table: table[:, 0] > 0, 1.0, [1])
    Flips(tried=2, valid=0.5, success=0.5, rest=1.0, unchanged=[1.0])

    Args:
        before: attributes of the unedited examples, `(N, A)`; NaN for those that have none.
        after: the same after the edit.
        has: which examples have the attribute, bool `(N,)`, from attributes `(N, A)`.
        strength: of the edit.
        others: the columns of the other attributes.
    """
    # nothing is greater or smaller than NaN
    is_for = np.isfinite(before).all(axis=1) & (has(before) != (strength > 0))
    before, after = before[is_for], after[is_for]
    valid = np.isfinite(after).all(axis=1)
    flipped = valid & (has(after) == (strength > 0))
    same = before[:, list(others)] == after[:, list(others)]

    def share(of: np.ndarray) -> float:
        return float(of.mean()) if len(of) else 0.0

    return Flips(
        int(is_for.sum()),
        share(valid),
        share(flipped),
        share(same[flipped].all(axis=1)),
        [share(each) for each in same[valid].T],
    )


@dataclass(frozen=True)
class Identity:
    """How much of an example stays.

    Attributes:
        cosine: of the features of each edited example with those of the unedited one, `(S, N)`.
        different: the mean cosine of two different unedited examples.
        recognised: share of the edited examples whose features are nearest those of their own unedited
            example, among all N, `(S,)`.
    """

    cosine: np.ndarray
    different: float
    recognised: np.ndarray


def identity(before: np.ndarray, after: np.ndarray) -> Identity:
    """Cosines of features, with those of different examples for comparison.

    >>> same = identity(np.eye(3), np.eye(3)[None])
    >>> same.cosine.tolist(), same.different, same.recognised.tolist()
    ([[1.0, 1.0, 1.0]], 0.0, [1.0])

    Args:
        before: features of the unedited examples, `(N, F)`.
        after: the same at every strength, `(S, N, F)`.
    """
    unit, edited = _unit(before), _unit(after)
    n = len(unit)
    between = unit @ unit.T
    pairs = max(n * (n - 1), 1)
    different = float((between.sum() - np.trace(between)) / pairs)
    nearest = np.stack([(one @ unit.T).argmax(axis=1) for one in edited])
    recognised = (nearest == np.arange(n)).mean(axis=1)
    return Identity(np.einsum("snf,nf->sn", edited, unit), different, recognised)


def _unit(features: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    return np.asarray(features / np.maximum(length, np.finfo(features.dtype).tiny))


def consistency(before: np.ndarray, undone: np.ndarray) -> np.ndarray:
    """How far latents come back from an edit that is decoded, encoded and undone: `(S,)`, 0 at best.

        mean |E(x) - (E(G(E(x) + s v)) - s v)| / mean |E(x) - E(x')|

    at each strength s: latent editing consistency (Tov et al. 2021, arXiv:2102.02766), over the mean distance
    of the latents of two different examples.

    >>> consistency(np.array([[0.0], [2.0]]), np.array([[[0.5], [1.5]]]))
    array([0.25])

    Args:
        before: latents of the examples, `(N, Z)`.
        undone: latents of the edited examples with the edit taken back, at every strength, `(S, N, Z)`.
    """
    from scipy.spatial.distance import pdist

    between = float(pdist(before).mean()) if len(before) > 1 else 0.0
    away = np.linalg.norm(undone - before, axis=-1).mean(axis=-1)
    return np.asarray(away / max(between, np.finfo(np.float32).tiny))


def separation(projected: np.ndarray, has: np.ndarray) -> float | None:
    """The probability that an example with an attribute lies further along a direction than one without: AUC.

    >>> separation(np.array([0.0, 1.0, 2.0]), np.array([False, True, True]))
    1.0

    Args:
        projected: latents on the direction, `(N,)`.
        has: which examples have the attribute, bool `(N,)`.

    Returns:
        None where all examples have it, or none.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(has, projected)) if 0 < has.sum() < len(has) else None


describe(
    Metric("edit_movement", "attribute moves", "SD",
        "standard deviations of the attribute, per unit of strength", "higher"),
    Metric("edit_left_alone", "attributes left alone", "",
        f"other attributes that move less than {100 * LITTLE:.0f}% as far as the edited one", "higher",
        out_of="edit_others"),
    Metric("edit_largest_leakage", "largest leakage", "",
        "movement of the other attribute that moves most, for every standard deviation of the edited one",
        "lower"),
    Metric("edit_success", "edits that succeed", "%",
        "of the examples without the attribute, those that have it after the edit", "higher",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_rest", "edits that change nothing else", "%",
        "of the edits that succeed, those that leave all other attributes as they are", "higher",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_valid", "grammatical edits", "%",
        "edited sentences that are grammatical", "higher",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_identity", "identity", "",
        "cosine of features, edited against unedited", "higher",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_recognised", "recognised", "%",
        "edited examples whose features are nearest their own unedited example", "higher",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_consistency", "inconsistency of edits", "",
        "distance of latents that were edited, decoded, encoded and edited back from where they were, over"
        " that of two examples", "lower",
        circumstances=" at strength {edit_strength:g}"),
    Metric("edit_different", "identity of different examples", "",
        "cosine of features of two different unedited examples, for comparison"),
    Metric("direction_accuracy", "accuracy of the direction", "%",
        "held-out examples that lie on the right side", "higher"),
    Metric("direction_auc", "AUC of the direction", "",
        "probability that a held-out example with the attribute lies further along it than one without",
        "higher"),
    settings=("direction", "edit", "edit_strength", "edit_others", "extractor"),
)  # fmt: skip
