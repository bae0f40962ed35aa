"""The game of a generator and a discriminator (Goodfellow et al. 2014).

    min over G, max over D of E_x ln D(x) + E_z ln(1 - D(G(z)))

and its relatives (`simulacra.probability.objectives`), with or without classes. In one step the
discriminator moves with real and fake examples, penalised for steep gradients where it is due; every
`n_critic` steps the generator moves against the discriminator as it now is. Numbers of vectors are
standardised and images brought to [-1, 1] inside.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Discriminates
from simulacra.core.latents import LatentSpace
from simulacra.core.model import LatentModel, Turn, frozen, unwrap
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.gan.card import AdversarialConfig
from simulacra.models.normal_scores import NormalScores
from simulacra.nets.augmentation import AdaptiveAugment, DiffAugment
from simulacra.nets.critic import Condition
from simulacra.probability.distributions import Delta
from simulacra.probability.mixed import PointRows
from simulacra.probability.objectives import OBJECTIVES, squared_gradient
from simulacra.probability.standardise import Standardise

# steps between penalties, which for large nets cost as much as the rest of a step
LAZY = {"image": 4, "vector": 1}


@dataclass(frozen=True)
class Penalties:
    """Regularisation of the discriminator: penalty coefficients, and the bound of weight clipping."""

    r1: float = 0.0
    r2: float = 0.0
    gradient_penalty: float = 0.0
    clip_weights: float | None = None


# What each objective needs, and all others. Images have many numbers that a gradient adds up over.
PENALTIES = {
    "image": {
        "wasserstein": Penalties(clip_weights=0.01),
        "wasserstein-gp": Penalties(gradient_penalty=10.0),
        "relativistic": Penalties(r1=1.0, r2=1.0),
        "others": Penalties(r1=1.0),
    },
    "vector": {
        "wasserstein": Penalties(clip_weights=0.05),
        "wasserstein-gp": Penalties(gradient_penalty=0.1),
        "relativistic": Penalties(r1=0.1, r2=0.1),
        "least-squares": Penalties(r1=0.3),
        "others": Penalties(r1=0.1),
    },
}


class AdversarialModel(Discriminates, LatentModel):
    """A generator and a discriminator that play against each other, with or without classes.

    Args:
        spec: the data.
        config: objective and penalties, and what describes the nets.
        classes: number of classes that both nets are conditioned on; 0 for none.
        condition: how the discriminator is conditioned on them.

    Attributes:
        input_space: of z, the generator's input.
    """

    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "discriminator": ("discriminator",),
        "generator": ("generator",),
    }
    config: AdversarialConfig
    input_space: LatentSpace
    generator: nn.Module
    discriminator: nn.Module

    def __init__(
        self, spec: DataSpec, config: AdversarialConfig, classes: int = 0, condition: Condition = "projection"
    ) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config)
        self.lazy = config.lazy if config.lazy is not None else LAZY[spec.kind]
        self.classes, objective = classes, config.objective
        self.objective = OBJECTIVES[objective.removesuffix("-gp")]
        self.penalties = _penalties(spec.kind, objective, config)
        self._make_generator()
        self.discriminator = self._discriminator(condition)
        self.augment = _augmentation(spec, config.augment)
        # the rows of a table have numbers as normal scores, and one-hot codes
        self.scores = None if spec.schema is None else NormalScores(spec.schema)
        # a code is drawn
        self.has_likelihood = spec.schema is not None and not spec.schema.continuous
        self.standardise = Standardise(spec, common=True)
        if spec.kind == "image":
            # from [0, 1] to [-1, 1]
            self.standardise.mean.fill_(0.5)
            self.standardise.std.fill_(0.5)

    @abstractmethod
    def _make_generator(self) -> None:
        """Make the nets of the player `generator`, and the space of its input."""

    @abstractmethod
    def _discriminator(self, condition: Condition) -> nn.Module:
        """The discriminator: examples, and classes where there are some, to `(B,)`.

        Args:
            condition: how it is conditioned on classes.
        """

    def prepare(self, train: Dataset) -> None:
        """Learn the location and the common scale of vectors, or the distributions of a table's numbers."""
        if self.scores is not None:
            self.scores.fit(train.x)
        elif self.spec.kind == "vector":
            self.standardise.fit(train.x)

    def collapse_remedies(self) -> list[str]:
        deviation = [] if self.config.batch_deviation else ["--batch-deviation"]
        return ["a larger --r1", *deviation, "another --objective", "a smaller --lr"]

    def overfitting_remedies(self) -> list[str]:
        # augmentations change images
        augment = self.spec.kind == "image" and self.config.augment != "ada"
        return [*(["--augment ada"] if augment else []), "more data"]

    def condition(self, batch: Batch) -> tuple[Tensor, ...]:
        """What both nets are conditioned on beside their input, e.g. classes. The default is nothing."""
        return ()

    def play(self, batch: Batch) -> Iterator[Turn]:
        x, y = self._standardised(batch.x, batch.noise), self.condition(batch)
        z = self.input_space.sample(len(x), batch.noise)
        moves = batch.step % self.config.n_critic == self.config.n_critic - 1
        # made once: without gradients for the discriminator, with them for the generator
        with torch.set_grad_enabled(moves):
            fake = self._generate_standardised(z, *y, noise=batch.noise)
        yield Turn("discriminator", *self._discriminator_loss(x, fake.detach(), y, batch))
        if self.penalties.clip_weights is not None:
            self._clip(self.penalties.clip_weights)
        if not moves:
            return
        with frozen(self.discriminator):
            fake_output = self._output(self.discriminator, fake, y, batch)
            # only relativistic losses need the outputs on real examples
            real = (
                self._output(self.discriminator, x, y, batch) if self.objective.relativistic else fake_output
            )
            loss = self.objective.generator_loss(real, fake_output)
        if (penalty := self._generator_penalty(batch, y)) is not None:
            loss = loss + penalty
        yield Turn("generator", loss)

    def _generator_penalty(self, batch: Batch, y: tuple[Tensor, ...]) -> Tensor | None:
        """Regularisation of the generator, where it is due. The default has none."""
        return None

    def _augmented(self, x: Tensor, batch: Batch) -> Tensor:
        """Examples as the discriminator sees them."""
        return x if self.augment is None else self.augment(x, batch.noise)

    def _output(self, net: nn.Module, x: Tensor, y: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """The outputs `(B,)` on examples that are augmented first."""
        output: Tensor = net(self._augmented(x, batch), *y)
        return output

    def _discriminator_loss(
        self, x: Tensor, fake: Tensor, y: tuple[Tensor, ...], batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The discriminator's loss, with its penalties when they are due, and its mean outputs."""
        due = batch.step % self.lazy == 0
        p = self.penalties
        real_leaf, fake_leaf = x, fake
        if due and p.r1:
            real_leaf = x.detach().requires_grad_(True)
        if due and p.r2:
            fake_leaf = fake.requires_grad_(True)
        net, wrapped = unwrap(self.discriminator), self.discriminator
        # the net without DDP, which can be differentiated twice, has to see the same augmented examples
        real_seen, fake_seen = (self._augmented(leaf, batch) for leaf in (real_leaf, fake_leaf))
        real, fake_output = (wrapped(seen, *y) for seen in (real_seen, fake_seen))
        loss = self.objective.discriminator_loss(real, fake_output)
        terms = {"real": real.mean(), "fake": fake_output.mean()}
        if isinstance(self.augment, AdaptiveAugment):
            # halfway between its mean outputs no objective prefers real to fake
            halfway = (real.mean() + fake_output.mean()) / 2
            self.augment.update((real - halfway).detach(), batch.noise)
            terms["augment"] = self.augment.p
        if due:
            penalty = torch.zeros((), device=x.device)
            sides = ((p.r1, real_leaf, real_seen, real), (p.r2, fake_leaf, fake_seen, fake_output))
            for weight, leaf, seen, output in sides:
                if weight:
                    output = output if net is wrapped else net(seen, *y)
                    penalty = penalty + weight / 2 * squared_gradient(output, leaf).mean()
            if p.gradient_penalty:
                penalty = penalty + p.gradient_penalty * self._gradient_penalty(x, fake, y, batch)
            loss = loss + self.lazy * penalty
        return loss, terms

    def _gradient_penalty(self, x: Tensor, fake: Tensor, y: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """(|dD/du| - 1)^2 at u between real and fake examples (Gulrajani et al. 2017, eq. 3)."""
        e = batch.noise.uniform(len(x), *(1 for _ in x.shape[1:]))
        u = (e * x + (1 - e) * fake.detach()).requires_grad_(True)
        output = self._output(unwrap(self.discriminator), u, y, batch)
        norm = squared_gradient(output, u).add(1e-12).sqrt()
        return (norm - 1).square().mean()

    @torch.no_grad()
    def _clip(self, largest: float) -> None:
        """Weights in [-c, c], after the discriminator has moved (Arjovsky et al. 2017, algorithm 1)."""
        for parameter in self.discriminator.parameters():
            parameter.clamp_(-largest, largest)

    def _standardised(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Examples in the units of the data as the discriminator's input."""
        if self.scores is None:
            standardised: Tensor = self.standardise(x)
            return standardised
        u = None if noise is None else noise.uniform(len(x), len(self.scores.layout.numbers))
        scores: Tensor = self.scores(x, u)
        return scores

    def _generate_standardised(self, z: Tensor, *y: Tensor, noise: Noise) -> Tensor:
        """G(z), or G(z, y), as the discriminator's input; the codes of a table are drawn."""
        x: Tensor = self.generator(z, *y)
        if self.scores is None:
            return x.tanh() if self.spec.kind == "image" else x
        layout = self.scores.layout
        code = layout.straight_through(x[..., layout.codes], noise)
        return layout.join(x[..., layout.numbers], code, special=False)

    def decoded(self, z: Tensor, *y: Tensor) -> Distribution:
        """All mass on G(z), or G(z, y), in the units of the data; a table's codes have probabilities."""
        x = self.generator(z, *y)
        if self.scores is None:
            return Delta(self.standardise.inverse(x.tanh() if self.spec.kind == "image" else x))
        layout = self.scores.layout
        return PointRows(layout, self.scores.inverse(x[..., layout.numbers]), x[..., layout.codes])

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The discriminator's output `(B,)` on examples in the units of the data; larger is more real."""
        output: Tensor = self.discriminator(self._standardised(x), *(() if y is None else (y,)))
        return output


def _penalties(kind: str, objective: str, config: AdversarialConfig) -> Penalties:
    """The objective's own penalties, with those that the settings name instead."""
    usual = PENALTIES[kind]
    own = usual.get(objective, usual["others"])
    given = {
        name: getattr(config, name)
        for name in ("r1", "r2", "gradient_penalty", "clip_weights")
        if getattr(config, name) is not None
    }
    return Penalties(**{**own.__dict__, **given})


def _augmentation(spec: DataSpec, name: str) -> DiffAugment | AdaptiveAugment | None:
    if name == "none":
        return None
    if spec.kind != "image":
        raise ConfigError(f"augment: '{name}' changes images, and the data are vectors; leave it out")
    return DiffAugment() if name == "diff" else AdaptiveAugment()
