"""Encoder and decoder between images and maps of latents, which work at a fraction of the image's size."""

from __future__ import annotations

from torch import Tensor, nn

from simulacra.nets.conv import channels
from simulacra.nets.layers import NormAct
from simulacra.nets.resnet import PreActBlock

NORM_ACT = NormAct("group")


class MapEncoder(nn.Module):
    """Images to maps: `(B, C, H, W)` to `(B, outputs, H / factor, W / factor)`.

    A strided convolution, then `depth` residual blocks and a halving convolution a level, and a convolution.

    Args:
        inputs: channels of the images.
        outputs: channels of the maps.
        width: channels after the first convolution, doubled at every halving.
        depth: residual blocks a level.
        stem: stride of the first convolution, even.
        factor: of height and width, a multiple of `stem` by a power of two; both are multiples of it.

    >>> import torch
    >>> MapEncoder(3, 8, width=16, depth=1, stem=2, factor=8)(torch.zeros(2, 3, 64, 32)).shape
    torch.Size([2, 8, 8, 4])
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, stem: int, factor: int) -> None:
        super().__init__()
        widths = _widths(width, stem, factor)
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 2 * stem, stem, stem // 2)]
        for c_in, c_out in zip(widths, widths[1:], strict=False):
            layers += [*_blocks(c_in, depth), nn.Conv2d(c_in, c_out, 4, 2, 1)]
        layers += [*_blocks(widths[-1], depth), *NORM_ACT.layers(widths[-1])]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class MapDecoder(nn.Module):
    """Maps to images: `(B, inputs, h, w)` to `(B, outputs, factor * h, factor * w)`.

    `MapEncoder` in reverse; `last` is the transposed convolution that gives the image.

    >>> import torch
    >>> MapDecoder(4, 3, width=16, depth=1, stem=2, factor=8)(torch.zeros(2, 4, 8, 4)).shape
    torch.Size([2, 3, 64, 32])
    """

    def __init__(self, inputs: int, outputs: int, width: int, depth: int, stem: int, factor: int) -> None:
        super().__init__()
        widths = _widths(width, stem, factor)[::-1]
        layers: list[nn.Module] = [nn.Conv2d(inputs, widths[0], 3, padding=1)]
        for c_in, c_out in zip(widths, widths[1:], strict=False):
            # kernel 4, stride 2, padding 1 doubles the map without the checkerboard of odd kernels
            layers += [*_blocks(c_in, depth), nn.ConvTranspose2d(c_in, c_out, 4, 2, 1)]
        layers += [*_blocks(width, depth), *NORM_ACT.layers(width)]
        self.layers = nn.Sequential(*layers)
        self.last = nn.ConvTranspose2d(width, outputs, 2 * stem, stem, stem // 2)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.last(self.layers(z))
        return out


def _widths(width: int, stem: int, factor: int) -> list[int]:
    """Channels of each level, the largest maps first."""
    return channels(width, (factor // stem).bit_length())


def _blocks(width: int, depth: int) -> list[nn.Module]:
    return [PreActBlock(width, NORM_ACT) for _ in range(depth)]
