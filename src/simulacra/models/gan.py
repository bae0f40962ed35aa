"""Generative adversarial network (Goodfellow et al. 2014): see `models.adversarial` for its game.

>>> from simulacra.data.spec import DataSpec
>>> from simulacra.models.configs import GANConfig
>>> model = GAN(DataSpec("image", (3, 32, 32)), GANConfig(latent_dim=16))
>>> model.sample(5, Noise(seed=0)).shape
torch.Size([5, 3, 32, 32])
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.distributions import Delta
from simulacra.game import Noise
from simulacra.models.adversarial import DRAWN, Adversarial


class GAN(Adversarial):
    """See the module. Capabilities: samples, decodes, judges."""

    def decode(self, z: Tensor) -> Distribution:
        """All mass on G(z)."""
        return Delta(self.shown(z))

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """G(z) for z ~ N(0, truncation^2 I)."""
        z = truncation * noise.normal(n, self.latent_dim).to(self.device)
        return torch.cat([self.shown(part) for part in z.split(DRAWN)])
