"""U-Net (Ronneberger et al. 2015), sized from the data: from images to images of the same size."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from simulacra.nets.conv import Crop, channels, ladder


class UNet(nn.Module):
    """Halve the image down to one pixel and double it again, joined by skips at every size.

    >>> import torch
    >>> UNet((3, 30, 20), (6, 30, 20), width=8)(torch.zeros(2, 3, 30, 20)).shape
    torch.Size([2, 6, 30, 20])
    """

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int], width: int) -> None:
        super().__init__()
        sizes = ladder(inputs[1:], smallest=1)
        widths = [width, *channels(width, len(sizes) - 1)]
        self.first = nn.Sequential(nn.Conv2d(inputs[0], width, 3, padding=1), nn.ReLU(inplace=True))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for outer, inner, size in zip(widths, widths[1:], sizes, strict=False):
            self.down.append(
                nn.Sequential(nn.Conv2d(outer, inner, 3, stride=2, padding=1), nn.ReLU(inplace=True))
            )
            self.up.append(
                nn.Sequential(nn.ConvTranspose2d(inner, outer, 4, stride=2, padding=1), Crop(size))
            )
        self.join = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(2 * outer, outer, 3, padding=1), nn.ReLU(inplace=True))
            for outer in widths[:-1]
        )
        self.last = nn.Conv2d(width, outputs[0], 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skips = [self.first(x)]
        for down in self.down:
            skips.append(down(skips[-1]))
        h = skips.pop()
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            h = join(torch.cat([up(h), skips.pop()], dim=1))
        out: Tensor = self.last(h)
        return out
