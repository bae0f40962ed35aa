"""CycleGAN."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Cycles
from simulacra.core.model import Turn, frozen
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, nearest
from simulacra.models.cyclegan.card import CARD, CycleGANConfig
from simulacra.models.jitter import Jitter, scaled
from simulacra.nets.layers import initialise
from simulacra.nets.patch import PatchDiscriminator
from simulacra.nets.translation import ResNetTranslator
from simulacra.probability.objectives import OBJECTIVES, generator_loss_term


class CycleGAN(Cycles):
    """CycleGAN (Zhu et al. 2017): translations between two domains of images, without pairs.

        min over G, F, max over D_A, D_B of  L(G, D_B) + L(F, D_A)
            + lambda E |F(G(a)) - a|_1 + lambda E |G(F(b)) - b|_1            (eq. 2 and 3)
            + lambda w E |F(a) - a|_1 + lambda w E |G(b) - b|_1              (identity, section 5.2)

    G translates from the first class of labelled data to the second, F back;
    translating back is to restore the image. Half of the fakes of the discriminators are translations of
    earlier steps (Shrivastava et al. 2017).

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.cyclegan.card import CycleGANConfig
    >>> spec = DataSpec("image", (3, 32, 32), classes=("horse", "zebra"))
    >>> model = CycleGAN(spec, CycleGANConfig(width=8, blocks=1))
    >>> model.translate(torch.rand(2, 3, 32, 32), seed=0, to="horse").shape
    torch.Size([2, 3, 32, 32])

    Attributes:
        pool_a: translations into the first domain of earlier steps, `(pool, C, H, W)`.
        pool_b: into the second.
    """

    players = {
        "generators": ("a_to_b", "b_to_a"),
        "discriminators": ("discriminator_a", "discriminator_b"),
    }
    # instance norm copies what is not contiguous: 1.2 times as long a step
    memory_format = torch.contiguous_format
    training_only = ("pool_a", "pool_b")
    card = CARD
    config: CycleGANConfig
    pool_a: Tensor
    pool_b: Tensor

    def __init__(self, spec: DataSpec, config: CycleGANConfig) -> None:
        """Raises ConfigError for settings that cannot be, or data that are not two classes of images."""
        super().__init__(spec, config)
        self.objective = OBJECTIVES[config.objective]
        self.jitter = Jitter(spec.shape, config.load_size, config.flip)
        c, size = spec.shape[0], min(spec.shape[1:])
        self.a_to_b, self.b_to_a = (
            ResNetTranslator(c, c, config.width, config.blocks, config.norm) for _ in range(2)
        )
        self.discriminator_a, self.discriminator_b = (
            PatchDiscriminator(c, size, config.patch, config.width, config.norm) for _ in range(2)
        )
        for net in (self.a_to_b, self.b_to_a, self.discriminator_a, self.discriminator_b):
            initialise(net)
        for name in ("pool_a", "pool_b"):
            self.register_buffer(name, torch.zeros(config.pool, *spec.shape))

    def play(self, batch: Batch) -> Iterator[Turn]:
        half = len(batch.x) // 2
        # class_balanced: the first half has the first class
        a, b = (self.jitter(batch.noise, scaled(x))[0] for x in (batch.x[:half], batch.x[half:]))
        lambda_, weight = self.config.cycle, self.config.identity
        with frozen(self.discriminator_a, self.discriminator_b):
            fake_b, same_b = self._both(self.a_to_b, a, b)
            fake_a, same_a = self._both(self.b_to_a, b, a)
            back_a, back_b = self.b_to_a(fake_b).tanh(), self.a_to_b(fake_a).tanh()
            cycle = F.l1_loss(back_a, a) + F.l1_loss(back_b, b)
            adversarial = self._generator_loss(self.discriminator_b, fake_b) + self._generator_loss(
                self.discriminator_a, fake_a
            )
            loss = adversarial + lambda_ * cycle
            terms = {"adversarial": adversarial, "cycle": _mean_of_1(cycle)}
            if same_a is not None and same_b is not None:
                identity = F.l1_loss(same_a, a) + F.l1_loss(same_b, b)
                loss, terms["identity"] = loss + lambda_ * weight * identity, _mean_of_1(identity)
        yield Turn("generators", loss, terms)
        old_a = self._exchanged(self.pool_a, fake_a.detach(), batch)
        old_b = self._exchanged(self.pool_b, fake_b.detach(), batch)
        loss = self._discriminator_loss(self.discriminator_a, a, old_a) + self._discriminator_loss(
            self.discriminator_b, b, old_b
        )
        yield Turn("discriminators", loss)

    def _both(self, net: nn.Module, x: Tensor, own: Tensor) -> tuple[Tensor, Tensor | None]:
        """Translations of x and, for the identity loss, of images in the net's own domain."""
        if not self.config.identity:
            return net(x).tanh(), None
        # batch norm takes the statistics of one domain only
        if self.config.norm == "batch":
            return net(x).tanh(), net(own).tanh()
        translated, same = net(torch.cat([x, own])).tanh().chunk(2)
        return translated, same

    def _generator_loss(self, discriminator: nn.Module, fake: Tensor) -> Tensor:
        return generator_loss_term(self.config.objective, discriminator(fake).flatten())

    def _discriminator_loss(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return self.objective.discriminator_loss(discriminator(real).flatten(), discriminator(fake).flatten())

    def _exchanged(self, pool: Tensor, fake: Tensor, batch: Batch) -> Tensor:
        """Each translation, or with probability 1/2 an older one whose place in the pool it takes."""
        size, n, noise = len(pool), len(fake), batch.noise
        if size == 0:
            return fake
        # every process keeps the pool of all of them
        fakes, u = _of_all(fake), _of_all(noise.uniform(n, 2))
        parts = noise.shards // (len(fakes) // n)
        first = batch.step * n * noise.shards + noise.shard % parts * len(fakes)
        exchanged = fakes.clone()
        for i in range(len(fakes)):
            if first + i < size:
                pool[first + i] = fakes[i]
                continue
            # an index of one element: of none it would be read back from the device
            place = (u[i : i + 1, 0] * size).long()
            older = u[i, 1] < 0.5
            exchanged[i] = torch.where(older, pool[place][0], fakes[i])
            pool[place] = torch.where(older, fakes[i], pool[place])
        own = noise.shard // parts * n
        return exchanged[own : own + n]

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute distance of images in [0, 1] from their cycle translations: `loss`."""
        _, back = self.cycle(batch.x, batch.y)
        return {"loss": (back - batch.x).abs().flatten(1).mean(dim=1)}

    def cycle(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Images of classes y `(B,)` in the other domain, and back in their own."""
        assert y is not None, "the spec has classes"
        first, second = self.spec.classes
        there, back = torch.empty_like(x), torch.empty_like(x)
        for k, (own, other) in enumerate(((first, second), (second, first))):
            rows = (y == k).nonzero()[:, 0]
            if len(rows):
                there[rows] = self._translated(x[rows], other)
                back[rows] = self._translated(there[rows], own)
        return there, back

    def translate(self, x: Tensor, seed: int | Noise = 0, to: str | None = None) -> Tensor:
        """Images `(B, C, H, W)` in [0, 1] in the other domain; the seed is not used.

        Args:
            to: name of the domain, one of the two classes; the second when None.

        Raises:
            ConfigError: there is no such domain.
        """
        to = self.spec.classes[1] if to is None else to
        if to not in self.spec.classes:
            raise ConfigError(f"to: unknown '{to}', {nearest(to, self.spec.classes)}")
        return self._translated(x, to)

    def _translated(self, x: Tensor, to: str) -> Tensor:
        net = self.a_to_b if to == self.spec.classes[1] else self.b_to_a
        translated: Tensor = net(scaled(x)).tanh()
        return translated / 2 + 0.5


def _mean_of_1(both: Tensor) -> Tensor:
    """The sum of two distances of images in [-1, 1], as the mean of the two, of images in [0, 1]."""
    return both / 4


def _of_all(x: Tensor) -> Tensor:
    """x `(n, ...)` of all processes, concatenated."""
    if not (dist.is_available() and dist.is_initialized()):
        return x
    x = x.contiguous()
    whole = [torch.empty_like(x) for _ in range(dist.get_world_size())]
    dist.all_gather(whole, x)
    return torch.cat(whole)
