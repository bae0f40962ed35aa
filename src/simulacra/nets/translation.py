"""Generators that translate images `(B, C, H, W)` to images of the same height and width.

The layers are those of pix2pix (Isola et al. 2017, section 6.1) and CycleGAN (Zhu et al. 2017, section 7.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.layers import instance_or_batch

SLOPE = 0.2


class SkipUNet(nn.Module):
    """U-Net of pix2pix: halves the image down to one pixel and doubles it again, with a skip at every size.

    Args:
        inputs: channels.
        outputs: channels.
        size: the shorter side of the images; it is halved until it is 1 pixel long.
        width: channels of the first level, doubled at every halving up to 8 times.
        norm: instance, batch or none.
        dropout: dropout of 0.5 in the widest levels of the decoder: the noise of pix2pix.
        code_dim: size of a code that is appended to the input as constant maps; 0 for none.

    Images of any size: they are padded by reflection to a multiple of 2^levels, and the output is cropped.

    >>> SkipUNet(3, 3, size=64, width=8)(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 3, 64, 48])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        width: int,
        norm: str = "batch",
        dropout: bool = True,
        code_dim: int = 0,
    ) -> None:
        super().__init__()
        self.levels = max(2, (size - 1).bit_length())
        self.code_dim = code_dim
        widths = [width * min(2**level, 8) for level in range(self.levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (c_in, c_out) in enumerate(zip([inputs + code_dim, *widths], widths, strict=False)):
            innermost = level == self.levels - 1
            # instance norm would set a single pixel to 0
            after = nn.Identity() if level == 0 or innermost else instance_or_batch(norm, c_out)
            before = nn.Identity() if level == 0 else nn.LeakyReLU(SLOPE)
            self.down.append(nn.Sequential(before, _halve(c_in, c_out), after))
        for level in reversed(range(self.levels)):
            c_in = widths[level] * (1 if level == self.levels - 1 else 2)
            if level == 0:
                self.up.append(nn.Sequential(nn.ReLU(), _double(c_in, outputs)))
                continue
            layers = [
                nn.ReLU(),
                _double(c_in, widths[level - 1]),
                instance_or_batch(norm, widths[level - 1]),
            ]
            if dropout and min(4, self.levels - 2) <= level < self.levels - 1:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Images `(B, C, H, W)`, and codes `(B, code_dim)` where the net takes codes."""
        h, w = x.shape[2:]
        if self.code_dim and z is not None:
            x = torch.cat([x, z[:, :, None, None].expand(-1, -1, h, w)], dim=1)
        x = _padded(x, 2**self.levels)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        skips.pop()
        for level, up in enumerate(self.up):
            x = up(x if level == 0 else torch.cat([skips.pop(), x], dim=1))
        return x[:, :, :h, :w]


class ResNetTranslator(nn.Module):
    """ResNet of CycleGAN: two halvings, residual blocks, two doublings (Johnson et al. 2016).

    Args:
        inputs: channels.
        outputs: channels.
        width: channels of the first layer, 4 times as many in the blocks.
        blocks: residual blocks.
        norm: instance, batch or none.
        dropout: dropout of 0.5 inside the blocks.

    Padding is by reflection.

    >>> ResNetTranslator(3, 3, width=8, blocks=2)(torch.zeros(2, 3, 30, 22)).shape
    torch.Size([2, 3, 30, 22])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        blocks: int,
        norm: str = "instance",
        dropout: bool = False,
    ) -> None:
        super().__init__()

        def normed(channels: int) -> list[nn.Module]:
            return [instance_or_batch(norm, channels), nn.ReLU()]

        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7), *normed(width)]
        for c in (width, 2 * width):
            layers += [nn.Conv2d(c, 2 * c, 3, 2, 1), *normed(2 * c)]
        layers += [ResNetBlock(4 * width, norm, dropout) for _ in range(blocks)]
        for c in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1), *normed(c // 2)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        out: Tensor = self.layers(_padded(x, 4))
        return out[:, :, :h, :w]


class ResNetBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), with 3x3 convolutions padded by reflection."""

    def __init__(self, channels: int, norm: str, dropout: bool) -> None:
        super().__init__()

        def convolution() -> list[nn.Module]:
            conv = nn.Conv2d(channels, channels, 3)
            return [nn.ReflectionPad2d(1), conv, instance_or_batch(norm, channels)]

        between: list[nn.Module] = [nn.ReLU()]
        if dropout:
            between.append(nn.Dropout(0.5))
        self.residual = nn.Sequential(*convolution(), *between, *convolution())

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.residual(x)
        return out


def _padded(x: Tensor, multiple: int) -> Tensor:
    """Images padded at the lower and right edge to a height and width divisible by `multiple`."""
    h, w = x.shape[2:]
    right, below = -w % multiple, -h % multiple
    if not right and not below:
        return x
    # reflection needs more pixels than it adds
    mode = "reflect" if right < w and below < h else "replicate"
    return F.pad(x, (0, right, 0, below), mode=mode)


def _halve(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 4, stride=2, padding=1)


def _double(c_in: int, c_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
