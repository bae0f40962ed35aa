"""A generator that is told a class."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from simulacra import nets

# numbers that stand for a class beside z
EMBEDDING = 32


class Labelled(nn.Module):
    """From latents `(B, inputs)` and classes `(B,)` to `(B, *shape)`.

    The class stands beside z as a learned vector (Mirza and Osindero 2014), and where the net normalises it
    has its own scales and shifts there.

    >>> from simulacra.models.gan.card import GANConfig
    >>> net = Labelled(64, (3, 32, 32), GANConfig(), nets.Style(norm="batch", classes=10))
    >>> net(torch.randn(2, 64), torch.tensor([3, 7])).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(self, inputs: int, shape: Sequence[int], settings: nets.Settings, style: nets.Style) -> None:
        super().__init__()
        self.embedding = nn.Embedding(style.classes, EMBEDDING)
        self.decoder = nets.decoder(inputs + EMBEDDING, shape, settings, style)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        out: Tensor = self.decoder(torch.cat([z, self.embedding(y)], dim=1), y)
        return out
