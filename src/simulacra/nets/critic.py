"""The adversary's net: an encoder, what it sees of the whole batch, and one number."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from simulacra import nets
from simulacra.nets.layers import rectifier


class Critic(nn.Module):
    """`(B, *shape)` to one output an example, `(B,)`.

    Args:
        shape: of an example.
        settings: of the encoder that gives the features.
        features: how many these are.
        batch_deviation: show it how much features vary over the batch (Karras et al. 2018, section 3):
            a collapsed generator gives itself away.

    >>> from simulacra.models.configs import GANConfig
    >>> Critic((3, 32, 32), GANConfig(), features=64, batch_deviation=True)(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4])
    """

    def __init__(
        self, shape: Sequence[int], settings: nets.Settings, features: int, batch_deviation: bool
    ) -> None:
        super().__init__()
        self.batch_deviation = batch_deviation
        self.body = nets.encoder(shape, features, settings, slope=0.2)
        self.rectifier = rectifier(0.2)
        self.head = nn.Linear(features + batch_deviation, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.rectifier(self.body(x))
        if self.batch_deviation:
            # mean over features of their standard deviation over the batch, the same for all of it
            deviation = (h.var(dim=0, correction=0) + 1e-8).sqrt().mean()
            h = torch.cat([h, deviation.expand(len(h), 1)], dim=1)
        out: Tensor = self.head(h)
        return out.squeeze(1)
