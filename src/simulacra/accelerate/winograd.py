"""Convolutions of many channels with fewer multiplications (Winograd 1980; Lavin and Gray 2016).

A kernel g of r numbers slides over n = m + r - 1 numbers d to m outputs. Polynomials multiply as their values
at n points do, one of which is infinity; transposed, that is (Lavin and Gray 2016, eq. 8)

    y = A^T [(G g) * (B^T d)],    A = V_m, G = V_r, B = V_n^-1

with V_k the first k powers of the points: n multiplications instead of m r. Images are transformed along
both sides. With tiles of 4 by 4 outputs, a kernel of 4 by 4 needs a fifth of the multiplications, and the
sums over channels are products of matrices. The relative error of outputs and gradients is 5e-6, that of
torch's convolution up to 1e-6.

Without it a training step of pix2pix (256 pixels, one pair, fp32, one thread) takes 1.15 times as long: the
median of 7 paired rounds, in CPU time on a busy machine. "simulacra, fp32" and "without kernels" of

    python benchmarks/translation_step.py --cases pix2pix-256-1 --threads 1 --rounds 7
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# outputs of a tile along each side
TILE = 4
# near 1 to keep rounding errors small (Barabasz et al. 2020); the last point is infinity
POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, -0.5)
# fewest input and output channels, and pixels of a batch, at which it was faster on one core and on two
CHANNELS, PIXELS = 192, 900


class WinogradConv2d(nn.Conv2d):
    """`nn.Conv2d` with a 4x4 kernel and stride 1, computed by Winograd's algorithm when trained in float32.

    >>> conv = nn.Conv2d(256, 512, 4, padding=1)
    >>> WinogradConv2d.replaces(conv), WinogradConv2d.replaces(nn.Conv2d(256, 512, 3))
    (True, False)
    """

    @staticmethod
    def replaces(conv: nn.Conv2d) -> bool:
        """Whether this convolution is one that it computes, and faster."""
        plain = (
            conv.stride == conv.dilation == (1, 1)
            and conv.groups == 1
            and conv.padding_mode == "zeros"
            and conv.bias is not None
            and conv.padding in ((0, 0), (1, 1), (2, 2), (3, 3))
        )
        return plain and conv.kernel_size == (4, 4) and min(conv.in_channels, conv.out_channels) >= CHANNELS

    def forward(self, x: Tensor) -> Tensor:
        if not trains_in_float32(x) or len(x) * x.shape[2] * x.shape[3] < PIXELS:
            return super().forward(x)
        assert self.bias is not None
        assert isinstance(self.padding[0], int)
        y: Tensor = Convolution.apply(x, self.weight, self.padding[0])  # type: ignore[no-untyped-call]
        return y + self.bias[:, None, None]


def trains_in_float32(x: Tensor) -> bool:
    """Whether x is computed with on a CPU, with gradients and in float32.

    Inference, exported and compiled nets use torch's convolutions.

    >>> trains_in_float32(torch.zeros(1)), trains_in_float32(torch.zeros(1, dtype=torch.float64))
    (True, False)
    >>> with torch.no_grad():
    ...     trains_in_float32(torch.zeros(1))
    False
    """
    training = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    float32 = x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
    return x.device.type == "cpu" and training and float32


class Convolution(torch.autograd.Function):
    """Images `(B, C, H, W)`, weights `(C', C, r, r)`: `(B, C', H + 2 p - r + 1, W + 2 p - r + 1)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding = padding
        return _convolved(x, padding, weight, transforms(weight.shape[2], x.dtype))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        r, dx, dw = weight.shape[2], None, None
        to = transforms(r, x.dtype)
        if ctx.needs_input_grad[0]:
            # with the kernels flipped
            flipped = to._replace(g=to.g.flip(1))
            dx = _convolved(dy, r - 1 - ctx.padding, weight.transpose(0, 1), flipped)
        if ctx.needs_input_grad[1]:
            # (n^2, C', B * tiles) with (n^2, B * tiles, C)
            tiles = _tiling(*dy.shape[2:])
            d, e = _tiles(x, ctx.padding, to.b, *tiles), _tiles(dy, 0, to.a.t(), *tiles)
            dw = (torch.bmm(e.mT, d).flatten(1).t() @ to.g).view_as(weight)
        return dx, dw, None


class Transforms(NamedTuple):
    """A^T `(m, n)` and B^T `(n, n)` of one side, G `(n^2, r^2)` of both."""

    a: Tensor
    b: Tensor
    g: Tensor


@lru_cache
def transforms(r: int, dtype: torch.dtype) -> Transforms:
    """The transforms for kernels of r by r pixels.

    >>> to, g, d = transforms(3, torch.float64), torch.rand(3, 3).double(), torch.rand(6, 6).double()
    >>> y = to.a @ ((to.g @ g.flatten()).view(6, 6) * (to.b @ d @ to.b.T)) @ to.a.T
    >>> torch.allclose(y, F.conv2d(d[None, None], g[None, None]))
    True
    """
    n = TILE + r - 1
    points = torch.tensor(POINTS[: n - 1], dtype=torch.float64)

    def powers(k: int) -> Tensor:
        return torch.cat([points[:, None] ** torch.arange(k), torch.eye(k, dtype=torch.float64)[-1:]])

    g, b = powers(r), torch.linalg.inv(powers(n)).t()
    # the same product of numbers of similar magnitude
    scale = b.abs().amax(dim=1, keepdim=True)
    parts = (powers(TILE).t(), b / scale, torch.kron(g * scale, g * scale))
    return Transforms(*(part.to(dtype).contiguous() for part in parts))


def _convolved(x: Tensor, padding: int, weight: Tensor, to: Transforms) -> Tensor:
    c_out, r = len(weight), weight.shape[2]
    n, b = len(to.b), len(x)
    height, width = (side + 2 * padding - r + 1 for side in x.shape[2:])
    rows, columns = _tiling(height, width)
    # (n^2, B * tiles, C) with (n^2, C, C')
    y = torch.bmm(_tiles(x, padding, to.b, rows, columns), _transformed(weight, to.g))
    y = to.a @ (to.a @ y.view(n, -1)).view(TILE, n, -1)
    y = y.view(TILE, TILE, b, rows, columns, c_out).permute(2, 5, 3, 0, 4, 1)
    return y.reshape(b, c_out, rows * TILE, columns * TILE)[:, :, :height, :width]


def _tiling(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return ceil(height / TILE), ceil(width / TILE)


def _tiles(x: Tensor, padding: int, to: Tensor, rows: int, columns: int) -> Tensor:
    """Tiles of images `(B, C, H, W)`, transformed by `to` `(n', n)`: `(n'^2, B * tiles, C)`."""
    (points, n), (b, c, h, w) = to.shape, x.shape
    below, right = ((tiles - 1) * TILE + n - padding - side for tiles, side in ((rows, h), (columns, w)))
    # (B, H, W, C): channels are contiguous, and copied together
    x = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, right, padding, below)).contiguous()
    across = x.unfold(2, n, TILE).permute(4, 0, 1, 2, 3).reshape(n, -1)
    x = (to @ across).view(points, b, -1, columns, c)
    down = x.unfold(2, n, TILE).permute(5, 0, 1, 2, 3, 4).reshape(n, -1)
    return (to @ down).view(points**2, -1, c)


def _transformed(weight: Tensor, g: Tensor) -> Tensor:
    """Weights `(C', C, r, r)` transformed: `(n^2, C, C')`."""
    c_out, c_in = weight.shape[:2]
    # no copy, in either memory format
    if weight.is_contiguous():
        return (g @ weight.flatten(2).flatten(0, 1).t()).view(-1, c_out, c_in).mT
    return (g @ weight.transpose(0, 1).flatten(2).flatten(0, 1).t()).view(-1, c_in, c_out)
