"""A classifier of which everything is known: two classes, a plane between them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Predicts
from simulacra.data.spec import DataSpec


class Linear(Predicts):
    """Logits (0, w . x + b) of grey images 4x4: the second class where w . x + b > 0."""

    def __init__(self, shape: tuple[int, ...] = (1, 4, 4)) -> None:
        super().__init__(DataSpec("image", shape, ("no", "yes")), None)
        generator = torch.Generator().manual_seed(0)
        self.w = nn.Parameter(torch.randn(shape, generator=generator))
        # the plane goes through the middle of the box
        self.b = nn.Parameter(-0.5 * self.w.detach().sum())

    def margin(self, x: Tensor) -> Tensor:
        return (self.w * x).flatten(1).sum(dim=1) + self.b

    def predict(self, x: Tensor) -> Categorical:
        z = self.margin(x)
        return Categorical(logits=torch.stack([torch.zeros_like(z), z], dim=1))

    def targets(self, batch: Batch) -> Tensor:
        assert batch.y is not None
        return batch.y


def middling(n: int = 20, spread: float = 0.1, shape: tuple[int, ...] = (1, 4, 4)) -> Tensor:
    """Images around the middle of the box, far from its sides."""
    return 0.5 + spread * (torch.rand((n, *shape), generator=torch.Generator().manual_seed(1)) - 0.5)
