"""The discriminator of pix2pix and CycleGAN, which scores patches."""

from __future__ import annotations

from torch import Tensor, nn

from simulacra.nets.layers import instance_or_batch

SLOPE = 0.2
# pixels that an output sees -> strided levels
PATCHES = {"1": 0, "16": 1, "70": 3}


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al. 2017, section 3.2.2): a score for every patch, `(B, C, H, W)` to `(B, h * w)`.

    Args:
        inputs: channels; for pairs, of both images together.
        size: the shorter side of the images.
        patch: side of a patch in pixels, 1, 16 or 70; or `full`: the image is halved as often as it can be,
            and the outputs are averaged to one.
        width: channels of the first level, doubled at every level up to 8 times.
        norm: instance, batch or none.

    >>> import torch
    >>> PatchDiscriminator(6, 64, "70", width=8)(torch.zeros(2, 6, 64, 64)).shape
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
                conv = nn.Conv2d(c, c_out, 4, 2 if level < levels else 1, 1)
                layers += [conv, instance_or_batch(norm, c_out), nn.LeakyReLU(SLOPE, inplace=True)]
                c = c_out
            layers.append(nn.Conv2d(c, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x).flatten(1)
        return out.mean(dim=1, keepdim=True) if self.full else out
