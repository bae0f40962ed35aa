"""A RealNVP normalising flow (Dinh et al. 2017, arXiv:1605.08803), a model in a file of its own.

simulacra train examples/flow.py:Flow --data moons --steps 2000 --out runs/flow
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import Batch, DataSpec, LatentSpace, ModelCard, Noise, Training, Turn
from simulacra.core.capabilities import EstimatesLikelihood, Generates
from simulacra.nets.mlp import MLP
from simulacra.probability.distributions import Delta


@dataclass(frozen=True)
class FlowConfig:
    """Size of the flow."""

    layers: int = 8
    """coupling layers"""
    width: int = 64
    """units of the two hidden layers of each coupling"""


class Coupling(nn.Module):
    """y = b x + (1 - b) (x exp(s(b x)) + t(b x)), b the numbers that stay (eq. 9)."""

    def __init__(self, d: int, width: int, first: int) -> None:
        super().__init__()
        self.register_buffer("b", (torch.arange(d) % 2 == first).float())
        self.net = MLP((d,), (2, d), (width, width))

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = ((1 - self.b) * self.net(self.b * x)).unbind(dim=1)
        return s.tanh(), t

    def forward(self, x: Tensor) -> Tensor:
        """y and, in the last column, ln |det dy/dx| added up: `(B, D + 1)` of the same (eq. 6)."""
        x, log_det = x[:, :-1], x[:, -1:]
        s, t = self.scale_and_shift(x)
        return torch.cat([x * s.exp() + t, log_det + s.sum(dim=1, keepdim=True)], dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        s, t = self.scale_and_shift(y)
        return (y - t) * (-s).exp()


class Flow(Generates, EstimatesLikelihood):
    """Invertible f with z = f(x) ~ N(0, I): ln p(x) = ln N(f(x); 0, I) + ln |det df/dx| (eq. 3)."""

    card = ModelCard("", FlowConfig, "a RealNVP normalising flow", training=Training(schedule="cosine"))
    players = {"flow": ("flow",)}
    exact = True
    has_likelihood = False

    def __init__(self, spec: DataSpec, config: FlowConfig) -> None:
        super().__init__(spec, config)
        d = prod(spec.shape)
        self.spaces = (LatentSpace.normal(d),)
        self.flow = nn.Sequential(*(Coupling(d, config.width, i % 2) for i in range(config.layers)))

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        z = self.flow(nn.functional.pad(x.flatten(1), (0, 1)))
        return self.prior.log_prob(z[:, :-1]) + z[:, -1]

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        for layer in reversed(self.flow):
            z = layer.inverse(z)
        return Delta(z.unflatten(1, self.spec.shape))

    def play(self, batch: Batch) -> Iterator[Turn]:
        yield Turn("flow", -self.log_likelihood(batch.x).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.log_likelihood(batch.x)}
