"""Convolutional ladders sized from the data: halve the image, at least once, down to 4 to 7 pixels."""

from collections.abc import Sequence

from torch import Tensor, nn

from simulacra.nets.layers import RELU, ConditionalSequential, NormAct


def ladder(size: Sequence[int], smallest: int = 4) -> list[tuple[int, int]]:
    """Heights and widths from the image down, each half of the one before, rounded up.

    >>> ladder((28, 28)), ladder((64, 64))[-1], ladder((8, 8))
    ([(28, 28), (14, 14), (7, 7)], (4, 4), [(8, 8), (4, 4)])
    """
    steps = [(size[0], size[1])]
    while len(steps) == 1 or min(steps[-1]) >= 2 * smallest:
        h, w = steps[-1]
        steps.append(((h + 1) // 2, (w + 1) // 2))
    return steps


def channels(width: int, levels: int) -> list[int]:
    """Channels of each level below the image: doubled at every halving, up to 8 times `width`."""
    return [width * 2 ** min(level, 3) for level in range(levels)]


class Crop(nn.Module):
    """Cut to height and width `size`: a doubled map is one pixel too large where the size is odd."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.size[0], : self.size[1]]


class ConvEncoder(nn.Module):
    """Stride-2 convolutions with ReLU, then one linear layer: `(B, C, H, W)` to `(B, outputs)`.

    >>> import torch
    >>> ConvEncoder((3, 64, 64), 32, width=32)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 32])
    """

    def __init__(self, shape: Sequence[int], outputs: int, width: int, norm_act: NormAct = RELU) -> None:
        super().__init__()
        sizes = ladder(shape[1:])
        widths = [shape[0], *channels(width, len(sizes) - 1)]
        layers: list[nn.Module] = []
        for c_in, c_out in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(c_in, c_out, 3, stride=2, padding=1), *norm_act.layers(c_out)]
        h, w = sizes[-1]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * h * w, outputs))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


class ConvDecoder(nn.Module):
    """One linear layer, then a doubling a level: `(B, inputs)` to `(B, C, H, W)`.

    A map is doubled by a transposed convolution of stride 2, or, with `upsample`, by repeating every
    pixel and convolving (Odena et al. 2016). With `refine` there are `width` maps at full size and one more
    convolution; without, the last doubling gives the image (Radford et al. 2016), at a third of the cost.

    >>> import torch
    >>> ConvDecoder(16, (3, 28, 28), width=32)(torch.zeros(2, 16)).shape
    torch.Size([2, 3, 28, 28])
    """

    def __init__(
        self,
        inputs: int,
        shape: Sequence[int],
        width: int,
        upsample: bool = False,
        norm_act: NormAct = RELU,
        refine: bool = True,
    ) -> None:
        super().__init__()
        sizes = ladder(shape[1:])[::-1]
        widths = channels(width, len(sizes) - 1)[::-1]
        h, w = sizes[0]
        layers: list[nn.Module] = [
            nn.Linear(inputs, widths[0] * h * w),
            nn.Unflatten(1, (widths[0], h, w)),
        ]
        last = width if refine else shape[0]
        for c_in, c_out, size in zip(widths, [*widths[1:], last], sizes[1:], strict=True):
            layers += norm_act.layers(c_in)
            if upsample:
                layers += [nn.Upsample(size), nn.Conv2d(c_in, c_out, 3, padding=1)]
            else:
                # kernel 4, stride 2, padding 1 doubles the map without the checkerboard of odd kernels
                layers += [nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), Crop(size)]
        if refine:
            layers += [*norm_act.layers(width), nn.Conv2d(width, shape[0], 3, padding=1)]
        self.layers = ConditionalSequential(*layers)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z, y)
