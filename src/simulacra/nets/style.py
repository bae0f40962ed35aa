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
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.equalised import (
    GAIN,
    SLOPE,
    EqualisedConv2d,
    EqualisedLinear,
    double,
    low_pass,
    normalise,
)
from simulacra.nets.layers import embed

# the mapping network learns at 1/100 of the rate (Karras et al. 2019, appendix C)
MAPPING_RATE = 0.01
# side of the constant input
START = 4

Modulation = Literal["demodulated", "adain"]
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


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels are scaled by a style: `(B, C, H, W)`, s `(B, C)`, bias `(C',)`.

    For each example the weights are w'_ijk = s_i w_ijk, divided by their norm over i and k (demodulation,
    Karras et al. 2020, eq. 1 to 3). As s scales the input and the norm the output, one convolution serves
    the batch.

    Args:
        inputs: channels C.
        outputs: channels of the result.
        kernel: side of the kernel, odd.
        demodulate: whether to divide by the norm.
        doubling: whether the result has twice the size: a transposed convolution, then the low-pass filter.
        gain: factor on the result.

    >>> conv = ModulatedConv2d(4, 8, 3, doubling=True)
    >>> conv(torch.zeros(2, 4, 8, 8), torch.ones(2, 4), torch.zeros(8)).shape
    torch.Size([2, 8, 16, 16])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        demodulate: bool = True,
        doubling: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / sqrt(inputs * kernel**2)
        self.demodulate, self.doubling, self.gain = demodulate, doubling, gain

    def forward(self, x: Tensor, s: Tensor, bias: Tensor) -> Tensor:
        weight = self.weight * self.scale
        x = x * s[:, :, None, None].to(x.dtype)
        if self.doubling:
            x = low_pass(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), 1, gain=2.0)
        else:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        with torch.autocast(x.device.type, enabled=False):
            # w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + e)
            norm = s.float().square() @ weight.float().square().sum(dim=(2, 3)).T + 1e-8
            d = norm.rsqrt() if self.demodulate else torch.ones_like(norm)
        return torch.addcmul(
            bias[:, None, None].to(x.dtype), x, (self.gain * d)[:, :, None, None].to(x.dtype)
        )


class StyledLayer(nn.Module):
    """Convolution with a style, noise, bias and leaky ReLU.

    With `adain` the style does not scale the input: it is the scale and the shift of the normalised output
    (adaptive instance normalisation, Karras et al. 2019, eq. 1).

    Args:
        inputs: channels of the input.
        outputs: channels of the output.
        doubling: whether the output has twice the size.
        modulation: where the style acts.

    Attributes:
        style_size: numbers in a style.
    """

    def __init__(self, inputs: int, outputs: int, doubling: bool, modulation: Modulation) -> None:
        super().__init__()
        self.adain = modulation == "adain"
        self.conv = ModulatedConv2d(inputs, outputs, 3, not self.adain, doubling, GAIN)
        self.style_size = 2 * outputs if self.adain else inputs
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, s: Tensor, noise: Tensor) -> Tensor:
        # lrelu(x + B n + b), all of it times the gain
        x = self.conv(x, torch.ones_like(x[:, :, 0, 0]) if self.adain else s, GAIN * self.bias)
        x = F.leaky_relu(x + (GAIN * self.noise_strength * noise).to(x.dtype), SLOPE)
        if not self.adain:
            return x
        scale, shift = s.to(x.dtype)[:, :, None, None].chunk(2, dim=1)
        # AdaIN(x, s) = s_scale (x - mu(x)) / sigma(x) + s_shift
        return scale * F.instance_norm(x) + shift


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution, without demodulation, from features to the channels of the image."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, channels, 1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style_size = inputs

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        out: Tensor = self.conv(x, s, self.bias)
        return out


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
            EqualisedConv2d(widths[r // 2], widths[r], 1, activate=False)
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
        x = self.constant.expand(len(s), -1, -1, -1)
        x = self.layers[0](x, layers[0], noise[0])
        image = self.images[0](x, shown[0]) if self.skip else None
        for k in range(1, len(self.sides)):
            before = x
            for i in (2 * k - 1, 2 * k):
                x = self.layers[i](x, layers[i], noise[i])
            if image is None:
                # the variance stays that of one branch
                x = (x + double(self.shortcuts[k - 1](before))) / sqrt(2)
            else:
                image = double(image) + self.images[k](x, shown[k])
        return self.images[0](x, shown[0]) if image is None else image


def _scale_and_shift(w_dim: int, size: int) -> EqualisedLinear:
    """The affine map of an AdaIN: scales are 1 at first, shifts 0."""
    affine = EqualisedLinear(w_dim, size)
    with torch.no_grad():
        affine.bias[: size // 2] = 1.0
    return affine
