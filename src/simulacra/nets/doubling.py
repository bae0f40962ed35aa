"""Convolutions that halve and double maps, as one product of matrices where there are few pixels.

With 512 channels and a handful of pixels nearly all the work is in the weights, which the convolutions of
oneDNN rearrange for every batch: of a map of 2 by 2 pixels forwards and backwards take 2 to 3 times as long
as the product.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.on_cpu import trained_on_cpu

# of a batch of the smaller map, up to which the product was faster, in fp32 and bf16
FEW_PIXELS = 64


def _few(x: Tensor, pixels: int) -> bool:
    return trained_on_cpu(x) and len(x) * pixels <= FEW_PIXELS


class Halve(nn.Conv2d):
    """Convolution of kernel 4, stride 2 and padding 1: `(B, C, H, W)` to `(B, C', H / 2, W / 2)`.

    >>> Halve(3, 8)(torch.zeros(2, 3, 16, 12)).shape
    torch.Size([2, 8, 8, 6])
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2] // 2, x.shape[3] // 2
        if self.bias is None or not _few(x, h * w):
            return super().forward(x)
        # (B, C * 16, H / 2 * W / 2): the window of every output
        windows = F.unfold(x, 4, stride=2, padding=1)
        out = torch.matmul(self.weight.flatten(1), windows) + self.bias[:, None]
        return out.unflatten(2, (h, w))


class Double(nn.ConvTranspose2d):
    """Transposed convolution of kernel 4, stride 2 and padding 1: `(B, C, H, W)` to `(B, C', 2 H, 2 W)`.

    >>> Double(8, 3)(torch.zeros(2, 8, 4, 6)).shape
    torch.Size([2, 3, 8, 12])
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(c_in, c_out, 4, stride=2, padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        h, w = x.shape[2:]
        if self.bias is None or not _few(x, h * w):
            return super().forward(x, output_size)
        # (B, C' * 16, H * W): what every input adds to its window
        windows = torch.matmul(self.weight.flatten(1).t(), x.flatten(2))
        return F.fold(windows, (2 * h, 2 * w), 4, stride=2, padding=1) + self.bias[:, None, None]
