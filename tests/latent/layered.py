"""A model with styles whose layers are its factors: number l of an example is a channel of layer l."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import Styles
from simulacra.core.latents import LatentSpace, Pushforward, StandardNormal
from simulacra.data.spec import DataSpec
from simulacra.probability.distributions import Delta

LAYERS, CHANNELS = 3, 4
# the channel of each layer that shows
SHOWN = 1


class Layered(Styles):
    """w = z + 1; the style of each layer is its w, doubled layer by layer; x has channel 1 of each layer."""

    resolutions = (4, 8, 16)  # type: ignore[assignment]  # no property
    fixed_noise: list[Tensor] = []  # type: ignore[assignment]  # likewise
    style_layers = [0, 1, 2]  # type: ignore[assignment]  # likewise
    style_slices = [slice(4 * k, 4 * k + 4) for k in range(3)]  # type: ignore[assignment]  # likewise

    def __init__(self) -> None:
        super().__init__(DataSpec("vector", (LAYERS,), attributes=("turn", "shape", "colour")), None)
        shapes = {"w": (CHANNELS,), "w+": (LAYERS, CHANNELS), "s": (LAYERS * CHANNELS,)}
        priors = {
            name: Pushforward(StandardNormal((CHANNELS,)), self._from_z(name), self._mean(name), "z + 1")
            for name in shapes
        }
        w, *others = (LatentSpace(name, shape, priors[name]) for name, shape in shapes.items())
        self.spaces = (w, LatentSpace.normal(CHANNELS), *others)

    def _from_z(self, name: str):  # type: ignore[no-untyped-def]
        def f(z: Tensor) -> Tensor:
            stack = self.styles(z, "z")
            return {"w": z + 1, "w+": stack, "s": self.channel_styles(stack)}[name]

        return f

    def _mean(self, name: str):  # type: ignore[no-untyped-def]
        return lambda: self._from_z(name)(torch.zeros(1, CHANNELS))[0]

    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        z = z + 1 if space == "z" else z
        return z if space == "w+" else z[:, None].expand(-1, LAYERS, -1)

    def channel_styles(self, w: Tensor) -> Tensor:
        return (w * torch.tensor([1.0, 2.0, 4.0])[:, None] + 3).flatten(1)

    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        s = z if space == "s" else self.channel_styles(self.styles(z, space))
        return Delta(s.reshape(-1, LAYERS, CHANNELS)[:, :, SHOWN])

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return self.decode_with_noise(z, [], space)
