"""The card of `classifier`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.settings import PREDICTION, check_sizes, lacks_classes


@dataclass(frozen=True)
class ClassifierConfig:
    """The net between an example and the probabilities of the classes, and how it is trained."""

    net: Literal["auto", "mlp", "conv", "resnet"] = "auto"
    """kind of net; auto: conv for images, mlp for vectors"""
    hidden: tuple[int, ...] = (128,)
    """sizes of the hidden layers, after the convolutions where there are any; the last gives the features"""
    width: int = 32
    """conv, resnet: channels of the first level, doubled at every halving of the image"""
    depth: int = 1
    """conv: convolutions per level; resnet: residual blocks per level"""
    shift: int = 1
    """pixels that images are moved by at random in training, at most"""
    robust: bool = False
    """train on adversarial examples, computed in every step (Madry et al. 2018)"""
    epsilon: float = 0.3
    """robust: largest change of a pixel in [0, 1]"""
    attack_steps: int = 7
    """robust: gradient steps to an adversarial example; 1 is fast (Wong et al. 2020)"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, positive=("epsilon",), at_least_1=("attack_steps",), at_least_0=("shift",))


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    return lacks_classes("classifier", spec)


CARD = ModelCard(
    "simulacra.models.classifier.model:Classifier",
    ClassifierConfig,
    "class probabilities: p(class | x)",
    (
        "It always predicts one of its classes, and may be confident about an image that belongs to"
        " none of them.",
        "Adversarial examples mislead it. Training with --robust makes only those of the kind and"
        " size used in training harder to find: simulacra attack.",
    ),
    training=PREDICTION,
    needs=needs,
)
