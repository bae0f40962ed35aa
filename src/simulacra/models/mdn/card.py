"""The card of `mdn`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.regressor.card import PredictionConfig
from simulacra.models.settings import PREDICTION, target_hint


@dataclass(frozen=True)
class MDNConfig(PredictionConfig):
    """A mixture of normal distributions for every input."""

    components: int = 5
    """number K of components"""
    covariance: Literal["diagonal", "full"] = "diagonal"
    """of every component"""


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    if spec.target is None and not spec.classes:
        return f"the data have nothing to predict; {target_hint(spec)}"
    if spec.target is None or spec.target.kind != "vector":
        kind = "classes" if spec.target is None else "images"
        return f"an mdn predicts numbers, and the targets are {kind}; use a regressor"
    return ""


CARD = ModelCard(
    "simulacra.models.mdn.model:MDN",
    MDNConfig,
    "mixture density network: p(y | x) with several modes",
    (
        "K components represent at most about K answers; a continuum of answers is covered by pieces.",
        "Maximum likelihood may leave components unused, or spend one on few examples.",
        "Predicted scales describe the scatter of the training data, not the uncertainty of the net"
        " far away from them.",
    ),
    training=PREDICTION,
    needs=needs,
)
