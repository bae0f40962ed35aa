"""Faster layers for training on CPUs, swapped in by the engine; each module has its measurement."""

from __future__ import annotations

from torch import nn

from simulacra.accelerate.doubling import DoublingConv2d, HalvingConv2d
from simulacra.accelerate.winograd import WinogradConv2d


def for_cpu(net: nn.Module) -> None:
    """Replace the layers of a net for which there is a faster kernel, in place.

    Only the class of a layer changes: parameters, their names and the results stay the same, up to rounding.

    >>> net = nn.Sequential(nn.Conv2d(256, 512, 4, padding=1), nn.Conv2d(512, 1, 4, padding=1))
    >>> for_cpu(net)
    >>> [type(layer).__name__ for layer in net]
    ['WinogradConv2d', 'Conv2d']
    """
    for layer in net.modules():
        if type(layer) is nn.Conv2d and WinogradConv2d.replaces(layer):
            layer.__class__ = WinogradConv2d
        elif type(layer) is nn.Conv2d and HalvingConv2d.replaces(layer):
            layer.__class__ = HalvingConv2d
        elif type(layer) is nn.ConvTranspose2d and DoublingConv2d.replaces(layer):
            layer.__class__ = DoublingConv2d
