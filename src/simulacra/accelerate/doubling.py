"""Convolutions that halve and double maps, as one product of matrices where there are few pixels.

With 512 channels and a handful of pixels nearly all the work is in the weights, which the convolutions of
oneDNN rearrange for every batch: on a map of 2 by 2 pixels forward and backward take 2 to 3 times as long.

What it gains for a training step of pix2pix (256 pixels, one pair, fp32, one thread, CPU time) is not
certain: 1.02 times in 7 paired rounds and 1.11 in 8 others, both on a busy machine. The sides are "simulacra,
fp32" and "without kernels" (which also leaves out `winograd`) of

    python benchmarks/translation_step.py --cases pix2pix-256-1 --threads 1 --rounds 7
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# pixels of a batch of the smaller map up to which the product was faster, in fp32 and bf16
FEW_PIXELS = 64


class HalvingConv2d(nn.Conv2d):
    """`nn.Conv2d` with kernel 4, stride 2 and padding 1: `(B, C, H, W)` to `(B, C', H / 2, W / 2)`.

    >>> HalvingConv2d.replaces(nn.Conv2d(3, 8, 4, 2, 1)), HalvingConv2d.replaces(nn.Conv2d(3, 8, 4))
    (True, False)
    """

    @staticmethod
    def replaces(conv: nn.Conv2d) -> bool:
        """Whether this convolution is one that it computes."""
        return _halves(conv) and conv.padding_mode == "zeros"

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2] // 2, x.shape[3] // 2
        if not _few(x, h * w):
            return super().forward(x)
        assert self.bias is not None
        # (B, C * 16, H / 2 * W / 2): the window of every output
        windows = F.unfold(x, 4, stride=2, padding=1)
        out = torch.matmul(self.weight.flatten(1), windows) + self.bias[:, None]
        return out.unflatten(2, (h, w))


class DoublingConv2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` with kernel 4, stride 2 and padding 1: `(B, C, H, W)` to `(B, C', 2 H, 2 W)`.

    >>> DoublingConv2d.replaces(nn.ConvTranspose2d(8, 3, 4, 2, 1))
    True
    """

    @staticmethod
    def replaces(conv: nn.ConvTranspose2d) -> bool:
        """Whether this convolution is one that it computes."""
        return _halves(conv) and conv.output_padding == (0, 0)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        h, w = x.shape[2:]
        if not _few(x, h * w):
            return super().forward(x, output_size)
        assert self.bias is not None
        # (B, C' * 16, H * W): what every input adds to its window
        windows = torch.matmul(self.weight.flatten(1).t(), x.flatten(2))
        return F.fold(windows, (2 * h, 2 * w), 4, stride=2, padding=1) + self.bias[:, None, None]


def _halves(conv: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    geometry = (conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    plain = geometry == ((4, 4), (2, 2), (1, 1), (1, 1)) and conv.groups == 1
    return plain and conv.bias is not None


def _few(x: Tensor, pixels: int) -> bool:
    """Whether x is trained with on a CPU, and so few pixels that the product is faster."""
    training = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return x.device.type == "cpu" and training and len(x) * pixels <= FEW_PIXELS
