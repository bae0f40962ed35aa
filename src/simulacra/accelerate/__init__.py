"""Faster layers for training on CPUs, swapped in by the engine.

A kernel is kept where a whole training step gains at least 1.1 times; its module has the measurement.
"""

from __future__ import annotations

from torch import nn

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
