"""The discriminator of StyleGAN2: residual blocks with an equalised learning rate (Karras et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from simulacra.nets.equalised import EqualisedConv2d, EqualisedLinear

# side of the last maps
END = 4
# examples whose standard deviation is a feature (Karras et al. 2018, appendix A.1)
GROUP = 4


class StyleCritic(nn.Module):
    """Images `(B, C, H, H)` in [-1, 1] to one output an example, `(B,)`, given its class if there is one.

    Args:
        shape: of an image: channels, and a side that is a power of two twice, at least 8.
        width: channels at full size, doubled at every halving.
        widest: most channels.
        architecture: blocks of two convolutions with a shortcut, filtered before they halve; or one
            convolution with stride 2 a level.
        batch_deviation: append the standard deviation over groups of the batch to the last maps.
        classes: number of classes; 0 for none. With them the output is <v_y, h> / sqrt(F), h the last
            features (Miyato and Koyama 2018).

    >>> StyleCritic((3, 16, 16), width=8, widest=32)(torch.zeros(4, 3, 16, 16)).shape
    torch.Size([4])
    """

    def __init__(
        self,
        shape: Sequence[int],
        width: int,
        widest: int,
        architecture: Literal["residual", "strided"] = "residual",
        batch_deviation: bool = True,
        classes: int = 0,
    ) -> None:
        super().__init__()
        channels, side = shape[0], shape[1]
        sides = [side]
        while sides[-1] > END:
            sides.append(sides[-1] // 2)
        widths = [min(width * side // r, widest) for r in sides]
        self.batch_deviation = batch_deviation
        self.first = EqualisedConv2d(channels, widths[0], 1)
        make = Halving if architecture == "residual" else _strided
        self.blocks = nn.ModuleList(make(a, b) for a, b in zip(widths, widths[1:], strict=False))
        last = widths[-1]
        self.conv = EqualisedConv2d(last + batch_deviation, last, 3)
        self.linear = EqualisedLinear(last * END**2, last, activate=True)
        self.head = EqualisedLinear(last, last if classes else 1)
        self.embedding = nn.Embedding(classes, last) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        if self.batch_deviation:
            x = torch.cat([x, _deviation(x)], dim=1)
        h = self.head(self.linear(self.conv(x).flatten(1)))
        if self.embedding is None:
            out: Tensor = h.squeeze(1)
            return out
        assert y is not None, "a conditional discriminator is given classes"
        projected: Tensor = (self.embedding(y) * h).sum(dim=1) / sqrt(h.shape[1])
        return projected


class Halving(nn.Module):
    """Two convolutions, the second halving, and a shortcut of one pixel: `(B, C, H, W)` to half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = EqualisedConv2d(inputs, inputs, 3)
        # the variance of their sum is that of one
        self.second = EqualisedConv2d(inputs, outputs, 3, halve=True, gain=sqrt(0.5))
        self.shortcut = EqualisedConv2d(inputs, outputs, 1, halve=True, activate=False, gain=sqrt(0.5))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x).add_(self.second(self.first(x)))
        return out


def _strided(inputs: int, outputs: int) -> EqualisedConv2d:
    return EqualisedConv2d(inputs, outputs, 3, halve=True, filtered=False)


def _deviation(x: Tensor) -> Tensor:
    """Mean standard deviation of maps `(B, C, H, W)` over groups of at most 4 examples, `(B, 1, H, W)`.

    Examples i, i + B / 4, ... are a group, as in the paper's code.
    """
    b, _, h, w = x.shape
    size = next(size for size in range(min(GROUP, b), 0, -1) if b % size == 0)
    groups = x.view(size, b // size, *x.shape[1:])
    # for each group: the mean over channels and pixels
    variance = (groups - groups.mean(dim=0)).square().mean(dim=0)
    deviation = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, h, w)
