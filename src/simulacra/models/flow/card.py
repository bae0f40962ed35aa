"""The card of `flow`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import Training, check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError
from simulacra.models.settings import check_sizes, lacks_vectors


@dataclass(frozen=True)
class FlowConfig:
    """Transformations of a normalising flow."""

    flow: Literal["nsf", "maf", "realnvp"] = "nsf"
    """kind of transformation: autoregressive splines (Durkan et al. 2019); autoregressive affine
    (Papamakarios et al. 2017); affine coupling (Dinh et al. 2017), which samples as fast as it trains"""
    transforms: int = 5
    """transformations, one after the other"""
    hidden: tuple[int, ...] = (128, 128)
    """hidden layer sizes of the net of each transformation"""
    bins: int = 8
    """nsf: pieces of each spline"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_1=("transforms",))
        if self.bins < 2:
            raise ConfigError(f"bins: must be at least 2, not {self.bins}")


CARD = ModelCard(
    "simulacra.models.flow.model:Flow",
    FlowConfig,
    "normalising flow with an exact likelihood (extra `flows`)",
    (
        "It is a smooth bijection: between separate modes it leaves thin bridges of density.",
        "Its latents are as many numbers as the data: it reduces no dimensions.",
        "Few examples of many numbers are overfitted; the weights with the lowest validation loss are kept.",
    ),
    training=Training(batch_size=256, schedule="cosine", keep="best", clip=5.0),
    needs=lambda spec: lacks_vectors("flow", spec),
    densities={"flow": {}},
)
