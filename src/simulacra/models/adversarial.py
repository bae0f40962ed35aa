"""Generative adversarial network (Goodfellow et al. 2014): a generator, and a discriminator that judges it.

    min over G, max over D of E_x ln D(x) + E_z ln(1 - D(G(z)))

and its relatives (`simulacra.objectives`). The game of one step: the discriminator moves with real and
fake examples, penalised for steep gradients where it is due; every `n_critic` steps the generator moves
against the discriminator as it now is. Numbers of vectors are standardised and images brought to [-1, 1]
inside.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.game import Noise
    >>> from simulacra.models.configs import GANConfig
    >>> model = GAN(DataSpec("image", (3, 32, 32)), GANConfig(latent_dim=16))
    >>> model.sample(5, Noise(seed=0)).shape
    torch.Size([5, 3, 32, 32])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.utils.parametrizations import spectral_norm

from simulacra import nets
from simulacra.data.spec import Dataset, DataSpec
from simulacra.distributions import Delta
from simulacra.errors import ConfigError
from simulacra.game import Batch, Model, Noise, Turn, bare, frozen
from simulacra.models.configs import GANConfig, check_sizes
from simulacra.nets.critic import Critic
from simulacra.objectives import OBJECTIVES, squared_gradient

SLOPE = 0.2


@dataclass(frozen=True)
class Penalties:
    """How the discriminator is kept smooth: the weights of its penalties, and its largest weight."""

    r1: float = 0.0
    r2: float = 0.0
    gradient_penalty: float = 0.0
    clip_weights: float | None = None


# what each objective is known to need
PENALTIES = {
    "wasserstein": Penalties(clip_weights=0.01),
    "wasserstein-gp": Penalties(gradient_penalty=10.0),
    "relativistic": Penalties(r1=0.1, r2=0.1),
}
USUAL = Penalties(r1=0.1)


class GAN(Model):
    """See the module. Capabilities: samples, decodes."""

    players = {"discriminator": ("discriminator",), "generator": ("generator",)}
    config: GANConfig
    mean: Tensor
    std: Tensor

    def __init__(self, spec: DataSpec, config: GANConfig) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config)
        check_sizes(config)
        for name in ("features", "lazy", "n_critic"):
            if getattr(config, name) < 1:
                raise ConfigError(f"{name}: must be at least 1, not {getattr(config, name)}")
        self.objective = OBJECTIVES[config.objective.removesuffix("-gp")]
        self.penalties = _penalties(config)
        # more latent numbers than the data have leave more samples between modes
        self.latent_dim = config.latent_dim or (64 if spec.kind == "image" else spec.shape[0])
        self.generator = nets.decoder(self.latent_dim, spec.shape, config, config.norm, SLOPE)
        self.discriminator = Critic(spec.shape, config, config.features, config.batch_deviation)
        if config.spectral_norm:
            for module in list(self.discriminator.modules()):
                if isinstance(module, nn.Linear | nn.Conv2d):
                    spectral_norm(module)
        image = spec.kind == "image"
        per = (1, 1, 1) if image else spec.shape
        self.register_buffer("mean", torch.full(per, 0.5 if image else 0.0))
        self.register_buffer("std", torch.full(per, 0.5 if image else 1.0))

    def prepare(self, train: Dataset) -> None:
        """Learn the location and the common scale of vectors."""
        if self.spec.kind == "image":
            return
        self.mean.copy_(torch.from_numpy(train.x.mean(axis=0, dtype=np.float64)))
        # one scale for all columns: what is round stays round
        self.std.fill_(float(np.sqrt(train.x.var(axis=0, dtype=np.float64).mean())) or 1.0)

    def play(self, batch: Batch) -> Iterator[Turn]:
        x = (batch.x - self.mean) / self.std
        z = batch.noise.normal(len(x), self.latent_dim)
        moves = batch.step % self.config.n_critic == self.config.n_critic - 1
        # made once: the discriminator sees it without, the generator with its history
        with torch.set_grad_enabled(moves):
            fake = self.generate(z)
        yield Turn("discriminator", *self._discriminate(x, fake.detach(), batch))
        if self.penalties.clip_weights is not None:
            self._clip(self.penalties.clip_weights)
        if not moves:
            return
        with frozen(self.discriminator):
            loss = self.objective.generate(self.discriminator(x), self.discriminator(fake))
        yield Turn("generator", loss)

    def _discriminate(self, x: Tensor, fake: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's loss, with its penalties when they are due, and what it says."""
        due = batch.step % self.config.lazy == 0
        p = self.penalties
        real_leaf, fake_leaf = x, fake
        if due and p.r1:
            real_leaf = x.detach().requires_grad_(True)
        if due and p.r2:
            fake_leaf = fake.requires_grad_(True)
        real, judged = self.discriminator(real_leaf), self.discriminator(fake_leaf)
        loss = self.objective.discriminate(real, judged)
        terms = {"real": real.mean(), "fake": judged.mean()}
        if due:
            penalty = torch.zeros((), device=x.device)
            net = bare(self.discriminator)
            for weight, leaf, output in ((p.r1, real_leaf, real), (p.r2, fake_leaf, judged)):
                if weight:
                    output = output if net is self.discriminator else net(leaf)
                    penalty = penalty + weight / 2 * squared_gradient(output, leaf).mean()
            if p.gradient_penalty:
                penalty = penalty + p.gradient_penalty * self._slope(x, fake, batch.noise)
            loss = loss + self.config.lazy * penalty
        return loss, terms

    def _slope(self, x: Tensor, fake: Tensor, noise: Noise) -> Tensor:
        """(|dD/du| - 1)^2 at u between real and fake examples (Gulrajani et al. 2017, eq. 3)."""
        e = noise.uniform(len(x), *(1 for _ in x.shape[1:]))
        u = (e * x + (1 - e) * fake.detach()).requires_grad_(True)
        norm = squared_gradient(bare(self.discriminator)(u), u).add(1e-12).sqrt()
        return (norm - 1).square().mean()

    @torch.no_grad()
    def _clip(self, largest: float) -> None:
        """Weights in [-c, c], after the discriminator has moved (Arjovsky et al. 2017, algorithm 1)."""
        for parameter in self.discriminator.parameters():
            parameter.clamp_(-largest, largest)

    def generate(self, z: Tensor) -> Tensor:
        """G(z), standardised as the discriminator sees it."""
        x: Tensor = self.generator(z)
        return x.tanh() if self.spec.kind == "image" else x

    def decode(self, z: Tensor) -> Distribution:
        """All mass on G(z)."""
        return Delta(self.generate(z) * self.std + self.mean)

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """G(z) for z ~ N(0, truncation^2 I)."""
        z = truncation * noise.normal(n, self.latent_dim).to(self.device)
        return torch.cat([self.decode(part).mean for part in z.split(1000)])


def _penalties(config: GANConfig) -> Penalties:
    """The objective's own penalties, with those that the settings name instead."""
    own = PENALTIES.get(config.objective, USUAL)
    given = {
        name: getattr(config, name)
        for name in ("r1", "r2", "gradient_penalty", "clip_weights")
        if getattr(config, name) is not None
    }
    for name, value in given.items():
        if not value >= 0:
            raise ConfigError(f"{name}: must be 0 or more, not {value}")
    return Penalties(**{**own.__dict__, **given})
