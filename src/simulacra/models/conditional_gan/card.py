"""The card of `conditional_gan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.gan.card import GANConfig
from simulacra.models.settings import ADVERSARIAL, ADVERSARIAL_TABLE, convolves, lacks_classes


@dataclass(frozen=True)
class ConditionalGANConfig(GANConfig):
    """Class-conditional generator and discriminator, and the objective of their game."""

    condition: Literal["projection", "concatenation"] = "projection"
    """how the discriminator is conditioned: by projection (Miyato and Koyama 2018), or on its input"""


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    return lacks_classes("conditional_gan", spec, "use a gan, or ")


CARD = ModelCard(
    "simulacra.models.conditional_gan.model:ConditionalGAN",
    ConditionalGANConfig,
    "a class-conditional gan: sample --class",
    (
        "It has no likelihood and no encoder: it samples, but cannot assess given examples.",
        "It samples the classes as frequently as they occur in the training data, which may not be"
        " their frequency elsewhere.",
        "It may miss parts of a class; coverage and recall measure how much.",
    ),
    training=ADVERSARIAL,
    presets={"table": ADVERSARIAL_TABLE},
    gains_bf16=convolves,
    needs=needs,
)
