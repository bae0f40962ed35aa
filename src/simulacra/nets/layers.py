"""Normalisation and activation, by name, for the nets that leave a choice."""

from torch import nn


def norm(kind: str, channels: int) -> list[nn.Module]:
    """The layer that normalises maps of so many channels, or none; groups have at least 8 channels.

    >>> norm("none", 32), norm("group", 32)
    ([], [GroupNorm(4, 32, eps=1e-05, affine=True, bias=True)])
    """
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "group":
        # at most 32 groups (Wu and He 2018)
        groups = [g for g in range(1, 33) if channels % g == 0 and channels // g >= 8] or [1]
        return [nn.GroupNorm(groups[-1], channels)]
    return []


def rectifier(slope: float) -> nn.Module:
    """max(x, slope x): ReLU where the slope is 0."""
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)
