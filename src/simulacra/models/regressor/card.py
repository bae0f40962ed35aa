"""The card of `regressor`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.settings import PREDICTION, LikelihoodName, check_sizes, target_hint


@dataclass(frozen=True)
class PredictionConfig:
    """The net between an input and the distribution of its target."""

    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of net; auto: conv for images of 16 pixels and more, else mlp"""
    hidden: tuple[int, ...] = (64, 64)
    """mlp: sizes of the hidden layers; resnet: of its last layers"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 2
    """resnet: residual blocks per level"""
    scale: Literal["softplus", "exp"] = "softplus"
    """activation of predicted scales"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)


@dataclass(frozen=True)
class RegressorConfig(PredictionConfig):
    """One distribution for every input."""

    likelihood: LikelihoodName | Literal["auto"] = "auto"
    """p(y | x); auto: normal-learned for targets that are numbers or images, categorical for classes"""
    sigma: float = 1.0
    """fixed scale of normal and laplace, or the initial value of a learned one, in target deviations"""


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    if spec.target is None and not spec.classes:
        return f"the data have nothing to predict; {target_hint(spec)}"
    return ""


CARD = ModelCard(
    "simulacra.models.regressor.model:Regressor",
    RegressorConfig,
    "a net whose output is a distribution: p(y | x)",
    (
        "Where several answers are right its distribution covers all of them and what lies between:"
        " the mean may be no answer at all. An mdn separates them.",
        "Predicted scales describe the scatter of the training data, not the uncertainty of the net"
        " far away from them.",
    ),
    training=PREDICTION,
    needs=needs,
)
