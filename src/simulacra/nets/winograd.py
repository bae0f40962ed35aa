"""Convolutions of many channels with fewer multiplications (Winograd 1980; Lavin and Gray 2016).

A kernel g of r numbers slides over n = m + r - 1 numbers d to m outputs. Values of polynomials at n points,
one of them infinity, multiply as the polynomials do; transposed, that is (Lavin and Gray 2016, eq. 8)

    y = A^T [(G g) * (B^T d)],    A = V_m, G = V_r, B = V_n^-1

with V_k the first k powers of the points: n multiplications instead of m r. Of images both sides are taken
so. In tiles of 4 by 4 outputs a kernel of 4 by 4 needs a fifth of the multiplications, and the sums over
channels are products of matrices. Outputs and gradients are off by 5e-6 of their size, those of torch's
convolution by up to 1e-6.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.on_cpu import in_float32, trained_on_cpu

# outputs of a tile, on each side
TILE = 4
# near 1, so that little is lost (Barabasz et al. 2020); the last is infinity
POINTS = (0.0, 1.0, -1.0, 0.5, -2.0, -0.5)
# of inputs and outputs, and pixels of a batch, from which it was faster on one core and on two
CHANNELS, PIXELS = 192, 900


class Winograd(nn.Conv2d):
    """Convolution of stride 1 with a kernel of up to 4 pixels a side, padded with zeros.

    In training on a CPU in float32; elsewhere, and of few channels or pixels, it is the convolution of torch.

    >>> Winograd(256, 512, 4, padding=1)(torch.zeros(1, 256, 32, 32)).shape
    torch.Size([1, 512, 31, 31])
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, padding: int = 0) -> None:
        super().__init__(c_in, c_out, kernel, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None or not self._pays(x):
            return super().forward(x)
        y: Tensor = Convolution.apply(x, self.weight, self.padding[0])  # type: ignore[no-untyped-call]
        return y + self.bias[:, None, None]

    def _pays(self, x: Tensor) -> bool:
        return (
            min(self.in_channels, self.out_channels) >= CHANNELS
            and len(x) * x.shape[2] * x.shape[3] >= PIXELS
            and trained_on_cpu(x)
            and in_float32(x)
        )


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
            # with the kernels turned round
            turned = to._replace(g=to.g.flip(1))
            dx = _convolved(dy, r - 1 - ctx.padding, weight.transpose(0, 1), turned)
        if ctx.needs_input_grad[1]:
            # (n^2, C', B * tiles) with (n^2, B * tiles, C)
            tiles = _tiling(*dy.shape[2:])
            d, e = _cut(x, ctx.padding, to.b, *tiles), _cut(dy, 0, to.a.t(), *tiles)
            dw = (torch.bmm(e.mT, d).flatten(1).t() @ to.g).view_as(weight)
        return dx, dw, None


class Transforms(NamedTuple):
    """A^T `(m, n)` and B^T `(n, n)` of one side, G `(n^2, r^2)` of both."""

    a: Tensor
    b: Tensor
    g: Tensor


@lru_cache
def transforms(r: int, dtype: torch.dtype) -> Transforms:
    """Those of kernels of r by r pixels.

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
    # the same product, of numbers of one size
    scale = b.abs().amax(dim=1, keepdim=True)
    parts = (powers(TILE).t(), b / scale, torch.kron(g * scale, g * scale))
    return Transforms(*(part.to(dtype).contiguous() for part in parts))


def _convolved(x: Tensor, padding: int, weight: Tensor, to: Transforms) -> Tensor:
    c_out, r = len(weight), weight.shape[2]
    n, b = len(to.b), len(x)
    height, width = (side + 2 * padding - r + 1 for side in x.shape[2:])
    rows, columns = _tiling(height, width)
    # (n^2, B * tiles, C) with (n^2, C, C')
    y = torch.bmm(_cut(x, padding, to.b, rows, columns), _at_points(weight, to.g))
    y = to.a @ (to.a @ y.view(n, -1)).view(TILE, n, -1)
    y = y.view(TILE, TILE, b, rows, columns, c_out).permute(2, 5, 3, 0, 4, 1)
    return y.reshape(b, c_out, rows * TILE, columns * TILE)[:, :, :height, :width]


def _tiling(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return ceil(height / TILE), ceil(width / TILE)


def _cut(x: Tensor, padding: int, to: Tensor, rows: int, columns: int) -> Tensor:
    """Tiles of images `(B, C, H, W)`, TILE apart, both sides by `to` `(n', n)`: `(n'^2, B * tiles, C)`."""
    (points, n), (b, c, h, w) = to.shape, x.shape
    below, right = ((tiles - 1) * TILE + n - padding - side for tiles, side in ((rows, h), (columns, w)))
    # (B, H, W, C): what stands together is moved together
    x = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, right, padding, below)).contiguous()
    across = x.unfold(2, n, TILE).permute(4, 0, 1, 2, 3).reshape(n, -1)
    x = (to @ across).view(points, b, -1, columns, c)
    down = x.unfold(2, n, TILE).permute(5, 0, 1, 2, 3, 4).reshape(n, -1)
    return (to @ down).view(points**2, -1, c)


def _at_points(weight: Tensor, g: Tensor) -> Tensor:
    """Weights `(C', C, r, r)`: `(n^2, C, C')`."""
    c_out, c_in = weight.shape[:2]
    # without a copy of either order
    if weight.is_contiguous():
        return (g @ weight.flatten(2).flatten(0, 1).t()).view(-1, c_out, c_in).mT
    return (g @ weight.transpose(0, 1).flatten(2).flatten(0, 1).t()).view(-1, c_in, c_out)
