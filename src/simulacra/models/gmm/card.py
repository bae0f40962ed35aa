"""The card of `gmm`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.models.settings import check_sizes, lacks_vectors


@dataclass(frozen=True)
class GMMConfig:
    """A mixture of normal distributions."""

    components: int | None = None
    """number K of components; 1 is the multivariate normal. When not given, the number with the lowest BIC,
    at most 64"""
    covariance: Literal["full", "diagonal"] = "full"
    """of every component"""
    restarts: int = 5
    """starts of EM, of which the best goes on after a few steps"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_1=("restarts",))


CARD = ModelCard(
    "simulacra.models.gmm.model:GMM",
    GMMConfig,
    "mixture of normals, fitted by EM",
    (
        "Each component is an ellipsoid: curved shapes are covered by pieces.",
        "EM finds a local maximum of the likelihood; another --seed may find another.",
        "A full covariance has D (D + 1) / 2 numbers for each component, and needs more examples than that.",
    ),
    needs=lambda spec: lacks_vectors("gmm", spec),
    densities={"mvn": {"components": 1}, "gmm": {}},
)
