"""The card of `pca`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from simulacra.core.card import ModelCard
from simulacra.models.settings import check_sizes


@dataclass(frozen=True)
class PCAConfig:
    """Probabilistic principal component analysis."""

    latent_dim: int | None = None
    """number of principal components; when not given 16, or one fewer than an example has numbers"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)


CARD = ModelCard(
    "simulacra.models.pca.model:PCA",
    PCAConfig,
    "the linear baseline, solved exactly",
    (
        "It is linear and Gaussian: samples are sums of a mean and a few components, and resemble the"
        " data only as far as that goes.",
        "It is a baseline, which better models should beat.",
        "Its log-likelihood of a table with categories or special values is a lower bound, by uniform"
        " dequantisation; otherwise it is exact.",
    ),
)
