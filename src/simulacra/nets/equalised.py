"""Layers with an equalised learning rate, and filtered resampling: what the nets of StyleGAN are made of.

Weights are drawn from N(0, 1) and multiplied at every use by 1 / sqrt(inputs), so that an optimizer with
adaptive steps moves all of them at the same relative rate (Karras et al. 2018, arXiv:1710.10196, section
4.1).
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2
# keeps the variance of a leaky ReLU with this slope
GAIN = sqrt(2)


class EqualisedLinear(nn.Module):
    """A linear layer `(B, inputs)` to `(B, outputs)` with an equalised learning rate.

    Args:
        inputs: numbers of an input.
        outputs: numbers of an output.
        rate: factor on the learning rate of weights and bias.
        bias: initial value of the bias.
        activate: whether sqrt(2) lrelu(x) follows, with slope 0.2.

    >>> EqualisedLinear(4, 3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, inputs: int, outputs: int, rate: float = 1.0, bias: float = 0.0, activate: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.activate = activate
        # g lrelu(x) = lrelu(g x): the gain of the activation is part of the small tensors
        after = rate * GAIN if activate else rate
        self.gain, self.bias_gain = after / sqrt(inputs), after

    def forward(self, x: Tensor) -> Tensor:
        # a batch is smaller than the weights
        x = F.linear(x * self.gain, self.weight, self.bias * self.bias_gain)
        return F.leaky_relu_(x, SLOPE) if self.activate else x


class EqualisedConv2d(nn.Module):
    """A convolution with an equalised learning rate and an odd kernel: `(B, C, H, W)` to `(B, C', H, W)`.

    Args:
        inputs: channels C.
        outputs: channels C'.
        kernel: side of the kernel.
        halve: whether to convolve with stride 2, for `(B, C', H / 2, W / 2)`.
        filtered: whether the low-pass filter comes before a stride of 2.
        activate: whether there is a bias, and sqrt(2) lrelu(x) follows, with slope 0.2.
        gain: factor on the result.

    >>> EqualisedConv2d(4, 8, 3, halve=True)(torch.zeros(2, 4, 16, 16)).shape
    torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        halve: bool = False,
        filtered: bool = True,
        activate: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if activate else None
        self.bias_gain = GAIN * gain if activate else gain
        self.gain = self.bias_gain / sqrt(inputs * kernel**2)
        self.stride, self.filtered = 1 + halve, halve and filtered

    def forward(self, x: Tensor) -> Tensor:
        weight, kernel = self.weight * self.gain, self.weight.shape[2]
        bias = None if self.bias is None else self.bias * self.bias_gain
        if not self.filtered:
            x = F.conv2d(x, weight, bias, stride=self.stride, padding=kernel // 2)
        else:
            # what filter and kernel take off, and one pixel for the stride
            padding = (FILTER - 2 + kernel - 1) // 2
            # the stride commutes with a kernel of one pixel
            first, second = (2, 1) if kernel == 1 else (1, 2)
            x = F.conv2d(low_pass(x, padding, stride=first), weight, bias, stride=second)
        return x if bias is None else F.leaky_relu_(x, SLOPE)


# taps of the low-pass filter [1, 3, 3, 1] / 8
FILTER = 4


def low_pass(x: Tensor, padding: int, gain: float = 1.0, stride: int = 1) -> Tensor:
    """Images `(B, C, H, W)`, padded with zeros, convolved with gain [1, 3, 3, 1] / 8 along both sides."""
    return _resampled(x, Resampling(gain, stride, padding))


def double(x: Tensor) -> Tensor:
    """Images `(B, C, H, W)` at twice their size: zeros between the pixels, then the low-pass filter.

    >>> double(torch.ones(1, 1, 4, 4))[0, 0, 2:-2, 2:-2].unique()
    tensor([1.])
    """
    return _resampled(x, Resampling(2.0, 2, 1, doubles=True))


class Resampling(NamedTuple):
    """The low-pass filter before every `stride`-th pixel is taken, or after zeros were put between pixels."""

    gain: float
    stride: int
    padding: int
    doubles: bool = False

    @property
    def adjoint(self) -> Resampling:
        """What takes gradients of the output to those of the input."""
        if self.stride == 1:
            # the filter is symmetric
            return self._replace(padding=FILTER - 1 - self.padding)
        return self._replace(doubles=not self.doubles)

    def __call__(self, x: Tensor) -> Tensor:
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) * (self.gain / 8)
        weight = (taps[:, None] * taps).expand(x.shape[1], 1, FILTER, FILTER)
        convolve = F.conv_transpose2d if self.doubles else F.conv2d
        return convolve(x, weight, stride=self.stride, padding=self.padding, groups=x.shape[1])


class Resampled(torch.autograd.Function):
    """A resampling, whose derivatives are resamplings; torch's second derivative also takes the filter's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, resampling: Resampling) -> Tensor:
        ctx.resampling = resampling
        return resampling(x)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        return _resampled(dy, ctx.resampling.adjoint), None


def _resampled(x: Tensor, resampling: Resampling) -> Tensor:
    if not (torch.is_grad_enabled() and x.requires_grad):
        return resampling(x)
    out: Tensor = Resampled.apply(x, resampling)  # type: ignore[no-untyped-call]
    return out


def normalise(z: Tensor) -> Tensor:
    """Vectors `(..., Z)` divided by the root of their mean square (Karras et al. 2018, section 4.2)."""
    return z * (z.square().mean(dim=-1, keepdim=True) + 1e-8).rsqrt()
