"""The card of `pix2pix`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import check_ranges
from simulacra.core.card import ModelCard
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.settings import TRANSLATION, check_sizes, convolves

# pixels a side of which the nets leave something after halving
SMALLEST = 8


@dataclass(frozen=True)
class Pix2PixConfig:
    """Nets and losses of a translation learned from pairs."""

    net: Literal["unet", "resnet"] = "unet"
    """generator: a U-Net as deep as the image allows, or residual blocks at a quarter of its size"""
    width: int = 64
    """channels of the first level of both nets"""
    blocks: int = 6
    """resnet: residual blocks"""
    norm: Literal["batch", "instance", "none"] = "instance"
    """normalisation in both nets; the paper's batches of one are instances"""
    patch: Literal["1", "16", "70", "full"] = "70"
    """receptive field of a discriminator's output, in pixels a side"""
    objective: Literal["non-saturating", "least-squares", "hinge"] = "non-saturating"
    """adversarial loss; non-saturating in the paper"""
    l1: float = 100.0
    """weight of the L1 distance from the target"""
    adversarial: float = 1.0
    """weight of the adversarial loss; 0: only the L1 distance"""
    load_size: int | None = None
    """size to which images are enlarged before a random crop of the original size, e.g. 143 for 128"""
    flip: bool = False
    """flip images horizontally at random"""
    style_dim: int = 0
    """dimensions of a style code that selects among translations, e.g. 8 with an `l1` of 10; 0: none"""
    kl: float = 0.01
    """style code: weight of the KL term"""
    recover: float = 0.5
    """style code: weight of the latent regression loss"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_0=("l1", "adversarial", "style_dim", "kl", "recover"))
        if not self.l1 and not self.adversarial:
            raise ConfigError("l1 and adversarial: both are 0, so there is no loss; set one above 0")
        if self.style_dim and self.net == "resnet":
            raise ConfigError("style_dim: only the unet takes a code; leave --net resnet out")


def too_small(spec: DataSpec) -> str:
    """What is wrong with images that the nets would halve to nothing; empty for larger ones."""
    h, w = spec.shape[1:]
    if min(h, w) >= SMALLEST:
        return ""
    return f"images of {w}x{h} pixels are too small to translate; give an --image-size of {SMALLEST} or more"


def needs(spec: DataSpec) -> str:
    """What the data lack, a sentence; empty when they suit."""
    target = spec.target
    if spec.kind != "image" or target is None or target.kind != "image":
        return "a pix2pix needs pairs of images: --data pairs:PATH"
    if target.shape[1:] != spec.shape[1:]:
        return "a pix2pix needs pairs of images of one size; give --image-size"
    return too_small(spec)


CARD = ModelCard(
    "simulacra.models.pix2pix.model:Pix2Pix",
    Pix2PixConfig,
    "translates images, learned from pairs",
    (
        "It invents what the input does not determine, and does not mark what it invented.",
        "Its translations of one input are nearly the same; --style-dim makes them differ.",
        "It also translates inputs unlike its training data, without a warning.",
    ),
    training=TRANSLATION,
    gains_bf16=convolves,
    needs=needs,
)
