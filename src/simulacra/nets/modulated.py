"""Layers that a style controls: modulated convolution, noise and activation (Karras et al. 2019, 2020)."""

from __future__ import annotations

from math import sqrt
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.equalised import GAIN, SLOPE, low_pass

Modulation = Literal["demodulated", "adain"]


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels are scaled by a style: `(B, C, H, W)` and s `(B, C)`.

    For each example the weights are w'_ijk = s_i w_ijk (Karras et al. 2020, eq. 1). As s scales the input,
    one convolution serves the batch.

    Args:
        inputs: channels C.
        outputs: channels C' of the result.
        kernel: side of the kernel, odd.
        doubling: whether the result has twice the size: a transposed convolution, then the low-pass filter.

    Attributes:
        scale: factor of the equalised learning rate. It is not in the result, but in the `demodulation`.

    >>> conv = ModulatedConv2d(4, 8, 3, doubling=True)
    >>> x, s = torch.zeros(2, 4, 8, 8), torch.ones(2, 4)
    >>> conv(x, s).shape, conv.demodulation(s).shape
    (torch.Size([2, 8, 16, 16]), torch.Size([2, 8]))
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, doubling: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale = 1 / sqrt(inputs * kernel**2)
        self.doubling = doubling

    def forward(self, x: Tensor, s: Tensor | None = None) -> Tensor:
        if s is not None:
            x = x * s[:, :, None, None].to(x.dtype)
        if self.doubling:
            return low_pass(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2), 1, gain=2.0)
        return F.conv2d(x, self.weight, padding=self.weight.shape[2] // 2)

    def demodulation(self, s: Tensor) -> Tensor:
        """Factors d `(B, C')` that make the norm of the weights of every output 1, times `scale`."""
        with torch.autocast(s.device.type, enabled=False):
            # w''_ijk = w'_ijk / sqrt(sum_ik w'_ijk^2 + e)   (eq. 3)
            squares = s.to(self.weight.dtype).square() @ self.weight.square().sum(dim=(2, 3)).T
            return self.scale * (self.scale**2 * squares + 1e-8).rsqrt()


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
        self.conv = ModulatedConv2d(inputs, outputs, 3, doubling)
        self.style_size = 2 * outputs if self.adain else inputs
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, s: Tensor, noise: Tensor) -> Tensor:
        # lrelu(d x + B n + b), all of it times the gain
        strength, bias = GAIN * self.noise_strength, GAIN * self.bias
        if not self.adain:
            return activate_(self.conv(x, s), GAIN * self.conv.demodulation(s), noise, strength, bias)
        d = torch.full_like(bias, GAIN * self.conv.scale).expand(x.shape[0], -1)
        x = F.instance_norm(activate_(self.conv(x), d, noise, strength, bias))
        scale, shift = s.to(x.dtype)[:, :, None, None].chunk(2, dim=1)
        # AdaIN(x, s) = s_scale (x - mu(x)) / sigma(x) + s_shift
        return scale * x + shift


class ToImage(nn.Module):
    """A modulated 1 x 1 convolution, without demodulation, from features to the channels of the image."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, channels, 1)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.style_size = inputs

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        # (B, H W, C) with (B, C, C'): few outputs, so that the style scales the weights
        weight = (self.conv.scale * s)[:, :, None] * self.conv.weight.flatten(1).T
        image = torch.bmm(pixels(x), weight.to(x.dtype)) + self.bias
        return image.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


def activate_(x: Tensor, d: Tensor, noise: Tensor, strength: Tensor, bias: Tensor) -> Tensor:
    """lrelu(d x + strength noise + bias), with slope 0.2, in the memory of x.

    Args:
        x: maps `(B, C, H, W)`.
        d: factors `(B, C)`, not 0.
        noise: `(B, 1, H, W)`, or `(1, 1, H, W)` for all.
        strength: a number.
        bias: `(C,)`.

    >>> activate_(torch.ones(1, 1, 1, 2), *(torch.full(s, 2.0) for s in ((1, 1), (1, 1, 1, 2), (), (1,))))
    tensor([[[[8., 8.]]]])
    """
    inputs = (x, d, noise, strength, bias)
    if not (torch.is_grad_enabled() and any(one.requires_grad for one in inputs)):
        return _activate_(*inputs)
    out: Tensor = ScaledActivation.apply(*inputs)  # type: ignore[no-untyped-call]
    return out


def _activate_(x: Tensor, d: Tensor, noise: Tensor, strength: Tensor, bias: Tensor) -> Tensor:
    d, bias = d[:, :, None, None].to(x.dtype), bias[:, None, None].to(x.dtype)
    torch.addcmul(bias, x, d, out=x).add_(strength * noise)
    return F.leaky_relu_(x, SLOPE)


class ScaledActivation(torch.autograd.Function):
    """`activate_`, whose gradients are computed from its result alone, in few passes over the maps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *factors: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        out = _activate_(x, *factors)
        ctx.save_for_backward(out, *factors)
        return out

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        y, d, noise, strength, bias = ctx.saved_tensors
        # dy/dh with h = d x + B n + b, whose sign is that of y
        dh = torch.ops.aten.leaky_relu_backward(dy, y, SLOPE, True)
        # sums over the pixels of dh n and dh, each (B, C)
        rows = torch.stack([noise.expand(len(y), -1, -1, -1), torch.ones_like(y[:, :1])], dim=1).flatten(2)
        by_noise, plain = torch.bmm(rows.to(dh.dtype), pixels(dh)).to(d.dtype).unbind(1)
        # sum dh x = sum dh (h - B n - b) / d, and dh h = dy y
        d_d = (products(dy, y).to(d.dtype) - strength * by_noise - bias * plain) / d
        wanted = ctx.needs_input_grad[2]
        d_noise = (strength * dh.sum(dim=1, keepdim=True)).sum_to_size(noise.shape) if wanted else None
        scale = d[:, :, None, None].to(dh.dtype)
        # in place, where it will not be differentiated again
        dx = dh * scale if torch.is_grad_enabled() else dh.mul_(scale)
        return dx, d_d, d_noise, by_noise.sum(), plain.sum(dim=0)


def pixels(x: Tensor) -> Tensor:
    """Maps `(B, C, H, W)` as `(B, H W, C)`; a view where channels are last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


# channels up to which all pairs of them are cheaper than a map of products
FEW_CHANNELS = 64


def products(a: Tensor, b: Tensor) -> Tensor:
    """Sums over the pixels of the products of maps `(B, C, H, W)`: `(B, C)`.

    >>> products(torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).unique()
    tensor([16.])
    """
    if a.shape[1] > FEW_CHANNELS or a.device.type != "cpu":
        return (a * b).sum(dim=(2, 3))
    return torch.bmm(pixels(a).mT, pixels(b)).diagonal(dim1=1, dim2=2)
