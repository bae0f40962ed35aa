"""Small models that translate, images for them, and a training without the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.model import Model
from simulacra.data.spec import DataSpec
from simulacra.models.cyclegan.card import CycleGANConfig
from simulacra.models.cyclegan.model import CycleGAN
from simulacra.models.pix2pix.card import Pix2PixConfig
from simulacra.models.pix2pix.model import Pix2Pix

IMAGE = DataSpec("image", (3, 32, 32))
PAIRS = replace(IMAGE, target=DataSpec("image", (1, 32, 32)))
DOMAINS = replace(IMAGE, classes=("horse", "zebra"))


def pix2pix(spec: DataSpec = PAIRS, **settings: Any) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(spec, replace(Pix2PixConfig(width=8, norm="instance"), **settings))


def cyclegan(**settings: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(DOMAINS, replace(CycleGANConfig(width=8, blocks=1, flip=False), **settings))


def images(seed: int, n: int = 4, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, 32, 32, generator=torch.Generator().manual_seed(seed))


def optimisers(model: Model, lr: float = 2e-4) -> dict[str, torch.optim.Optimizer]:
    return {
        player: torch.optim.Adam(
            [p for net in nets for p in getattr(model, net).parameters()], lr=lr, betas=(0.5, 0.999)
        )
        for player, nets in model.players.items()
    }


def played(model: Model, batches: list[Batch]) -> list[float]:
    losses, movers = [], optimisers(model)
    for batch in batches:
        for turn in model.play(batch):
            turn.loss.backward()
            movers[turn.player].step()
            movers[turn.player].zero_grad()
            losses.append(turn.loss.item())
    return losses
