"""Residual ladders (He et al. 2016, pre-activation), sized from the data.

The last convolution of every block starts at zero, so a deep net starts as the identity between
its levels and trains stably without normalisation (Zhang et al. 2019, Fixup).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from simulacra.nets.conv import Crop, channels, ladder
from simulacra.nets.layers import RELU, ConditionalLayer, ConditionalSequential, NormAct
from simulacra.nets.mlp import MLP


class PreActBlock(ConditionalLayer):
    """x + conv(relu(conv(relu(x)))), both convolutions 3x3 on `width` channels."""

    def __init__(self, width: int, norm_act: NormAct = RELU) -> None:
        super().__init__()
        last = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(last.weight)
        first = nn.Conv2d(width, width, 3, padding=1)
        # x is needed again after the first activation
        before = norm_act.layers(width, in_place=False)
        self.residual = ConditionalSequential(*before, first, *norm_act.layers(width), last)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return x + self.residual(x, y)


class ResNetEncoder(nn.Module):
    """A strided convolution and `depth` blocks a level, then an MLP: `(B, C, H, W)` to `(B, outputs)`.

    >>> import torch
    >>> ResNetEncoder((1, 28, 28), 80, hidden=(400,), width=32, depth=1)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 80])
    """

    def __init__(
        self,
        shape: Sequence[int],
        outputs: int,
        hidden: Sequence[int],
        width: int,
        depth: int,
        norm_act: NormAct = RELU,
    ) -> None:
        super().__init__()
        sizes = ladder(shape[1:])
        widths = [shape[0], *channels(width, len(sizes) - 1)]
        layers: list[nn.Module] = []
        for c_in, c_out in zip(widths, widths[1:], strict=False):
            layers += [nn.Conv2d(c_in, c_out, 3, stride=2, padding=1)]
            layers += [PreActBlock(c_out, norm_act) for _ in range(depth)]
        layers += [
            *norm_act.layers(widths[-1]),
            MLP((widths[-1], *sizes[-1]), (outputs,), hidden, norm_act.slope),
        ]
        self.layers = ConditionalSequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ResNetDecoder(nn.Module):
    """An MLP, then `depth` blocks and a transposed convolution a level: `(B, inputs)` to `(B, C, H, W)`.

    >>> import torch
    >>> ResNetDecoder(40, (1, 28, 28), hidden=(400,), width=32, depth=1)(torch.zeros(2, 40)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        inputs: int,
        shape: Sequence[int],
        hidden: Sequence[int],
        width: int,
        depth: int,
        norm_act: NormAct = RELU,
    ) -> None:
        super().__init__()
        sizes = ladder(shape[1:])[::-1]
        widths = channels(width, len(sizes) - 1)[::-1]
        layers: list[nn.Module] = [MLP((inputs,), (widths[0], *sizes[0]), hidden, norm_act.slope)]
        # half the channels at full size, where a channel costs most
        last = max(8, width // 2)
        for c_in, c_out, size in zip(widths, [*widths[1:], last], sizes[1:], strict=True):
            layers += [PreActBlock(c_in, norm_act) for _ in range(depth)]
            layers += [
                *norm_act.layers(c_in),
                nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1),
                Crop(size),
            ]
        layers += [*norm_act.layers(last), nn.Conv2d(last, shape[0], 3, padding=1)]
        self.layers = ConditionalSequential(*layers)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.layers(z, y)
