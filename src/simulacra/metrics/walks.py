"""Straight walks between the encodings of sentences: whether each step is a sentence, and how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Reconstructs
from simulacra.core.inference import decode, encode_all
from simulacra.errors import DataError
from simulacra.latent.paths import lerp
from simulacra.metrics.edit_distance import edit_distance
from simulacra.metrics.grammatical import texts
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.metrics.standard_errors import mean

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# walks, and sentences of each, the two ends included
WALKS, STEPS = 500, 9


def course(x: np.ndarray) -> dict[str, np.ndarray]:
    """How sentences change along walks `(N, S, T)`; each number `(N,)`.

    - `smoothness`: the distance of the ends over the sum of the distances of the steps; 1 without a detour
    - `largest_step`: the largest of these, a share of their sum: 1 for a single jump, 1 / (S - 1) at best
    - `monotone`: share of the steps that come no nearer to the start and go no farther from the end
    - `distinct`: different sentences

    Distances are `edit_distance`. A walk that does not move has the worst of each.

    >>> jump = np.array([[[3, 1], [3, 1], [4, 1]]])
    >>> {key: float(value[0]) for key, value in course(jump).items()}
    {'smoothness': 1.0, 'largest_step': 1.0, 'monotone': 1.0, 'distinct': 2.0}
    """
    n, s, t = x.shape
    start, end = (np.repeat(x[:, [i]], s, axis=1) for i in (0, -1))

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return edit_distance(a.reshape(-1, t), b.reshape(-1, t)).reshape(n, -1)

    steps, from_start, to_end = between(x[:, :-1], x[:, 1:]), between(start, x), between(x, end)
    total = steps.sum(axis=1)
    moves, divisor = total > 0, np.where(total > 0, total, 1)
    monotone = (np.diff(from_start) >= 0) & (np.diff(to_end) <= 0)
    return {
        "smoothness": to_end[:, 0] / divisor,
        "largest_step": np.where(moves, steps.max(axis=1) / divisor, 1.0),
        "monotone": np.where(moves, monotone.mean(axis=1), 0.0),
        "distinct": np.array([len(np.unique(walk, axis=0)) for walk in x], float),
    }


def _walks(evaluation: Evaluation) -> dict[str, Any]:
    """Between the means of q(z | x) of random pairs of the examples, each in one pair."""
    model, dataset = evaluation.model, evaluation.dataset
    n = min(WALKS, len(dataset) // 2)
    if n < 2:
        return {"left_out": f"walks need 4 examples, not {len(dataset)}"}
    z = encode_all(model, random_subset(dataset, 2 * n, evaluation.seed))[0]
    path = [lerp(z[:n], z[n:], t) for t in torch.linspace(0, 1, STEPS).tolist()]
    x = decode(model, torch.cat(path)).numpy().reshape(STEPS, n, -1).swapaxes(0, 1)
    numbers: dict[str, Any] = {"walks": n, "walk_steps": STEPS}
    try:
        judge = evaluation.judge
        judged = judge.verdicts(texts(dataset, x.reshape(n * STEPS, -1))).reshape(n, STEPS)
        numbers |= mean("walk_grammatical", judged[:, 1:-1].mean(axis=1))
        numbers |= mean("walk_ends_grammatical", judged[:, [0, -1]].mean(axis=1))
        numbers |= {"judge": judge.name, "real_against_real": {"walk_grammatical": float(judge.real.mean())}}
    except DataError as error:
        numbers["left_out"] = f"whether steps of walks are grammatical, since {error}"
    return numbers | {f"walk_{key}": float(values.mean()) for key, values in course(x).items()}


WALK = register(Measurement(
    name="walks", needs=(Reconstructs,), kinds=("text",),
    metrics=(
        Metric("walk_grammatical", "grammatical steps of walks", "%",
            "steps between the ends that a parser accepts", "higher",
            " ({judge}; {walks:,} walks in {walk_steps} steps)", error="walk_grammatical_error"),
        Metric("walk_grammatical_error", "its standard error", "%", "of grammatical steps, over walks"),
        Metric("walk_ends_grammatical", "grammatical ends of walks", "%",
            "reconstructions of held-out sentences that a parser accepts", "higher",
            error="walk_ends_grammatical_error"),
        Metric("walk_ends_grammatical_error", "its standard error", "%", "of grammatical ends, over walks"),
        Metric("walk_distinct", "different sentences of a walk", "", "mean", "higher",
            " of {walk_steps} steps"),
        Metric("walk_smoothness", "smoothness of walks",
            meaning="distance of the ends over the sum of the distances of the steps: 1 without a detour; a"
            " single jump has 1 too, which the largest step shows", better="higher"),
        Metric("walk_largest_step", "largest step of walks", "%",
            "of the sum of the distances of the steps; a single jump has all", "lower"),
        Metric("walk_monotone", "monotone steps of walks", "%",
            "steps that come no nearer to the start and go no farther from the end", "higher"),
    ),
    settings=("walks", "walk_steps", "judge"), compute=_walks, slow=True, order=54,
))  # fmt: skip
