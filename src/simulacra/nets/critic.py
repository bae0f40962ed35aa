"""The critic of a GAN: an encoder and one output, with minibatch deviation and conditioning on the class."""

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
        settings: of the encoder.
        features: number of outputs of the encoder.
        batch_deviation: append the standard deviation of the features over the batch, which reveals a
            collapsed generator (Karras et al. 2018, section 3).
        classes: number of classes; 0 for an unconditional critic.
        condition: how the class enters. `projection` adds <v_y, h> with the features h and a learned v of
            the class (Miyato and Koyama 2018, eq. 3); `concatenation` appends the one-hot class to a vector,
            or to the channels of an image as constant maps (Mirza and Osindero 2014).

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
        self.body = nets.encoder(seen, features, settings, nets.NormAct(slope=SLOPE))
        self.rectifier = rectifier(SLOPE)
        self.head = nn.Linear(features + batch_deviation, 1)
        self.projection = nn.Embedding(classes, features) if classes and not self.beside else None
        if self.projection is not None:
            # the range of the head's initial weights
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
