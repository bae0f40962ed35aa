"""The last convolution of a net of images: a large kernel to few channels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.on_cpu import in_float32, trained_on_cpu


class ToImage(nn.Conv2d):
    """Convolution without padding, whose gradients are products of matrices on a CPU.

    Those of oneDNN fill whole registers with the outputs, of which there are 3, and take twice as long.

    >>> ToImage(64, 3, 7)(torch.zeros(2, 64, 22, 14)).shape
    torch.Size([2, 3, 16, 8])
    """

    def __init__(self, c_in: int, c_out: int, kernel: int) -> None:
        super().__init__(c_in, c_out, kernel)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None or not (trained_on_cpu(x) and in_float32(x)):
            return super().forward(x)
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
        r, turned = weight.shape[2], weight.flip(2, 3)
        dx, dw = [], weight.new_zeros(len(weight) * r * r, x.shape[1])
        # an image at a time: windows are large
        for x_i, dy_i in zip(x, dy, strict=True):
            # (C' * r * r, H * W): what every input went into
            windows = F.unfold(dy_i, r, padding=r - 1)
            if ctx.needs_input_grad[0]:
                dx.append((turned.transpose(0, 1).flatten(1) @ windows).view_as(x_i))
            if ctx.needs_input_grad[1]:
                dw = dw + windows @ x_i.flatten(1).t()
        return (
            torch.stack(dx) if ctx.needs_input_grad[0] else None,
            dw.view(-1, r, r, x.shape[1]).permute(0, 3, 1, 2).flip(2, 3) if ctx.needs_input_grad[1] else None,
        )
