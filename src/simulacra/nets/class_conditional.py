"""A class-conditional generator net."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from simulacra import nets
from simulacra.nets.layers import embed

# size of the embedding of a class
EMBEDDING = 32


class ClassConditional(nn.Module):
    """From latents `(B, inputs)` and classes, `(B,)` or weights `(B, K)`, to `(B, *shape)`.

    A learned embedding of the class is concatenated to z (Mirza and Osindero 2014); normalisations have a
    scale and a shift for each class.

    >>> from simulacra.models.gan.card import GANConfig
    >>> net = ClassConditional(64, (3, 32, 32), GANConfig(), nets.NormAct(norm="batch", classes=10))
    >>> net(torch.randn(2, 64), torch.tensor([3, 7])).shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self, inputs: int, shape: Sequence[int], settings: nets.Settings, norm_act: nets.NormAct
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(norm_act.classes, EMBEDDING)
        self.decoder = nets.decoder(inputs + EMBEDDING, shape, settings, norm_act)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        out: Tensor = self.decoder(torch.cat([z, embed(self.embedding, y)], dim=1), y)
        return out
