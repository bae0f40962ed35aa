"""The adversary's net: an encoder, what it sees of the whole batch and of the class, and one number."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra import nets
from simulacra.nets.layers import rectifier

Condition = Literal["projection", "concatenation"]
SLOPE = 0.2


class Critic(nn.Module):
    """`(B, *shape)` to one output an example, `(B,)`, given its class where there are classes.

    Args:
        shape: of an example.
        settings: of the encoder that gives the features.
        features: how many these are.
        batch_deviation: show it how much features vary over the batch (Karras et al. 2018, section 3):
            a collapsed generator gives itself away.
        classes: how many there are; 0 for a critic that is told none.
        condition: how it is told. `projection` adds <v_y, h> with the features h and a learned v of the
            class (Miyato and Koyama 2018, eq. 3); `concatenation` puts the class beside the numbers of a
            vector, or behind the channels of an image as a map for each class (Mirza and Osindero 2014).

    >>> from simulacra.models.gan.card import GANConfig
    >>> Critic((3, 32, 32), GANConfig(), features=64, batch_deviation=True)(torch.rand(4, 3, 32, 32)).shape
    torch.Size([4])
    """

    def __init__(
        self,
        shape: Sequence[int],
        settings: nets.Settings,
        features: int,
        batch_deviation: bool,
        classes: int = 0,
        condition: Condition = "projection",
    ) -> None:
        super().__init__()
        self.batch_deviation = batch_deviation
        self.beside = classes if condition == "concatenation" else 0
        seen = (shape[0] + self.beside, *shape[1:])
        self.body = nets.encoder(seen, features, settings, nets.Style(slope=SLOPE))
        self.rectifier = rectifier(SLOPE)
        self.head = nn.Linear(features + batch_deviation, 1)
        self.projection = nn.Embedding(classes, features) if classes and not self.beside else None
        if self.projection is not None:
            # as large as the weights of the head
            nn.init.uniform_(self.projection.weight, -(features**-0.5), features**-0.5)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        if self.beside and y is not None:
            maps = F.one_hot(y, self.beside).to(x.dtype)
            x = torch.cat(
                [x, maps.view(*maps.shape, *(1 for _ in x.shape[2:])).expand(-1, -1, *x.shape[2:])], 1
            )
        h = self.rectifier(self.body(x))
        seen = h
        if self.batch_deviation:
            # mean over features of their standard deviation over the batch, the same for all of it
            deviation = (h.var(dim=0, correction=0) + 1e-8).sqrt().mean()
            seen = torch.cat([h, deviation.expand(len(h), 1)], dim=1)
        out: Tensor = self.head(seen).squeeze(1)
        if self.projection is not None and y is not None:
            out = out + (self.projection(y) * h).sum(dim=1)
        return out
