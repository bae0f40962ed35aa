"""The game: what a model tells, what the engine plays, and what a trained model can do.

A model trains by playing a game with one or more players. Each player owns nets; a `Turn` is a
loss that moves one player. `Model.play` tells the game in the order of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.data.spec import Dataset, DataSpec


class Noise:
    """Random numbers that depend on `(seed, step)` and on the example, not on how a batch is cut.

    Every process and every micro-batch draws the numbers of the whole batch and keeps the rows of
    its own shard, so a batch spread over processes meets the same noise as in one piece.

    >>> whole = Noise(seed=1).normal(4, 2)
    >>> part = Noise(seed=1, shard=1, shards=2).normal(2, 2)
    >>> bool((whole[2:] == part).all())
    True
    """

    def __init__(
        self,
        seed: int,
        step: int = 0,
        shard: int = 0,
        shards: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.shard, self.shards = shard, shards
        self.seed, self.drops = mix(seed, step), 0
        self.generator = torch.Generator(device).manual_seed(self.seed)

    def normal(self, n: int, *shape: int) -> Tensor:
        """Standard normal `(n, *shape)`."""
        return self._own(torch.randn(n * self.shards, *shape, **self._where), n)

    def uniform(self, n: int, *shape: int) -> Tensor:
        """Uniform on [0, 1), `(n, *shape)`."""
        return self._own(torch.rand(n * self.shards, *shape, **self._where), n)

    def draw(self, p: Distribution, *shape: int) -> Tensor:
        """`(*shape, B, ...)` values of p: `p.sample`, which knows only the global generators, from here.

        >>> p = torch.distributions.Normal(torch.zeros(3), 1.0)
        >>> bool((Noise(seed=1).draw(p, 2) == Noise(seed=1).draw(p, 2)).all())
        True
        """
        seed = torch.randint(2**62, (), **self._where)
        device = self.generator.device
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(int(seed))
            return p.sample(torch.Size(shape))

    @contextmanager
    def dropping(self, net: nn.Module) -> Iterator[None]:
        """Dropout of a net in use, whatever mode it is in, its masks drawn from here.

        They are of the shard: a batch in one piece meets others.
        """
        self.drops += 1
        # known without asking the device
        seed, device = mix(self.seed, self.shard, self.drops), self.generator.device
        idle = [m for m in net.modules() if isinstance(m, nn.Dropout) and not m.training]
        with torch.random.fork_rng([] if device.type == "cpu" else [device], device_type=device.type):
            torch.manual_seed(seed)
            for module in idle:
                module.training = True
            try:
                yield
            finally:
                for module in idle:
                    module.training = False

    @property
    def _where(self) -> dict[str, Any]:
        return {"generator": self.generator, "device": self.generator.device}

    def _own(self, whole: Tensor, n: int) -> Tensor:
        return whole[self.shard * n : (self.shard + 1) * n]


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers (the finaliser of splitmix64, Steele et al. 2014).

    >>> mix(1, 2) == mix(1, 2), mix(1, 2) == mix(2, 1)
    (True, False)
    """
    h = 0
    for number in numbers:
        h = (h + number + 0x9E3779B97F4A7C15) & (2**64 - 1)
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        h ^= h >> 31
    return h >> 1


@dataclass(frozen=True)
class Batch:
    """What a model sees of one step.

    Attributes:
        x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`; float32.
        y: labels `(B,)` int64, or None.
        noise: the only source of randomness of the step.
        step: steps played before this one.
        steps: steps of the whole training.
        target: what is to be predicted, images `(B, C, H, W)` in [0, 1] or vectors `(B, T)`, or None.
    """

    x: Tensor
    y: Tensor | None
    noise: Noise
    step: int = 0
    steps: int = 1
    target: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)


class Turn(NamedTuple):
    """A loss that moves one player, and the terms to be logged with it."""

    player: str
    loss: Tensor
    terms: Mapping[str, Tensor] = {}


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """No gradients for the parameters of `nets` while losses are computed inside.

    Yield the turn after the block, so that nothing is frozen while the engine moves a player.
    """
    parameters = [p for net in nets for p in net.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


def bare(net: nn.Module) -> nn.Module:
    """The net without what the engine wraps it in: gradients with respect to inputs need it so.

    Neither a compiled net nor one under several processes can be differentiated twice.
    """
    net = getattr(net, "module", net)
    inner: nn.Module = getattr(net, "_orig_mod", net)
    return inner


class Model(nn.Module):
    """A model: its nets, its likelihood and the game that trains it.

    Attributes:
        players: player -> the attributes that hold its nets. Every net has one owner.
        spec: the data it was built for.
        config: its resolved settings, a frozen dataclass.
        balanced: whether its batches have to hold as many examples of every class, class after class.
        memory_format: of its weights in training.
        training_only: buffers that only training needs: in the checkpoint, not among the published weights.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    balanced: ClassVar[bool] = False
    # convolutions of large batches on CPU take 1.1 to 1.2 times as long without channels_last
    memory_format: ClassVar[torch.memory_format] = torch.channels_last
    training_only: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: DataSpec, config: Any) -> None:
        super().__init__()
        self.spec = spec
        self.config = config

    def prepare(self, train: Dataset) -> None:
        """See the training data once, before the first step. The default does nothing."""

    def play(self, batch: Batch) -> Iterator[Turn]:
        """Tell the game of one step: yield the turns in order. A model without players tells none."""
        yield from ()

    def finish(self, held_out: Iterable[Batch]) -> None:
        """See held-out data once, after the last step: to calibrate, say. The default does nothing."""

    def observed(self, x: Tensor, noise: Noise) -> Tensor:
        """Examples as the likelihood sees them (binarised, say). The default changes nothing."""
        return x

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Terms to follow on held-out data, each `(B,)`. The default has none."""
        return {}

    @property
    def device(self) -> torch.device:
        """Where the model lives."""
        return next(chain(self.parameters(), self.buffers())).device


@dataclass(frozen=True)
class Elbo:
    """The two terms of the evidence lower bound, each `(B,)` in nats.

    Attributes:
        reconstruction: log p(x | z) for one z ~ q(z | x).
        kl: KL(q(z | x) || p(z)), closed form.
    """

    reconstruction: Tensor
    kl: Tensor
    value: Tensor = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.reconstruction - self.kl)


@runtime_checkable
class Samples(Protocol):
    """Draws new examples: z ~ p(z), then the mean of p(x | z)."""

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        """`(n, C, H, W)` in [0, 1] or `(n, D)`; z is drawn `truncation` times as far from its mean."""
        ...


@runtime_checkable
class Conditional(Protocol):
    """Draws examples of a class that is asked for."""

    def given(self, y: int) -> Model:
        """The model of one class, an index into `spec.classes`: it samples, and decodes if it can."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Says which latents could have made an example."""

    def encode(self, x: Tensor) -> Distribution:
        """A distribution over z with a `mean` `(B, Z)`."""
        ...


@runtime_checkable
class Decodes(Protocol):
    """Turns latents into examples."""

    def decode(self, z: Tensor) -> Distribution:
        """p(x | z) for `(B, Z)`, with a `mean` `(B, C, H, W)` or `(B, D)`."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Turns one kind of picture into another."""

    def translate(self, x: Tensor, noise: Noise, to: str | None = None) -> Tensor:
        """`(B, C', H, W)` in [0, 1] for `(B, C, H, W)` in [0, 1], of any height and width.

        Args:
            to: the domain, where there is a choice; the last one when None.
        """
        ...


@runtime_checkable
class Cycles(Protocol):
    """Translates between two domains, the classes of its data, and back."""

    def there_and_back(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Images of classes y `(B,)` in the other domain, and back in their own, each like x."""
        ...

    def translate(self, x: Tensor, noise: Noise, to: str | None = None) -> Tensor:
        """As `Translates`."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """Says what belongs to an input."""

    def predict(self, x: Tensor) -> Distribution:
        """p(y | x) for each input, over targets in the units of the data, or over classes."""
        ...

    def answers(self, batch: Batch) -> Tensor:
        """The y of a batch that `predict(batch.x).log_prob` takes: its targets or its labels."""
        ...


@runtime_checkable
class Features(Protocol):
    """Says what an example looks like to it: what comparisons of sets of examples are made in."""

    def features(self, x: Tensor) -> Tensor:
        """`(B, F)`: what the last layer sees."""
        ...


@runtime_checkable
class Judges(Protocol):
    """Tells examples from samples: has a discriminator."""

    def judge(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples in the units of the data; larger is more real.

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            y: labels `(B,)`, for a discriminator that is told classes.
        """
        ...


@runtime_checkable
class Scores(Protocol):
    """Knows how likely an example is."""

    def log_likelihood(self, x: Tensor, noise: Noise, samples: int) -> Tensor:
        """log p(x) in nats `(B,)`, exact or estimated with `samples` draws of z."""
        ...


@runtime_checkable
class Bounds(Protocol):
    """Has an evidence lower bound."""

    def elbo(self, x: Tensor, noise: Noise) -> Elbo:
        """The two terms for each example."""
        ...
