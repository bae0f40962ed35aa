"""A stranger's model with styles, whose every number is known: each layer draws two rows of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra import DataSpec, LatentSpace, ModelCard
from simulacra.core.capabilities import Styles
from simulacra.probability.distributions import Delta


@dataclass(frozen=True)
class Config:
    """None."""


class Rows(Styles):
    """x = 1/2 + w_l / 100 + B_l n_l in the rows 2 l and 2 l + 1 of `(1, 8, 8)`, B = (0, .01, .02)."""

    card = ModelCard("", Config, "rows")
    strengths: Tensor

    def __init__(self, spec: DataSpec, config: Any) -> None:
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(1), LatentSpace("w+", (4, 1)))
        self.register_buffer("strengths", torch.tensor([0.0, 0.01, 0.02]))

    @property
    def resolutions(self) -> tuple[int, ...]:
        return (4, 8, 16, 16)

    @property
    def fixed_noise(self) -> list[Tensor]:
        return [torch.full((1, 1, 2, 8), 3.0) for _ in self.strengths]

    @property
    def style_slices(self) -> list[slice]:
        return [slice(i, i + 1) for i in range(4)]

    @property
    def style_layers(self) -> list[int]:
        return [0, 1, 2, 3]

    def channel_styles(self, w: Tensor) -> Tensor:
        return w.flatten(1)

    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        return z if self.space(space).name == "w+" else z[:, None].expand(-1, 4, -1)

    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        w = self.styles(z, space)
        x = 0.5 + w.reshape(-1, 1, 4, 1, 1).expand(-1, -1, -1, 2, 8) / 100
        noise = [b * m for b, m in zip(self.strengths, maps, strict=True)]
        n = len(w)
        noise = [m.expand(n, -1, -1, -1) for m in [*noise, torch.zeros(1, 1, 2, 8)]]
        return Delta(x.flatten(2, 3) + torch.cat(noise, dim=2))
