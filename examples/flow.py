"""A RealNVP normalising flow (Dinh et al. 2017, arXiv:1605.08803), a model in a file of its own.

simulacra train examples/flow.py:Flow --data moons --steps 2000 --out runs/flow
simulacra sample runs/flow -n 2000 --out samples.png
simulacra evaluate runs/flow
simulacra report runs/flow
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import Batch, DataSpec, LatentSpace, ModelCard, Noise, Training, Turn
from simulacra.core.capabilities import EstimatesLikelihood, Generates
from simulacra.probability.distributions import Delta


@dataclass(frozen=True)
class FlowConfig:
    """Size of the flow."""

    layers: int = 8
    """coupling layers"""
    width: int = 64
    """units of the two hidden layers of each coupling"""


class RealNVP(nn.Module):
    """Coupling layers: every second number changes by a scale and a shift computed from the others."""

    mask: Tensor

    def __init__(self, d: int, config: FlowConfig) -> None:
        super().__init__()
        mask = (torch.arange(d) % 2).float()
        self.register_buffer("mask", torch.stack([mask if i % 2 else 1 - mask for i in range(config.layers)]))
        sizes = [(d, config.width), (config.width, config.width), (config.width, 2 * d)]
        self.nets = nn.ModuleList(
            nn.Sequential(*(m for i, o in sizes for m in (nn.Linear(i, o), nn.SiLU())))[:-1]
            for _ in range(config.layers)
        )

    def forward(self, x: Tensor) -> Tensor:
        """z = f(x) and, in the last column, ln |det df/dx|: `(B, D + 1)`."""
        log_det = torch.zeros(len(x), 1, device=x.device)
        for mask, net in zip(self.mask, self.nets, strict=True):
            s, t = net(mask * x).chunk(2, dim=1)
            s = (1 - mask) * s.tanh()
            # y = b x + (1 - b) (x exp(s) + t) (eq. 9); ln |det| = sum s (eq. 6)
            x, log_det = x * s.exp() + (1 - mask) * t, log_det + s.sum(dim=1, keepdim=True)
        return torch.cat([x, log_det], dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        for mask, net in reversed(list(zip(self.mask, self.nets, strict=True))):
            s, t = net(mask * z).chunk(2, dim=1)
            z = (z - (1 - mask) * t) * (-(1 - mask) * s.tanh()).exp()
        return z


class Flow(Generates, EstimatesLikelihood):
    """Invertible f with z = f(x) ~ N(0, I): ln p(x) = ln N(f(x); 0, I) + ln |det df/dx| (eq. 3)."""

    card = ModelCard("", FlowConfig, "a RealNVP normalising flow", training=Training(schedule="cosine"))
    players = {"flow": ("flow",)}
    exact = True
    has_likelihood = False

    def __init__(self, spec: DataSpec, config: FlowConfig) -> None:
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(prod(spec.shape)),)
        self.flow = RealNVP(prod(spec.shape), config)

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        z = self.flow(x.flatten(1))
        assert self.latent.prior is not None
        return self.latent.prior.log_prob(z[:, :-1]) + z[:, -1]

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta(self.flow.inverse(z).unflatten(1, self.spec.shape))

    def play(self, batch: Batch) -> Iterator[Turn]:
        yield Turn("flow", -self.log_likelihood(batch.x).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.log_likelihood(batch.x)}
