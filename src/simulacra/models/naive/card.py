"""The card of `naive`: its settings and its introduction. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulacra.core.card import ModelCard
from simulacra.models.generator.card import NetworkConfig


@dataclass(frozen=True)
class NaiveConfig(NetworkConfig):
    """A generator network that is compared with examples picked at random."""

    hidden: tuple[int, ...] = (128, 128, 128)
    """mlp: sizes of the hidden layers"""
    loss: Literal["mse", "bce", "l1"] = "mse"
    """distance between a sample and an example; bce needs images"""


CARD = ModelCard(
    "simulacra.models.naive.model:Naive",
    NaiveConfig,
    "a generator compared with examples picked at random: collapses",
    (
        "It collapses: every sample tends to the mean of the data (mse, bce) or its median (l1). It"
        " shows why adversaries and encoders are needed.",
    ),
)
