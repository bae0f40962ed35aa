"""The last convolution of a generator: a large kernel and few output channels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.accelerate.training import trains_in_float32


class ToImageConv2d(nn.Conv2d):
    """`nn.Conv2d` to an image with a 7x7 kernel, whose gradients are products of matrices.

    oneDNN's gradients take twice as long: they fill whole registers with the output channels, here 3.

    >>> ToImageConv2d.replaces(nn.Conv2d(64, 3, 7)), ToImageConv2d.replaces(nn.Conv2d(3, 64, 7))
    (True, False)
    """

    @staticmethod
    def replaces(conv: nn.Conv2d) -> bool:
        """Whether it computes this convolution, and faster."""
        few = conv.out_channels <= 4 and conv.in_channels > conv.out_channels
        return conv.kernel_size == (7, 7) and conv.padding == (0, 0) and few

    def forward(self, x: Tensor) -> Tensor:
        if not trains_in_float32(x):
            return super().forward(x)
        assert self.bias is not None
        y: Tensor = Convolution.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return y + self.bias[:, None, None]


class Convolution(torch.autograd.Function):
    """x `(B, C, H, W)`, weights `(C', C, r, r)`: `(B, C', H - r + 1, W - r + 1)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        r, flipped = weight.shape[2], weight.flip(2, 3)
        dx, dw = [], weight.new_zeros(len(weight) * r * r, x.shape[1])
        # one image at a time: the windows need much memory
        for x_i, dy_i in zip(x, dy, strict=True):
            # (C' * r * r, H * W): the output gradients that each input contributes to
            windows = F.unfold(dy_i, r, padding=r - 1)
            if ctx.needs_input_grad[0]:
                dx.append((flipped.transpose(0, 1).flatten(1) @ windows).view_as(x_i))
            if ctx.needs_input_grad[1]:
                dw = dw + windows @ x_i.flatten(1).t()
        return (
            torch.stack(dx) if ctx.needs_input_grad[0] else None,
            dw.view(-1, r, r, x.shape[1]).permute(0, 3, 1, 2).flip(2, 3) if ctx.needs_input_grad[1] else None,
        )
