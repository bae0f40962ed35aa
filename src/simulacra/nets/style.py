"""The generator of StyleGAN (Karras et al. 2019, arXiv:1812.04948; Karras et al. 2020, arXiv:1912.04958).

A mapping network turns z into w. The synthesis network starts from a learned constant; each of its
convolutions is controlled by a style, an affine map of w, and followed by noise:

    z -> f -> w -> A_l -> s_l        x_0 = constant,   x_l = lrelu(conv(x_{l-1}; W_l, s_l) + B_l n_l + b_l)

    >>> net = Synthesis((3, 32, 32), w_dim=16, width=8, widest=32)
    >>> w = torch.randn(2, len(net.resolutions), 16)
    >>> net(net.styles(w), net.noise(2, torch.randn)).shape
    torch.Size([2, 3, 32, 32])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log2, sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from simulacra.nets.equalised import EqualisedConv2d, EqualisedLinear, double, normalise
from simulacra.nets.layers import embed
from simulacra.nets.modulated import Modulation, StyledLayer, ToImage

# the mapping network learns at 1/100 of the rate (Karras et al. 2019, appendix C)
MAPPING_RATE = 0.01
# side of the constant input
START = 4

Architecture = Literal["skip", "residual"]


class MappingNetwork(nn.Module):
    """z `(B, Z)` and, where there are classes, y, to w `(B, W)`.

    Args:
        z_dim: numbers in z.
        w_dim: numbers in w.
        depth: linear layers.
        classes: number of classes; 0 for none. Classes are `(B,)` int64 or weights `(B, K)`.

    Attributes:
        w_avg: moving average of w `(W,)`.

    >>> MappingNetwork(8, 16, depth=2)(torch.randn(4, 8)).shape
    torch.Size([4, 16])
    """

    w_avg: Tensor

    def __init__(self, z_dim: int, w_dim: int, depth: int, classes: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, w_dim) if classes else None
        widths = [z_dim + (w_dim if classes else 0), *[w_dim] * depth]
        self.layers = nn.ModuleList(
            EqualisedLinear(a, b, MAPPING_RATE, activate=True)
            for a, b in zip(widths, widths[1:], strict=False)
        )
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        h = normalise(z)
        if self.embedding is not None:
            assert y is not None, "a mapping network with classes is given them"
            h = torch.cat([h, normalise(embed(self.embedding, y))], dim=1)
        for layer in self.layers:
            h = layer(h)
        return h


class Synthesis(nn.Module):
    """Styles and noise maps to images `(B, C, H, H)` in [-1, 1], not clipped.

    `skip` adds up an image from each resolution (Karras et al. 2020, figure 7b); `residual` adds up features,
    and makes one image at the end (figure 7c).

    Args:
        shape: of an image: channels, and a side that is a power of two twice, at least 8.
        w_dim: numbers in w.
        width: channels at full size, doubled at every halving.
        widest: most channels.
        architecture: as above.
        modulation: where styles act.

    Attributes:
        resolutions: side of the maps that each layer of w+ controls.
        style_sizes: numbers in each style, in the order of use: of each convolution, of each image.
    """

    def __init__(
        self,
        shape: Sequence[int],
        w_dim: int,
        width: int,
        widest: int,
        architecture: Architecture = "skip",
        modulation: Modulation = "demodulated",
    ) -> None:
        super().__init__()
        channels, side = shape[0], shape[1]
        self.sides = [START * 2**k for k in range(int(log2(side // START)) + 1)]
        widths = {r: min(width * side // r, widest) for r in self.sides}
        self.skip = architecture == "skip"
        self.constant = nn.Parameter(torch.randn(1, widths[START], START, START))
        layers = [StyledLayer(widths[START], widths[START], False, modulation)]
        for r in self.sides[1:]:
            layers += [
                StyledLayer(widths[r // 2], widths[r], True, modulation),
                StyledLayer(widths[r], widths[r], False, modulation),
            ]
        self.layers = nn.ModuleList(layers)
        shown = self.sides if self.skip else self.sides[-1:]
        self.images = nn.ModuleList(ToImage(widths[r], channels) for r in shown)
        self.shortcuts = nn.ModuleList(
            EqualisedConv2d(widths[r // 2], widths[r], 1, activate=False, gain=sqrt(0.5))
            for r in (() if self.skip else self.sides[1:])
        )
        # layer of w+ for each style: an image shares the one of the next convolution
        self.controls = [*range(len(layers)), *((2 * self.sides.index(r) + 1) for r in shown)]
        self.resolutions = (*(r for r in self.sides for _ in range(1 if r == START else 2)), side)
        self.style_sizes = [int(part.style_size) for part in (*self.layers, *self.images)]
        # styles are 1 at first
        self.affines = nn.ModuleList(
            EqualisedLinear(w_dim, size, bias=1.0)
            if modulation == "demodulated" or i >= len(layers)
            else _scale_and_shift(w_dim, size)
            for i, size in enumerate(self.style_sizes)
        )

    def styles(self, w: Tensor) -> Tensor:
        """All styles `(B, S)`, one after the other, of w+ `(B, L, W)`."""
        return torch.cat(
            [affine(w[:, layer]) for affine, layer in zip(self.affines, self.controls, strict=True)], dim=1
        )

    def noise(self, n: int, normal: Callable[..., Tensor]) -> list[Tensor]:
        """Noise maps `(n, 1, H, H)` for each convolution, from a function such as `torch.randn`."""
        return [normal(n, 1, r, r) for r in self.resolutions[:-1]]

    def forward(self, s: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Images of w+ `(B, L, W)`, or of all styles `(B, S)`."""
        s = self.styles(s) if s.ndim == 3 else s
        styles = s.split(self.style_sizes, dim=1)
        layers, shown = styles[: len(self.layers)], styles[len(self.layers) :]
        # not len(s), which an export would take for a constant
        x = self.constant.expand(s.shape[0], -1, -1, -1)
        x = self.layers[0](x, layers[0], noise[0])
        image = self.images[0](x, shown[0]) if self.skip else None
        for k in range(1, len(self.sides)):
            before = x
            for i in (2 * k - 1, 2 * k):
                x = self.layers[i](x, layers[i], noise[i])
            if image is None:
                # the variance stays that of one branch
                x = sqrt(0.5) * x + double(self.shortcuts[k - 1](before))
            else:
                image = double(image) + self.images[k](x, shown[k])
        return self.images[0](x, shown[0]) if image is None else image


def _scale_and_shift(w_dim: int, size: int) -> EqualisedLinear:
    """The affine map of an AdaIN: scales are 1 at first, shifts 0."""
    affine = EqualisedLinear(w_dim, size)
    with torch.no_grad():
        affine.bias[: size // 2] = 1.0
    return affine
