"""Precision, recall, density and coverage: which examples lie among the neighbours of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from simulacra.errors import ConfigError
from simulacra.metrics.neighbours import blocks
from simulacra.metrics.registry import Metric, Score, register

if TYPE_CHECKING:
    from simulacra.metrics.sample_scores import Comparison

# k of the scores
NEIGHBOURS = 5


@dataclass(frozen=True)
class Prdc:
    """Fidelity and variety. Every example has a ball that reaches to its k-th nearest neighbour.

    Attributes:
        precision: share of samples inside the ball of a real example (Kynkäänniemi et al. 2019, eq. 1-2).
        recall: share of real examples inside the ball of a sample.
        density: real balls a sample lies in, on average, over k; can exceed 1 (Naeem et al. 2020, section 3).
        coverage: share of real balls that hold a sample (Naeem et al. 2020, section 3).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def radii(x: np.ndarray, k: int) -> np.ndarray:
    """Distance of each row of x `(N, F)` to its k-th nearest other row, `(N,)`.

    Raises:
        ConfigError: fewer than k other rows.

    >>> radii(np.array([[0.0], [1.0], [3.0]]), k=1)
    array([1., 1., 2.])
    """
    if not 1 <= k < len(x):
        raise ConfigError(
            f"neighbours: {len(x)} examples have no {k} neighbours each; take more, or fewer of them"
        )
    found = []
    for block in blocks(x, x):
        # each row is the nearest to itself
        block.settle(block.distance.kthvalue(k + 1, dim=1, keepdim=True).values, below=True)
        found.append(block.distance.kthvalue(k + 1, dim=1).values)
    return torch.cat(found).numpy()


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5, real_radii: np.ndarray | None = None) -> Prdc:
    """Of fake features `(M, F)` against real ones `(N, F)`, as the authors' package `prdc` counts.

    Inside is strictly inside, and ties are exact. Distances are taken by blocks: no matrix of M x N is held.

    Args:
        real: features of data.
        fake: features of samples.
        k: neighbours; the papers take 3 for precision and recall, 5 for density and coverage.
        real_radii: `radii(real, k)`, when they are known.

    Raises:
        ConfigError: there are not more than k of either.

    >>> real, fake = np.array([[0.0], [1], [2], [3], [10]]), np.array([[0.5], [1.5], [9], [20]])
    >>> prdc(real, fake, k=1)
    Prdc(precision=0.75, recall=1.0, density=1.25, coverage=0.8)
    """
    of_real = torch.from_numpy(radii(real, k) if real_radii is None else real_radii)
    of_fake = torch.from_numpy(radii(fake, k))
    inside = torch.zeros(len(fake))
    covered, recalled = torch.zeros(2, len(real), dtype=torch.bool)
    for block in blocks(fake, real):
        reach = of_fake[block.part, None]
        block.settle(of_real)
        block.settle(reach)
        d = block.distance
        within = d < of_real
        inside[block.part] = within.float().sum(dim=1)
        covered |= within.any(dim=0)
        recalled |= (d < reach).any(dim=0)
    return Prdc(
        precision=(inside > 0).double().mean().item(),
        recall=recalled.double().mean().item(),
        density=inside.double().mean().item() / k,
        coverage=covered.double().mean().item(),
    )


def _prdc(comparison: Comparison) -> dict[str, float]:
    k, real = NEIGHBOURS, comparison.real
    return vars(prdc(real.features, comparison.samples.features, k, real.radii(k))) | {"neighbours": k}


def _caution(found: Mapping[str, Any], real: Mapping[str, Any]) -> str:
    if found["recall"] > real["recall"] / 10:
        return ""
    return (
        f"recall is {100 * found['recall']:.1f}%, that of real examples {100 * real['recall']:.1f}%: the"
        " samples repeat, or vary too little to reach the data around them"
    )


CHART = Metric("prdc", "fidelity and variety",
    meaning="precision: share of samples that lie among the data; recall: share of the data that lie among"
    " the samples; density and coverage: the same, counted in neighbours", reference=1.0)  # fmt: skip
PRDC = register(Score(
    name="prdc",
    metrics=(
        Metric("precision", "precision", "%", "samples that lie among the data", "higher", chart=CHART),
        Metric("recall", "recall", "%", "data that lie among the samples", "higher", chart=CHART),
        Metric("density", "density",
            meaning="how densely data lie around samples; 1 where both have the same distribution",
            chart=CHART),
        Metric("coverage", "coverage", "%", "data with a sample among their nearest neighbours", "higher",
            chart=CHART),
    ),
    settings=("neighbours",), score=_prdc, fewest=NEIGHBOURS + 1, in_training=True, whole=True,
    reference=True, caution=_caution, order=111,
))  # fmt: skip
