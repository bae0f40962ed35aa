"""The card of `cyclegan`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.models.pix2pix.card import too_small
from simulacra.models.settings import TRANSLATION, check_sizes, convolves


@dataclass(frozen=True)
class CycleGANConfig:
    """Nets and losses of translations between two domains without pairs."""

    width: int = 64
    """channels of the first level of all nets"""
    blocks: int = 6
    """residual blocks of a generator; the paper has 6 for 128 pixels, 9 for 256"""
    norm: Literal["batch", "instance", "none"] = "instance"
    """normalisation layers of all nets"""
    patch: Literal["1", "16", "70", "full"] = "70"
    """receptive field of a discriminator's output, in pixels a side"""
    objective: Literal["non-saturating", "least-squares", "hinge"] = "least-squares"
    """adversarial loss; least-squares in the paper"""
    cycle: float = 10.0
    """weight lambda of the cycle-consistency loss"""
    identity: float = 0.5
    """weight of the identity loss, in units of `cycle`"""
    pool: int = 50
    """size of the pool of earlier translations that half of the discriminators' fakes come from; 0: none"""
    load_size: int | None = None
    """size to which images are enlarged before a random crop of the original size, e.g. 143 for 128"""
    flip: bool = True
    """flip images horizontally at random"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_0=("cycle", "identity", "pool"))


# a tenth of the arithmetic, which gets further in the same time on a few cores
NANO = {"width": 32, "blocks": 4, "identity": 0.0}


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    if spec.kind != "image" or len(spec.classes) != 2:
        return (
            "a cyclegan needs two domains: --data unpaired:PATH, or any source of images with 2 classes;"
            f" this one has {len(spec.classes)}"
        )
    return too_small(spec)


CARD = ModelCard(
    "simulacra.models.cyclegan.model:CycleGAN",
    CycleGANConfig,
    "translates between two domains of images, without pairs",
    (
        "Nothing determines which translation is right: colours may be exchanged, objects may appear"
        " or vanish.",
        "It may hide the information it needs for the way back in invisible patterns: evaluate"
        " measures how far the way back depends on them.",
    ),
    training=replace(TRANSLATION, batch_size=2),
    gains_bf16=convolves,
    presets={"nano": NANO},
    needs=needs,
)
