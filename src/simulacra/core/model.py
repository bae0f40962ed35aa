"""A model and the game that trains it: nets, players and turns.

A model trains by playing a game with one or more players. Each player owns nets; a `Turn` is a loss that
moves one player. `Model.play` tells the game in the order of the paper, and the engine plays it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from simulacra.core.batch import Batch
from simulacra.core.card import ModelCard
from simulacra.core.latents import LatentSpace, Prior
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec, Origin
from simulacra.errors import ConfigError, nearest


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


def unwrap(net: nn.Module) -> nn.Module:
    """The net without the wrappers of the engine.

    Gradients with respect to inputs need it: neither a compiled net nor one under DDP can be differentiated
    twice.
    """
    net = getattr(net, "module", net)
    inner: nn.Module = getattr(net, "_orig_mod", net)
    return inner


class Model(nn.Module):
    """A model: its nets, its likelihood and the game that trains it.

    Attributes:
        players: player -> the attributes that hold its nets. Every net has one owner.
        class_balanced: whether every batch holds equally many examples of each class, class after class.
        memory_format: of the weights in training.
        training_only: buffers that only training needs: in the checkpoint, not in `model.safetensors`.
        on_request: groups of metrics that `evaluate` leaves out unless they are named: they would take hours.
        card: its settings, summary, and requirements on the data.
        untrained: whether its weights stay as they were drawn.
        spec: the data it was built for.
        config: its resolved settings, a frozen dataclass.
        trained_on: what its run was trained on; None for a model of no run.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    class_balanced: ClassVar[bool] = False
    # convolutions of large batches on CPU take 1.1 to 1.2 times as long without channels_last
    memory_format: ClassVar[torch.memory_format] = torch.channels_last
    training_only: ClassVar[tuple[str, ...]] = ()
    on_request: tuple[str, ...] = ()
    card: ClassVar[ModelCard | None] = None
    untrained: ClassVar[bool] = False
    trained_on: Origin | None = None

    def __init__(self, spec: DataSpec, config: Any) -> None:
        """Raises ConfigError for data that the model cannot be trained on."""
        super().__init__()
        if self.card is not None:
            self.card.check(spec)
        self.spec = spec
        self.config = config

    @property
    def needs_labels(self) -> bool:
        """Whether it could not be trained without the classes of the data."""
        return self.card is None or bool(self.card.needs(replace(self.spec, classes=())))

    def __repr__(self) -> str:
        """Name, data and size in a line; its nets print as in torch."""
        size = sum(p.numel() for p in self.parameters())
        return f"{type(self).__name__}({self.spec!r}, {size:,} parameters)"

    def prepare(self, train: Dataset) -> None:
        """Initialise from the training data, before the first step. The default does nothing."""

    def play(self, batch: Batch) -> Iterator[Turn]:
        """Yield the turns of one training step in order. A model without players yields none."""
        yield from ()

    def finish(self, held_out: Iterable[Batch]) -> None:
        """Calibrate on held-out data, after the last step. The default does nothing."""

    def observe(self, x: Tensor, noise: Noise) -> Tensor:
        """Examples as the likelihood takes them, e.g. binarised. The default returns x."""
        return x

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Terms to monitor on held-out data, each `(B,)`. The default has none."""
        return {}

    def collapse_remedies(self) -> list[str]:
        """Options to try when the samples collapse."""
        return ["a smaller --lr", "a model with an adversary or an encoder"]

    def posterior_collapse_remedies(self) -> list[str]:
        """Options to try when the decoder ignores the latents."""
        return ["a smaller weight of the KL term"]

    def overfitting_remedies(self) -> list[str]:
        """Options to try when a discriminator memorises the training set."""
        return ["more data"]

    @property
    def device(self) -> torch.device:
        """Device of the parameters and buffers."""
        return next(
            (tensor.device for tensor in chain(self.parameters(), self.buffers())), torch.device("cpu")
        )

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters and buffers."""
        tensors = chain(self.parameters(), self.buffers())
        return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)


class LatentModel(Model):
    """A model with latent spaces.

    Attributes:
        spaces: its latent spaces; the first is the default.
        has_likelihood: whether p(x | z) is more than a point, so that a draw from it differs from its mean.
    """

    spaces: tuple[LatentSpace, ...]
    has_likelihood: bool = True

    @property
    def latent(self) -> LatentSpace:
        """The default latent space.

        Raises:
            ConfigError: there is none, as of a mixture of normals.
        """
        if not self.spaces:
            raise ConfigError(f"this {type(self).__name__} has no latent space")
        return self.spaces[0]

    @property
    def prior(self) -> Prior:
        """The prior of the default latent space.

        Raises:
            ConfigError: it has none.
        """
        if self.latent.prior is None:
            raise ConfigError(f"the latent space '{self.latent.name}' has no prior")
        return self.latent.prior

    def space(self, name: str | None = None) -> LatentSpace:
        """The latent space of this name; the default one for None.

        Raises:
            ConfigError: there is none.
        """
        spaces = {space.name: space for space in self.spaces}
        if name is not None and name not in spaces:
            raise ConfigError(f"space: unknown '{name}', {nearest(name, spaces)}")
        return self.latent if name is None else spaces[name]
