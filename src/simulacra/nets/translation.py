"""Nets from images to images of the same size, for translation: sized from the image, or of any size.

The layers are those of pix2pix (Isola et al. 2017, section 6.1) and CycleGAN (Zhu et al. 2017, section 7.2).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.doubling import Double, Halve
from simulacra.nets.last import ToImage
from simulacra.nets.winograd import Winograd

SLOPE = 0.2
# standard deviation of weights before training
SPREAD = 0.02


def instance_or_batch(kind: str, channels: int) -> nn.Module:
    """Normalisation of maps: `instance` (each of its own, nothing learned), `batch`, or `none`."""
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels)


class SkipUNet(nn.Module):
    """Halve the image until its shorter side is one pixel, and double it again, with a skip at every size.

    Args:
        inputs: channels.
        outputs: channels.
        size: the shorter side of the images; it is halved `levels` times, until no longer than 1 pixel.
        width: channels of the first level, doubled at every halving up to 8 times.
        norm: instance, batch or none.
        dropout: of half of the numbers in the widest levels on the way up: the noise of pix2pix.
        style: numbers of a code that is appended to the input, as maps of one value; 0 for none.

    Any height and width will do: the image is mirrored at its lower and right edge up to what can be halved.

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
        style: int = 0,
    ) -> None:
        super().__init__()
        self.levels = max(2, (size - 1).bit_length())
        self.style = style
        widths = [width * min(2**level, 8) for level in range(self.levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (c_in, c_out) in enumerate(zip([inputs + style, *widths], widths, strict=False)):
            innermost = level == self.levels - 1
            # of one pixel instance norm would leave nothing
            after = nn.Identity() if level == 0 or innermost else instance_or_batch(norm, c_out)
            before = nn.Identity() if level == 0 else nn.LeakyReLU(SLOPE)
            self.down.append(nn.Sequential(before, Halve(c_in, c_out), after))
        for level in reversed(range(self.levels)):
            c_in = widths[level] * (1 if level == self.levels - 1 else 2)
            if level == 0:
                self.up.append(nn.Sequential(nn.ReLU(), Double(c_in, outputs)))
                continue
            layers = [
                nn.ReLU(),
                Double(c_in, widths[level - 1]),
                instance_or_batch(norm, widths[level - 1]),
            ]
            if dropout and min(4, self.levels - 2) <= level < self.levels - 1:
                layers.append(nn.Dropout(0.5))
            self.up.append(nn.Sequential(*layers))

    def forward(self, x: Tensor, z: Tensor | None = None) -> Tensor:
        """Images `(B, C, H, W)`, and codes `(B, style)` where the net has a style."""
        h, w = x.shape[2:]
        if self.style and z is not None:
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
    """Two halvings, residual blocks, two doublings (Johnson et al. 2016), mirrored at the edges.

    Args:
        inputs: channels.
        outputs: channels.
        width: channels of the first layer, 4 times as many in the blocks.
        blocks: residual blocks.
        norm: instance, batch or none.
        dropout: of half of the numbers inside the blocks.

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
        layers += [Residual(4 * width, norm, dropout) for _ in range(blocks)]
        for c in (4 * width, 2 * width):
            layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1), *normed(c // 2)]
        layers += [nn.ReflectionPad2d(3), ToImage(width, outputs, 7)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        out: Tensor = self.layers(_padded(x, 4))
        return out[:, :, :h, :w]


class Residual(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), mirrored at the edges."""

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


# name -> strided levels of the patch discriminator whose outputs see so many pixels
PATCHES = {"1": 0, "16": 1, "70": 3}


class PatchCritic(nn.Module):
    """One output for every patch of an image (PatchGAN): `(B, C, H, W)` to `(B, h * w)`.

    Args:
        inputs: channels; of pairs those of both images.
        size: the shorter side of the images.
        patch: pixels a side that an output sees: 1, 16 or 70; or `full`: as many halvings as the image has,
            and the mean of what is left, one output.
        width: channels of the first level, doubled at every level up to 8 times.
        norm: instance, batch or none.

    >>> PatchCritic(6, 64, "70", width=8)(torch.zeros(2, 6, 64, 64)).shape
    torch.Size([2, 36])
    """

    def __init__(self, inputs: int, size: int, patch: str, width: int, norm: str = "batch") -> None:
        super().__init__()
        self.full = patch == "full"
        # no more levels than leave 4 pixels for the last two layers
        deepest = max(1, size.bit_length() - 3)
        levels = deepest if self.full else min(PATCHES[patch], deepest)
        if levels == 0:
            layers: list[nn.Module] = [
                nn.Conv2d(inputs, width, 1),
                nn.LeakyReLU(SLOPE, inplace=True),
                nn.Conv2d(width, 2 * width, 1),
                instance_or_batch(norm, 2 * width),
                nn.LeakyReLU(SLOPE, inplace=True),
                nn.Conv2d(2 * width, 1, 1),
            ]
        else:
            layers = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(SLOPE, inplace=True)]
            c = width
            for level in range(1, levels + 1):
                c_out = width * min(2**level, 8)
                conv = nn.Conv2d(c, c_out, 4, 2, 1) if level < levels else Winograd(c, c_out, 4, padding=1)
                layers += [conv, instance_or_batch(norm, c_out), nn.LeakyReLU(SLOPE, inplace=True)]
                c = c_out
            layers.append(nn.Conv2d(c, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x).flatten(1)
        return out.mean(dim=1, keepdim=True) if self.full else out


def initialise(net: nn.Module) -> None:
    """Weights of convolutions ~ N(0, 0.02^2), scales of norms ~ N(1, 0.02^2), no biases (pix2pix, 6.2)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, SPREAD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, SPREAD)
            nn.init.zeros_(module.bias)


def _padded(x: Tensor, multiple: int) -> Tensor:
    """Continued at the lower and right edge to a height and width that can be divided by `multiple`."""
    h, w = x.shape[2:]
    right, below = -w % multiple, -h % multiple
    if not right and not below:
        return x
    # mirroring needs more pixels than it adds
    mode = "reflect" if right < w and below < h else "replicate"
    return F.pad(x, (0, right, 0, below), mode=mode)
