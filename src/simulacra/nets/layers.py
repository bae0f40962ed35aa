"""Normalisation and activation, by name, for the nets that leave a choice."""

from typing import NamedTuple

from torch import Tensor, nn


class Style(NamedTuple):
    """What stands between the layers of a net.

    Attributes:
        norm: normalisation of maps: none, batch or group.
        slope: of the leaky ReLU below zero.
        classes: how many classes have their own scales and shifts after a normalisation; 0 for one for all.
    """

    norm: str = "none"
    slope: float = 0.0
    classes: int = 0

    def between(self, channels: int, in_place: bool = True) -> list[nn.Module]:
        """Normalisation, where there is one, and ReLU."""
        return [*norm(self.norm, channels, self.classes), rectifier(self.slope, in_place)]


PLAIN = Style()


class Layers(nn.Sequential):
    """One layer after the other; those that depend on the class are told it."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        for layer in self:
            x = layer(x, y) if isinstance(layer, Told) else layer(x)
        return x


class Told(nn.Module):
    """A layer called with the classes of the batch, `(B,)` int64, behind its input."""


class ClassNorm(Told):
    """Normalised maps with a scale and a shift for each class (Dumoulin et al. 2017, eq. 5).

    >>> import torch
    >>> norm = ClassNorm(nn.BatchNorm2d(8, affine=False), 8, classes=10)
    >>> norm(torch.rand(2, 8, 4, 4), torch.tensor([3, 7])).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, norm: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = norm
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h: Tensor = self.norm(x)
        return self.scale(y)[..., None, None] * h + self.shift(y)[..., None, None]


def norm(kind: str, channels: int, classes: int = 0) -> list[nn.Module]:
    """The layer that normalises maps of so many channels, or none; groups have at least 8 channels.

    >>> norm("none", 32), norm("group", 32)
    ([], [GroupNorm(4, 32, eps=1e-05, affine=True, bias=True)])
    """
    if kind == "none":
        return []
    if kind == "batch":
        layer: nn.Module = nn.BatchNorm2d(channels, affine=not classes)
    else:
        # at most 32 groups (Wu and He 2018)
        groups = [g for g in range(1, 33) if channels % g == 0 and channels // g >= 8] or [1]
        layer = nn.GroupNorm(groups[-1], channels, affine=not classes)
    return [ClassNorm(layer, channels, classes) if classes else layer]


def rectifier(slope: float, in_place: bool = True) -> nn.Module:
    """max(x, slope x): ReLU where the slope is 0."""
    return nn.LeakyReLU(slope, in_place) if slope else nn.ReLU(in_place)
