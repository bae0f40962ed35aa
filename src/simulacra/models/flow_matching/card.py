"""The card of `flow_matching`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.config import Training, check_ranges
from simulacra.core.card import ModelCard
from simulacra.errors import ConfigError
from simulacra.models.settings import check_sizes, convolves, lacks_numbers


@dataclass(frozen=True)
class FlowMatchingConfig:
    """Net, training and solver of a velocity field."""

    net: Literal["auto", "mlp", "unet"] = "auto"
    """kind of net; auto: unet for images and maps, else mlp"""
    hidden: tuple[int, ...] = (256, 256, 256)
    """mlp: hidden layer sizes"""
    width: int = 32
    """unet: channels at full size, twice and four times as many at the sizes below"""
    depth: int = 1
    """unet: residual blocks of each size, on both sides"""
    grid: tuple[int, int, int] | None = None
    """C, h and w of maps that vectors of C h w numbers are read as, e.g. latents of images"""
    time: Literal["uniform", "logit-normal"] = "uniform"
    """distribution of t in training; logit-normal: more often in the middle (Esser et al. 2024)"""
    solver_steps: int = 32
    """steps of the solver, each with two evaluations of the net"""

    def __post_init__(self) -> None:
        """Raises ConfigError for impossible settings."""
        check_sizes(self)
        check_ranges(self, at_least_1=("solver_steps",))
        if not self.hidden:
            raise ConfigError("hidden: give at least one layer, e.g. 256")
        if self.grid is not None and (min(self.grid) < 1 or min(self.grid[1:]) < 2):
            raise ConfigError(f"grid: needs channels and at least 2 x 2 places, not {self.grid}")


LIMITS = (
    "A sample takes two evaluations of the net for every step of the solver, where a GAN or a VAE takes one.",
    "Its likelihood is as exact as the solver; of more than 16 numbers it is estimated, and of images it is a"
    " lower bound, by uniform dequantisation.",
    "Its latents are as many numbers as the data: it reduces no dimensions.",
)

CARD = ModelCard(
    "simulacra.models.flow_matching.model:FlowMatching",
    FlowMatchingConfig,
    "flow matching: noise is carried to data along a learned velocity",
    LIMITS,
    training=Training(batch_size=256, ema=0.999, schedule="cosine"),
    gains_bf16=convolves,
    needs=lambda spec: lacks_numbers("flow_matching", spec),
    densities={"flow-matching": {}},
)
